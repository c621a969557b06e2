# SPDX-License-Identifier: LGPL-2.1-or-later
"""What it costs that the plugin is there."""

import subprocess
import time

from conftest import BUILD, element_environment


def test_inspecting_the_element_with_a_new_registry_is_quick(tmp_path, record_property):
    start = time.perf_counter()
    result = subprocess.run(
        ["gst-inspect-1.0", "tvwclassify"],
        check=True,
        capture_output=True,
        text=True,
        env=element_environment(
            GST_REGISTRY=str(tmp_path / "registry"), GST_PLUGIN_SYSTEM_PATH=str(BUILD / "gst")
        ),
    )
    seconds = time.perf_counter() - start
    record_property("milliseconds", round(1e3 * seconds, 1))
    print(f"gst-inspect-1.0 tvwclassify: {1e3 * seconds:.0f} ms")
    assert "inference-interval" in result.stdout and result.stderr == ""
    assert seconds < 0.5
