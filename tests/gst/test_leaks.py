# SPDX-License-Identifier: LGPL-2.1-or-later
"""Objects that the elements' tests leave behind, by GStreamer's own account."""

import re
import subprocess

import pytest

from conftest import TESTS, element_environment

PROGRAMS = ["errors", "frame_view", "memory", "overlay", "pipelines", "results", "stream"]
LEAK = re.compile(r"object-alive, type-name=\(string\)(\w+), address=\(gpointer\)0x.*")


def leaks_of(program):
    """Types of the objects that were alive when the program ended."""
    result = subprocess.run(
        [TESTS / program],
        capture_output=True,
        text=True,
        timeout=300,
        env=element_environment(
            GST_TRACERS="leaks", GST_DEBUG="GST_TRACER:7", GST_DEBUG_NO_COLOR="1", CK_FORK="no"
        ),
    )
    assert result.returncode == 0, result.stdout + result.stderr[-4000:]
    assert "leaks" in result.stderr, "the tracer did not run"
    return LEAK.findall(result.stderr)


@pytest.mark.parametrize("name", PROGRAMS)
def test_nothing_is_left(name):
    assert leaks_of(f"test_{name}") == []


def test_a_leak_is_found():
    assert leaks_of("leak_one") == ["GstBuffer"]


def test_every_program_is_watched():
    assert sorted(path.name for path in TESTS.glob("test_*") if path.is_file()) == [
        f"test_{name}" for name in PROGRAMS
    ]
