# SPDX-License-Identifier: LGPL-2.1-or-later
"""State dicts of every kind of value. Run as a program by any PyTorch since 1.13, it writes them into
the folder that it is given, in both containers."""

import collections
import pathlib
import sys

import torch

CONTAINERS = {"zip": True, "legacy": False}


def plain_dtypes():
    names = "float32 float16 bfloat16 float64 int64 int32 int16 int8 uint8 bool".split()
    return {n: (torch.arange(-3, 9) * 11).to(getattr(torch, n)).reshape(3, 4) for n in names}


def views():
    base = torch.arange(60.0).reshape(3, 4, 5)
    other = torch.randn(7)
    return {
        "base": base,
        "transposed": base.transpose(0, 2),
        "sliced": base[1:, ::2, 1:4],
        "channels_last": torch.randn(2, 3, 4, 5).to(memory_format=torch.channels_last),
        "expanded": torch.randn(3, 1).expand(3, 1000),
        "diagonal": torch.randn(4, 4).diagonal(),
        "other": other,
        "other_again": other,
        "empty": torch.empty(0, 3),
        "scalar": torch.tensor(3.5),
        "one": torch.ones(1),
    }


def quantized():
    x = torch.randn(4, 3, 2)
    scales, zeros = torch.rand(3, dtype=torch.float64) + 0.1, torch.tensor([0, 1, -2])
    weight = torch.quantize_per_channel(x, scales, zeros, 1, torch.qint8)
    return {
        "qint8": torch.quantize_per_tensor(x, 0.1, -3, torch.qint8),
        "quint8": torch.quantize_per_tensor(x, 0.25, 130, torch.quint8),
        "qint32": torch.quantize_per_tensor(x, 1e-5, 0, torch.qint32),
        "per_channel": weight,
        "sliced": torch.quantize_per_tensor(x, 0.1, 0, torch.qint8)[1:, 1:],
        "_packed_params": (weight, torch.randn(4)),
        "without_bias": (weight, None),
        "dtype": torch.qint8,
        "absent": None,
    }


def tied_module():
    module = torch.nn.Sequential(torch.nn.Linear(3, 3), torch.nn.BatchNorm1d(3), torch.nn.Linear(3, 3))
    module[2].weight = module[0].weight
    return module


def module_with_metadata():
    state_dict = tied_module().state_dict()
    assert hasattr(state_dict, "_metadata")
    return state_dict


def module_without_metadata():
    return dict(tied_module().state_dict())


def module_parameters():
    return tied_module().state_dict(keep_vars=True)


def named_parameters():
    return collections.OrderedDict(tied_module().named_parameters())


MAKERS = [
    plain_dtypes, views, quantized, dict,
    module_with_metadata, module_without_metadata, module_parameters, named_parameters,
]  # fmt: skip


if __name__ == "__main__":
    folder = pathlib.Path(sys.argv[1])
    torch.manual_seed(0)
    for make in MAKERS:
        for container, is_zip in CONTAINERS.items():
            path = folder / f"{make.__name__}.{container}"
            torch.save(make(), path, _use_new_zipfile_serialization=is_zip)
