# SPDX-License-Identifier: LGPL-2.1-or-later
"""tvwclassify given any file of the corpus: one error on the bus, and back to NULL."""

import os
import pathlib
import sys

import pytest

from conftest import MODEL, ROOT

sys.path.append(str(ROOT / "tests" / "hostile"))
import corpus  # noqa: E402
from row import LOADS  # noqa: E402


@pytest.fixture(scope="module")
def classify(gst):
    """An element of its own, with a bus."""
    element = gst.ElementFactory.make("tvwclassify")
    element.set_property("weights", str(MODEL))
    element.set_bus(gst.Bus())
    return element


def errors_of(gst, element, path):
    """The error messages that starting with this checkpoint gives; NULL before and after."""
    element.set_property("checkpoint", str(path))
    assert element.set_state(gst.State.PLAYING) == gst.StateChangeReturn.FAILURE, path
    assert element.set_state(gst.State.NULL) == gst.StateChangeReturn.SUCCESS, path
    errors = []
    while message := element.get_bus().pop_filtered(gst.MessageType.ERROR):
        errors.append(message.parse_error())
    return errors


def test_each_file_is_one_error_and_the_element_survives(gst, classify, tmp_path):
    for row in corpus.rows():
        path = corpus.write(row, tmp_path)
        [(error, debug)] = errors_of(gst, classify, path)
        path.unlink()
        # What loads as a file is no checkpoint of this model.
        expected = row.part if row.kind != LOADS else "features."
        assert path.name in error.message + debug and expected in error.message + debug, row.name
    classify.set_property("checkpoint", None)
    assert classify.set_state(gst.State.PLAYING) != gst.StateChangeReturn.FAILURE
    assert classify.set_state(gst.State.NULL) == gst.StateChangeReturn.SUCCESS


def test_what_is_no_file_is_one_error(gst, classify, tmp_path):
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    for path in (fifo, tmp_path, pathlib.Path("/dev/zero"), tmp_path / "missing"):
        [(error, debug)] = errors_of(gst, classify, path)
        assert str(path) in error.message + debug
