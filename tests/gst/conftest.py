# SPDX-License-Identifier: LGPL-2.1-or-later
"""The elements seen from outside: where the plugin, the test model and Python's GStreamer are."""

import os
import pathlib
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("TVW_BUILD", ROOT / "build")).resolve()
TESTS = BUILD / "tests" / "gst"
MODEL = TESTS / "model.json"

# PyGObject comes with the distribution; an environment of our own does not see it otherwise.
sys.path.append("/usr/lib/python3/dist-packages")


def element_environment(**more):
    """Paths for the programs that Meson runs too, and for GStreamer on its own."""
    paths = {
        "GST_PLUGIN_PATH": str(BUILD / "gst"),
        "GST_REGISTRY": str(TESTS / "registry-python.bin"),
        "TVW_TEST_PLUGIN": str(BUILD / "gst" / "libgsttvw.so"),
        "TVW_TEST_MODEL": str(TESTS),
    }
    return os.environ | paths | more


@pytest.fixture(scope="session")
def gst():
    """gi.repository.Gst, started."""
    os.environ.update(element_environment())
    gi = pytest.importorskip("gi", reason="PyGObject is not installed")
    try:
        gi.require_version("Gst", "1.0")
    except ValueError as error:
        pytest.skip(str(error))
    from gi.repository import Gst

    Gst.init(None)
    return Gst


class Frames:
    """The buffers of a short clip, as they come out behind tvwclassify."""

    COUNT = 3

    def __init__(self, gst, properties="", behind="identity"):
        self._gst = gst
        self._pipeline = gst.parse_launch(
            f"videotestsrc num-buffers={self.COUNT} ! video/x-raw, format=RGB, width=48, height=40"
            f" ! tvwclassify weights={MODEL} {properties} ! {behind} ! appsink name=end sync=false"
        )

    def __enter__(self):
        self._pipeline.set_state(self._gst.State.PLAYING)
        return self

    def __exit__(self, *error):
        self._pipeline.set_state(self._gst.State.NULL)

    def __iter__(self):
        end = self._pipeline.get_by_name("end")
        for _ in range(self.COUNT):
            sample = end.emit("try-pull-sample", 30 * self._gst.SECOND)
            assert sample is not None, [
                message.parse_error() for message in self.messages(self._gst.MessageType.ERROR)
            ]
            yield sample.get_buffer()

    def messages(self, kind):
        """All messages of a type so far; others are dropped."""
        bus = self._pipeline.get_bus()
        while message := bus.pop_filtered(kind):
            yield message
