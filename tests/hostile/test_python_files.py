# SPDX-License-Identifier: LGPL-2.1-or-later
"""What Python and PyTorch really write and no state dict is made of, as the corpus has it by hand."""

import argparse
import io
import os
import pickle
import warnings
import zipfile

import pytest
import torch

from checkpoints import try_all

STATE = {"w": torch.ones(4, 3), "b": torch.zeros(3)}
MODULE = torch.nn.Sequential(torch.nn.Linear(2, 2))


def saved(value, **keywords):
    buffer = io.BytesIO()
    torch.save(value, buffer, **keywords)
    return buffer.getvalue()


def script():
    buffer = io.BytesIO()
    torch.jit.save(torch.jit.script(MODULE), buffer)
    return buffer.getvalue()


def packed_again(change=lambda name, content: (name, content), method=zipfile.ZIP_STORED):
    """A checkpoint repacked by another program, with other contents."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(saved(STATE))) as old, zipfile.ZipFile(buffer, "w", method) as new:
        for name in old.namelist():
            new.writestr(*change(name, old.read(name)))
    return buffer.getvalue()


class Call:
    """Pickles as a call of anything."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


def calling(function, *arguments):
    data = pickle.dumps(Call(function, *arguments), 2)
    return packed_again(lambda name, old: (name, data if name.endswith("data.pkl") else old))


def self_containing():
    value = []
    value.append(value)
    return value


SYSTEM = (os.system, "touch hostile-was-here")
NAMESPACE = argparse.Namespace(epochs=90)
LEGACY = {"_use_new_zipfile_serialization": False}
COMPLEX = torch.ones(2, dtype=torch.complex64)

# Name: (bytes, a part of the message).
FILES = {
    "whole_module": (lambda: saved(MODULE), "state_dict()"),
    "whole_module_legacy": (lambda: saved(MODULE, **LEGACY), "state_dict()"),
    "torchscript": (script, "TorchScript"),
    "tensor": (lambda: saved(torch.ones(2)), "a tensor, not a state dict"),
    "integer_key": (lambda: saved({1: torch.ones(2)}), "not a string"),
    "cycle": (lambda: saved({"w": self_containing()}), "into itself"),
    "object_beside": (lambda: saved({"model": STATE, "args": NAMESPACE}), "argparse.Namespace"),
    "code_beside": (lambda: saved({"model": STATE, "x": Call(*SYSTEM)}), "posix.system"),
    "code_beside_legacy": (lambda: saved({"model": STATE, "x": Call(*SYSTEM)}, **LEGACY), "posix.system"),
    "code": (lambda: calling(*SYSTEM), "posix.system"),
    "eval": (lambda: calling(eval, "1"), "__builtin__.eval"),
    "bare_pickle": (lambda: pickle.dumps(Call(*SYSTEM), 2), "not one that torch.save begins with"),
    "sparse": (lambda: saved({"w": torch.eye(3).to_sparse()}), "nothing was executed"),
    "complex": (lambda: saved({"w": COMPLEX}), "ComplexFloatStorage"),
    "conjugate": (lambda: saved({"w": COMPLEX.conj()}), "Complex"),
    "uint16": (lambda: saved({"w": torch.ones(2, dtype=torch.uint16)}), "_rebuild_tensor_v3"),
    "protocol_4": (lambda: saved(STATE, pickle_protocol=4), "pickle protocol 4"),
    "deflated": (lambda: packed_again(method=zipfile.ZIP_DEFLATED), "compressed (method 8)"),
    "bzip2": (lambda: packed_again(method=zipfile.ZIP_BZIP2), "compressed (method 12)"),
    "moved": (lambda: packed_again(lambda name, old: ("../" + name, old)), "not a plain name"),
}


@pytest.fixture(scope="module")
def answers(tmp_path_factory):
    folder = tmp_path_factory.mktemp("python")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name, (make, _) in FILES.items():
            (folder / f"{name}.pth").write_bytes(make())
    before = os.getcwd()
    os.chdir(folder)
    try:
        yield dict(zip(FILES, try_all([folder / f"{name}.pth" for name in FILES])))
        assert not (folder / "hostile-was-here").exists()
    finally:
        os.chdir(before)


@pytest.mark.parametrize("name", FILES)
def test_file(name, answers):
    answer = answers[name]
    assert not answer["loaded"] and FILES[name][1] in answer["message"], answer
    assert answer["kind"] in ("corrupt_file", "not_supported") and answer["offset"] is not None


def test_a_checkpoint_repacked_without_changes_loads(tmp_path):
    (tmp_path / "again.pth").write_bytes(packed_again())
    [answer] = try_all([tmp_path / "again.pth"])
    assert answer["loaded"], answer
