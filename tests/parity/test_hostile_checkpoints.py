# SPDX-License-Identifier: LGPL-2.1-or-later
"""Files that must not load: each is refused quickly, in little memory, with a clear message."""

import argparse
import io
import os
import pickle
import struct
import warnings
import zipfile

import pytest
import torch

from checkpoints import try_all

SECONDS = 2
PEAK_MIB = 512


def saved(value, **keywords):
    buffer = io.BytesIO()
    torch.save(value, buffer, **keywords)
    return buffer.getvalue()


def repacked(data, change=None, pickle_bytes=None, method=zipfile.ZIP_STORED):
    """The same archive written by another program, with other contents."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(buffer, "w", method) as new:
        for name in old.namelist():
            content = old.read(name)
            if pickle_bytes is not None and name.endswith("data.pkl"):
                content = pickle_bytes
            name, content = (change or (lambda n, c: (n, c)))(name, content)
            if name is not None:
                new.writestr(name, content)
    return buffer.getvalue()


class Call:
    """Pickles as a call of anything."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


def drop(part):
    return lambda name, content: (None if name.endswith(part) else name, content)


def replace(part, new):
    return lambda name, content: (name, new if name.endswith(part) else content)


def nested(levels):
    value = ()
    for _ in range(levels):
        value = (value,)
    return value


def self_containing():
    value = []
    value.append(value)
    return value


