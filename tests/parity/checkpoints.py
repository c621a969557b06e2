# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the checkpoint reader made of a file, for comparison with what Python put in."""

import json
import subprocess

import torch

from conftest import BUILD

DUMP = (BUILD / "tests" / "support" / "dump_checkpoint").resolve()


def read(path, folder):
    """The reader's description of a checkpoint, and the bytes of all tensors."""
    description, data = folder / "dump.json", folder / "dump.bin"
    subprocess.run([DUMP, path, description, data], check=True, timeout=60)
    return json.loads(description.read_text()), data.read_bytes()


def try_all(paths):
    """One answer per file, all from one process; an error is an answer, a crash is not."""
    result = subprocess.run([DUMP, "--try", *paths], capture_output=True, text=True, timeout=600)
    assert result.returncode == 0, result.stderr
    answers = [json.loads(line) for line in result.stdout.splitlines()]
    assert len(answers) == len(paths)
    return answers


def raw_bytes(tensor):
    packed = tensor.detach().contiguous()
    if packed.is_quantized:
        packed = packed.int_repr()
    return packed.reshape(-1).view(torch.uint8).numpy().tobytes()


def assert_tensor(mine, data, tensor):
    assert mine["dtype"] == str(tensor.dtype).removeprefix("torch.")
    assert mine["shape"] == list(tensor.shape)
    assert mine["strides"] == list(tensor.stride())
    assert mine["offset"] == tensor.storage_offset()
    begin, end = mine["bytes"]
    assert data[begin:end] == raw_bytes(tensor)
    assert ("quantization" in mine) == tensor.is_quantized
    if not tensor.is_quantized:
        return
    quantization = mine["quantization"]
    if tensor.qscheme() == torch.per_tensor_affine:
        assert not quantization["per_channel"]
        assert quantization["scales"] == [tensor.q_scale()]
        assert quantization["zero_points"] == [tensor.q_zero_point()]
    else:
        assert quantization["per_channel"]
        assert quantization["axis"] == tensor.q_per_channel_axis()
        assert quantization["scales"] == tensor.q_per_channel_scales().tolist()
        assert quantization["zero_points"] == tensor.q_per_channel_zero_points().tolist()


def flat(value):
    """The tensors of a state dict's value: none of None or a dtype, two of a pair."""
    if isinstance(value, torch.Tensor):
        return [value]
    return [v for v in value if v is not None] if isinstance(value, tuple) else []


def assert_equal(path, folder, state_dict):
    """The reader gives the same keys in the same order, the same bytes, the same sharing."""
    description, data = read(path, folder)
    entries = description["entries"]
    expected = {key: value for key, value in state_dict.items() if value is not None}
    assert [key for key, _ in entries] == list(expected)
    shared = {}
    for (key, mine), value in zip(entries, expected.values()):
        if isinstance(value, torch.dtype):
            assert mine == str(value).removeprefix("torch.")
            continue
        mine = [mine] if isinstance(value, torch.Tensor) else mine
        tensors = flat(value)
        assert len(mine) == len(tensors), key
        for one, tensor in zip(mine, tensors):
            assert_tensor(one, data, tensor)
            if tensor.numel():
                shared.setdefault(tensor.untyped_storage().data_ptr(), set()).add(one["storage"])
    # One storage there is one here, and two are two.
    assert all(len(ids) == 1 for ids in shared.values())
    assert len(set.union(*shared.values(), set())) == len(shared)
    return description
