# SPDX-License-Identifier: LGPL-2.1-or-later
"""tvwclassify given any file of the corpus: one error on the bus, and back to NULL."""

import json
import math
import os
import pathlib
import struct
import sys

import pytest

from conftest import MODEL, ROOT

sys.path.append(str(ROOT / "tests" / "hostile"))
import corpus  # noqa: E402
from row import LOADS  # noqa: E402


LAYER = "features.0.0.weight"


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


def with_first_layer(change):
    """The test's model with the first layer's entry of the header and its bytes changed."""
    data = MODEL.with_suffix(".safetensors").read_bytes()
    begin = 8 + struct.unpack_from("<Q", data)[0]
    header, tensors = json.loads(data[8:begin]), b""
    for name, entry in header.items():
        first, last = entry["data_offsets"]
        tensor = data[begin + first : begin + last]
        if name == LAYER:
            entry["dtype"], tensor = change(tensor)
        entry["data_offsets"] = len(tensors), len(tensors) + len(tensor)
        tensors += tensor
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + tensors


ONE_AND_INFINITY = {
    "F16": (struct.pack("<e", 1), struct.pack("<e", math.inf)),
    "BF16": (b"\x80\x3f", b"\x80\x7f"),
    "F32": (struct.pack("<f", 1), struct.pack("<f", math.inf)),
    "F64": (struct.pack("<d", 1), struct.pack("<d", 1e300)),
}


@pytest.mark.parametrize("dtype", ONE_AND_INFINITY)
def test_weights_that_are_not_finite_name_the_layer(dtype, gst, classify, tmp_path):
    one, infinity = ONE_AND_INFINITY[dtype]
    path = tmp_path / "infinite.safetensors"
    path.write_bytes(with_first_layer(lambda old: (dtype, one * (len(old) // 4 - 1) + infinity)))
    [(error, debug)] = errors_of(gst, classify, path)
    assert f'"{LAYER}" holds inf at element' in error.message + debug


def test_a_layer_of_another_name_is_missed(gst, classify, tmp_path):
    path = tmp_path / "renamed.safetensors"
    data = MODEL.with_suffix(".safetensors").read_bytes()
    path.write_bytes(data.replace(LAYER.encode(), LAYER.replace("weight", "wieght").encode()))
    [(error, debug)] = errors_of(gst, classify, path)
    assert f'missing "{LAYER}"' in error.message + debug and "wieght" in error.message + debug


def test_what_is_no_file_is_one_error(gst, classify, tmp_path):
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    for path in (fifo, tmp_path, pathlib.Path("/dev/zero"), tmp_path / "missing"):
        [(error, debug)] = errors_of(gst, classify, path)
        assert str(path) in error.message + debug