def kinds():
    """(name, bytes, a part of the message)."""
    torch.manual_seed(0)
    state = {"w": torch.randn(4, 3), "b": torch.zeros(3)}
    whole, legacy = saved(state), saved(state, _use_new_zipfile_serialization=False)
    module = torch.nn.Sequential(torch.nn.Linear(2, 2))
    script = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.save(torch.jit.script(module), script)
        sparse = saved({"w": torch.eye(3).to_sparse()})
    namespace = argparse.Namespace(epochs=90)
    system = pickle.dumps(Call(os.system, "touch hostile-was-here"), 2)
    return [
        ("half", whole[: len(whole) // 2], "end record"),
        ("minus_one", whole[:-1], "end record"),
        ("legacy_half", legacy[: len(legacy) // 2], ""),
        ("legacy_minus_one", legacy[:-1], "download complete"),
        ("legacy_plus_one", legacy + b"x", "goes on"),
        ("junk_before", b"junk" + whole, "not a checkpoint"),
        ("junk_after", whole + b"junk", "end record"),
        ("text", b"import torch\n", "not a checkpoint"),
        ("html", b"<!DOCTYPE html>\n<html>", "web page"),
        ("whole_module", saved(module), "state_dict()"),
        ("whole_module_legacy", saved(module, _use_new_zipfile_serialization=False), "state_dict()"),
        ("torchscript", script.getvalue(), "TorchScript"),
        ("tensor", saved(torch.ones(2)), "a tensor, not a state dict"),
        ("list", saved([torch.ones(2)]), "a list, not a state dict"),
        ("wrapped_twice", saved({"model": state, "model_ema": state}), "'model', 'model_ema'"),
        ("wrapped_elsewhere", saved({"epoch": 1, "ema": state}), "'ema'"),
        ("wrapped_number", saved({"state_dict": 3, "w": state["w"]}), "'state_dict': an int"),
        ("wrapped_deeper", saved({"model": {"model": state}}), "'model': a dict"),
        ("wrapped_beside_object", saved({"model": state, "args": namespace}), "argparse.Namespace"),
        ("wrapped_beside_code", saved({"model": state, "x": Call(os.system, "touch hostile-was-here")}),
         "posix.system"),
        ("wrapped_beside_depth", saved({"model": state, "x": nested(100)}), "nested deeper"),
        ("number", saved({"epoch": 1}), "'epoch': an int"),
        ("text_value", saved({"arch": "resnet50"}), "'arch': a string"),
        ("integer_key", saved({1: torch.ones(2)}), "not a string"),
        ("sparse", sparse, "nothing was executed"),
        ("complex", saved({"w": torch.ones(2, dtype=torch.complex64)}), "ComplexFloatStorage"),
        ("conjugate", saved({"w": torch.ones(2, dtype=torch.complex64).conj()}), "Complex"),
        ("uint16", saved({"w": torch.ones(2, dtype=torch.uint16)}), "_rebuild_tensor_v3"),
        ("protocol_4", saved(state, pickle_protocol=4), "pickle protocol 4"),
        ("os_system", repacked(whole, pickle_bytes=system), "posix.system"),
        ("os_system_legacy", legacy[:137] + system, "posix.system"),
        ("bare_pickle", system, "not one that torch.save begins with"),
        ("eval", repacked(whole, pickle_bytes=pickle.dumps(Call(eval, "1"), 2)), "__builtin__.eval"),
        ("nested", repacked(whole, pickle_bytes=b"\x80\x02)" + b"\x85" * 1_000_000 + b"."), "nested"),
        ("cycle", repacked(whole, pickle_bytes=pickle.dumps(self_containing(), 2)), "into itself"),
        ("cycle_in_tuple", repacked(whole, pickle_bytes=b"\x80\x02]q\x00h\x00\x85a."), "already part"),
        ("no_stop", repacked(whole, pickle_bytes=b"\x80\x02}"), "ends in the middle"),
        ("deflated", repacked(whole, method=zipfile.ZIP_DEFLATED), "compressed"),
        ("bzip2", repacked(whole, method=zipfile.ZIP_BZIP2), "compressed"),
        ("no_data", repacked(whole, drop("data/0")), "no entry for storage '0'"),
        ("no_pickle", repacked(whole, drop("data.pkl")), "data.pkl"),
        ("no_version", repacked(whole, drop("version")), "version"),
        ("future_version", repacked(whole, replace("version", b"11\n")), "version '11'"),
        ("big_endian", repacked(whole, replace("byteorder", b"big")), "byte order 'big'"),
        ("short_storage", repacked(whole, replace("data/0", b"x")), "has 1 bytes"),
        ("traversal", repacked(whole, lambda n, c: ("../" + n, c)), "not a plain name"),
        ("absolute", repacked(whole, lambda n, c: ("/" + n, c)), "not a plain name"),
        ("safetensors_huge", struct.pack("<Q", 1 << 62) + b"{}", ""),
        ("safetensors_cut", struct.pack("<Q", 100) + b'{"w":', "download complete"),
        ("safetensors_deep", struct.pack("<Q", 90_006) + b'{"w":[' + b"[" * 90_000, "belongs"),
    ]


def test_every_kind_is_refused_clearly(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    cases = kinds()
    paths = []
    for name, data, _ in cases:
        paths.append(tmp_path / f"{name}.pth")
        paths[-1].write_bytes(data)
    for (name, _, part), answer in zip(cases, try_all(paths)):
        assert not answer["loaded"], name
        assert answer["kind"] in ("corrupt_file", "not_supported", "mismatch"), answer
        assert answer["offset"] is not None, answer
        assert part in answer["message"] and f"{name}.pth" in answer["message"], answer
        assert answer["message"].count("\n") < 2 and len(answer["message"]) < 500
        assert answer["seconds"] < SECONDS and answer["peak_mib"] < PEAK_MIB, answer
    assert not (tmp_path / "hostile-was-here").exists()


@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "legacy"])
def test_a_download_cut_anywhere_is_refused(zipped, tmp_path):
    data = saved(torch.nn.Linear(20, 20).state_dict(), _use_new_zipfile_serialization=zipped)
    paths = []
    for size in range(0, len(data), 13):
        paths.append(tmp_path / f"{size}.pth")
        paths[-1].write_bytes(data[:size])
    for answer in try_all(paths):
        assert not answer["loaded"] and answer["kind"] in ("corrupt_file", "not_supported"), answer


def test_only_regular_files_are_read(tmp_path):
    fifo, sparse = tmp_path / "fifo", tmp_path / "sparse"
    os.mkfifo(fifo)
    with open(sparse, "wb") as file:
        file.write(b"PK\3\4")
        file.truncate(1 << 40)
    answers = try_all([fifo, tmp_path, "/dev/zero", sparse, tmp_path / "missing"])
    kinds_of = [answer["kind"] for answer in answers]
    assert kinds_of == ["io", "io", "io", "not_supported", "not_found"]
    assert all(answer["seconds"] < SECONDS for answer in answers)
