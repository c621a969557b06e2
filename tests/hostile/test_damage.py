# SPDX-License-Identifier: LGPL-2.1-or-later
"""Four valid files, cut at every length and with every single bit flipped."""

import io
import json
import pickletools
import struct
import subprocess
import zipfile

import pytest
import safetensors.torch
import torch

from checkpoints import DUMP, assert_equal

SECONDS = 2
pytestmark = pytest.mark.filterwarnings("ignore:torch.quantize")


def state_dict():
    generator = torch.Generator().manual_seed(0)
    return {"w": torch.randn(4, 3, generator=generator), "bias": torch.zeros(3)}


def saved(value, **keywords):
    buffer = io.BytesIO()
    torch.save(value, buffer, **keywords)
    return buffer.getvalue()


def wrapped():
    """A deflated zip around a legacy file with a quantized tensor."""
    weight = torch.quantize_per_channel(
        torch.randn(2, 3), torch.tensor([0.5, 0.25]), torch.tensor([0, 1]), 0, torch.qint8
    )
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("m.pth", saved({"w": weight}, _use_new_zipfile_serialization=False))
    return buffer.getvalue()


VALID = {
    "zip": lambda: saved(state_dict()),
    "legacy": lambda: saved(state_dict(), _use_new_zipfile_serialization=False),
    "safetensors": lambda: safetensors.torch.save(state_dict()),
    "wrapped": wrapped,
}


class Damaged:
    """What the reader answered to each variant of one file."""

    def __init__(self, container, folder):
        self.data = VALID[container]()
        path = folder / f"{container}.pth"
        path.write_bytes(self.data)
        result = subprocess.run(
            [DUMP, "--damage", path, folder / "copy.pth"], capture_output=True, text=True, timeout=300
        )
        assert result.returncode == 0, result.stderr
        good, *self.answers = map(json.loads, result.stdout.splitlines())
        assert good["loaded"]
        self.loaded = [answer for answer in self.answers if answer["loaded"]]
        self.changed = [answer for answer in self.loaded if answer["content"] != good["content"]]

    def flipped(self, answer):
        position = answer["byte"]
        byte = self.data[position] ^ (1 << answer["bit"])
        return self.data[:position] + bytes([byte]) + self.data[position + 1 :]


@pytest.fixture(scope="module")
def damaged(tmp_path_factory):
    folder = tmp_path_factory.mktemp("damaged")
    return {container: Damaged(container, folder) for container in VALID}


@pytest.mark.parametrize("container", VALID)
def test_no_variant_is_forgotten_and_each_error_says_where(container, damaged):
    file = damaged[container]
    assert len(file.answers) == 9 * len(file.data)
    assert all(answer["seconds"] < SECONDS for answer in file.answers)
    for answer in file.answers:
        if not answer["loaded"]:
            assert answer["kind"] in ("corrupt_file", "not_supported"), answer
            assert answer["offset"] is not None and f"byte {answer['offset']}" in answer["message"]


@pytest.mark.parametrize("container", VALID)
def test_a_file_cut_anywhere_is_refused(container, damaged):
    assert [answer["size"] for answer in damaged[container].loaded if "size" in answer] == []


@pytest.mark.parametrize("container", ["zip", "wrapped"])
def test_a_flip_in_a_zip_changes_nothing_or_is_refused(container, damaged):
    assert damaged[container].changed == []


def untold_bytes(data):
    """The bytes of a zip that say nothing about the state dict: versions, times, attributes, padding,
    what is told twice and may be absent once, numbers of disks, entries that only PyTorch reads."""
    read = (b"data.pkl", b"byteorder", b"version", b"data/0", b"data/1")
    untold = set()

    def mark(begin, *fields):
        for first, last in fields:
            untold.update(range(begin + first, begin + last + 1))

    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        order = sorted(archive.infolist(), key=lambda entry: entry.header_offset)
        directory = archive.start_dir
    ends = [entry.header_offset for entry in order[1:]] + [directory]
    for entry, end in zip(order, ends):
        begin = entry.header_offset
        name, extra = struct.unpack_from("<HH", data, begin + 26)
        # Version, time; checksum and sizes, which zero may stand for before a descriptor; padding.
        mark(begin, (4, 5), (10, 13), (14, 25), (28, 29), (30 + name, 29 + name + extra))
        content = begin + 30 + name + extra
        known = data[begin + 30 : begin + 30 + name].split(b"/", 1)[1] in read
        mark(content, (entry.file_size if known else 0, end - content - 1))
    at = directory
    while data[at : at + 4] == b"PK\1\2":
        name, extra = struct.unpack_from("<HH", data, at + 28)
        known = data[at + 46 : at + 46 + name].split(b"/", 1)[1] in read
        mark(at, (4, 7), (12, 15), (36, 41))  # versions, time, attributes
        if not known:
            mark(at, (16, 19))  # checksum
        at += 46 + name + extra
    end64, locator = data.rindex(b"PK\6\6"), data.rindex(b"PK\6\7")
    mark(end64, (4, 15))  # its own size, versions
    mark(locator, (4, 7), (16, 19))  # numbers of disks
    return untold


def test_a_flip_in_a_zip_is_overlooked_only_where_nothing_is_told(damaged):
    file = damaged["zip"]
    assert {answer["byte"] for answer in file.loaded} - untold_bytes(file.data) == set()


def unprotected_bytes(container, data):
    """Legacy and safetensors have no checksums: a flip can make another valid file of one. Of its
    control bytes these can: the text of a key and, in a pickle, a small number (sizes, strides)."""
    if container == "safetensors":
        header = data[: 8 + struct.unpack_from("<Q", data)[0]]
        names = [header.index(f'"{name}"'.encode()) + 1 for name in state_dict()]
        return {at + i for at, name in zip(names, state_dict()) for i in range(len(name))}
    stream, result = io.BytesIO(data), set()
    for _ in range(5):
        operations = list(pickletools.genops(stream))
        ends = [at for _, _, at in operations[1:]] + [stream.tell()]
        for (opcode, _, at), end in zip(operations, ends):
            if opcode.name in ("BINUNICODE", "BININT1"):
                result.update(range(at, end))
    return result


@pytest.mark.parametrize("container", ["legacy", "safetensors"])
def test_a_flip_without_checksums_is_read_as_python_reads_it(container, damaged, tmp_path):
    file = damaged[container]
    payload = sum(tensor.numel() * tensor.element_size() for tensor in state_dict().values())
    payload += 8 * len(state_dict()) if container == "legacy" else 0  # each storage's count
    control = [answer for answer in file.changed if answer["byte"] < len(file.data) - payload]
    assert {answer["byte"] for answer in control} <= unprotected_bytes(container, file.data)
    assert len(control) > 0
    for answer in control:
        path = tmp_path / f"{answer['byte']}-{answer['bit']}.pth"
        path.write_bytes(file.flipped(answer))
        if container == "legacy":
            expected = torch.load(path, weights_only=True)
        else:
            with safetensors.safe_open(path, "pt") as opened:
                expected = {key: opened.get_tensor(key) for key in opened.offset_keys()}
        assert_equal(path, tmp_path, expected)
