# SPDX-License-Identifier: LGPL-2.1-or-later
"""Files of any container: cut off, with junk, or something else altogether."""

import gzip

from containers import FLOATS, legacy_file, safetensors_file, torch_zip
from row import HERE, corrupt, unsupported

WHOLE = {
    "zip": torch_zip(),
    "legacy": legacy_file(),
    "safetensors": safetensors_file({"w": {"dtype": "F32", "shape": [4], "data_offsets": [0, 16]}}),
}


def damaged():
    for container, data in WHOLE.items():
        yield corrupt(f"{container}_half", data[: len(data) // 2], "is the download complete?")
        yield corrupt(f"{container}_minus_one", data[:-1], "is the download complete?")
        yield corrupt(f"{container}_first_kilobyte_zero", bytes(1024) + data[1024:], "not a checkpoint", 0)
        yield corrupt(f"{container}_junk_before", b"junk" + data, "not a checkpoint", 0)
        yield corrupt(f"{container}_byte_order_mark", b"\xef\xbb\xbf" + data, "not a checkpoint", 0)
        yield corrupt(f"{container}_junk_behind", data + b"junk", "")
        yield corrupt(f"{container}_twice", data + data, "")
        crlf = data.replace(b"\n", b"\r\n")
        if crlf != data:
            yield corrupt(f"{container}_as_text", crlf, "")


def strangers():
    yield corrupt("empty", b"", "the file is empty", 0)
    for what, data in {
        "byte": b"P", "text": b"import torch\n", "zeros": bytes(4096), "ones": 4096 * b"\xff",
        "gzip": gzip.compress(WHOLE["zip"], mtime=0), "png": b"\x89PNG\r\n\x1a\n" + bytes(99),
        "numpy": b"\x93NUMPY\1\0" + bytes(99), "hdf5": b"\x89HDF\r\n\x1a\n" + bytes(99),
        "gguf": b"GGUF\3\0\0\0" + bytes(99), "elf": b"\x7fELF" + bytes(99), "floats": FLOATS,
        "onnx": b"\x08\x07\x12\x07pytorch" + bytes(99), "zip_spanned": b"PK\7\x08" + bytes(99),
    }.items():  # fmt: skip
        yield corrupt(what, data, "not a checkpoint", 0)
    for what, data in {
        "html": b"<!DOCTYPE html>\n<html>404", "html_behind_space": b" \r\n\t<html>",
        "xml": b"<?xml?><Error>",
    }.items():  # fmt: skip
        yield corrupt(what, data, "a web page, not a checkpoint", 0)
    pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n"
    yield corrupt("git_lfs", pointer, "git lfs pull", 0)
    tar = bytes(257) + b"ustar\x0000" + bytes(1024)
    yield unsupported("tar", tar, "the tar container of PyTorch 0.1", 0)
    bare = b"\x80\x02cposix\nsystem\nX\x04\0\0\0true\x85R."
    yield corrupt("bare_pickle", bare, "not one that torch.save begins with", 0)
    yield corrupt("pickle_of_protocol_4", b"\x80\x04" + bare[2:], "not one that torch.save begins", 0)
    yield corrupt("end_record_alone", HERE + b"PK\5\6" + bytes(18), "the zip archive is empty")


def rows():
    yield from damaged()
    yield from strangers()
