#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Inputs for the fuzz targets to begin with: `seeds.py FOLDER` fills a folder for each target."""

import collections
import io
import json
import pathlib
import sys
import zipfile

import torch
from safetensors.torch import save as save_safetensors

TESTS = pathlib.Path(__file__).resolve().parents[1]
# No larger than what mutations keep small.
LARGEST = 4096


def saved(value, **keywords):
    buffer = io.BytesIO()
    torch.save(value, buffer, **keywords)
    return buffer.getvalue()


def quantized_tensors():
    real = torch.linspace(-1, 1, 6).reshape(2, 3)
    scales, zeros = torch.tensor([0.5, 0.25]), torch.tensor([0, 3])
    yield torch.quantize_per_tensor(real, 0.1, 10, torch.quint8)
    yield torch.quantize_per_tensor(real, 0.1, 0, torch.qint8)
    yield torch.quantize_per_tensor(real, 0.1, 0, torch.qint32)
    yield torch.quantize_per_channel(real, scales, zeros, 0, torch.qint8)
    yield torch.quantize_per_channel(real, scales.double(), zeros.int(), 0, torch.quint8)


def state_dicts():
    """What torch.save is given, by name."""
    torch.manual_seed(0)
    shared = torch.arange(12.0)
    network = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.BatchNorm1d(2))
    plain = {"w": torch.ones(2, 3), "b": torch.zeros(3)}
    yield "plain", plain
    yield "module", network.state_dict()
    yield "parameter", collections.OrderedDict(w=torch.nn.Parameter(torch.ones(2)))
    yield "shared", {"a": shared[2:8].reshape(2, 3), "b": shared.reshape(3, 4).t(), "c": shared}
    yield "expanded", {"w": torch.ones(1).expand(3, 4), "e": torch.zeros(0, 3)}
    dtypes = ("bool", "uint8", "int8", "int16", "int32", "int64", "float16", "bfloat16", "float64")
    for dtype in dtypes:
        yield dtype, {"w": torch.ones(3, dtype=getattr(torch, dtype)), "dtype": torch.qint8}
    for index, tensor in enumerate(quantized_tensors()):
        yield f"quantized{index}", {"w": tensor, "pair": (tensor, torch.ones(2)), "none": None}
    yield "packed", torch.ao.nn.quantized.Linear(2, 2).state_dict()
    optimizer = torch.optim.SGD(network.parameters(), 0.1).state_dict()
    yield "wrapped", {"model": plain, "epoch": 3, "optimizer": optimizer, "time": 1.5}
    yield "wrapped_twice", {"model": plain, "model_ema": plain}
    average = torch.optim.swa_utils.AveragedModel(torch.nn.Linear(1, 1))
    yield "average", average.state_dict()
    milestones = torch.optim.lr_scheduler.MultiStepLR(torch.optim.SGD(network.parameters()), [1])
    yield "scheduler", {"state_dict": plain, "scheduler": milestones.state_dict()}


def with_one_entry(data, method):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        archive.writestr("inner.pth", data)
    return buffer.getvalue()


def streamed(data):
    """The archive written to a pipe: sizes follow the entries, and all is ZIP64."""

    class Pipe(io.BytesIO):
        def seekable(self):
            return False

        def seek(self, *_):
            raise io.UnsupportedOperation

        def tell(self):
            raise io.UnsupportedOperation

    pipe = Pipe()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(pipe, "w") as new:
        for name in old.namelist():
            with new.open(name, "w", force_zip64=True) as entry:
                entry.write(old.read(name))
    return pipe.getvalue()


def pickle_of(archive):
    with zipfile.ZipFile(io.BytesIO(archive)) as entries:
        return entries.read(next(name for name in entries.namelist() if name.endswith("data.pkl")))


def sound():
    """(target, name, bytes) of files, nearly all of which load."""
    for name, value in state_dicts():
        archive = saved(value)
        yield "zip", name, archive
        yield "pickle", name, pickle_of(archive)
        yield "legacy", name, saved(value, _use_new_zipfile_serialization=False)
        tensors = {
            key: tensor.contiguous().clone()
            for key, tensor in value.items()
            if isinstance(tensor, torch.Tensor) and not tensor.is_quantized
        }
        yield "safetensors", name, save_safetensors(tensors, {"format": "pt"})
    inner = saved({"w": torch.ones(1)})
    yield "zip", "stored_inside", with_one_entry(inner, zipfile.ZIP_STORED)
    yield "zip", "deflated_inside", with_one_entry(inner, zipfile.ZIP_DEFLATED)
    legacy = saved({"w": torch.ones(1)}, _use_new_zipfile_serialization=False)
    yield "zip", "legacy_inside", with_one_entry(legacy, zipfile.ZIP_DEFLATED)
    yield "zip", "streamed", streamed(inner)
    yield "legacy", "tar", bytes(257) + b"ustar" + bytes(250)
    for form in range(3):
        yield "state_dict", str(form), bytes([form] * 8)
    yield from descriptors()


def descriptors():
    image = {"preset": "ImageClassification", "crop_size": 224, "resize_size": [256, 256]}
    meta = {
        "num_params": 1, "min_size": [1, 1], "categories": None, "recipe": "x", "license": "x",
        "_metrics": {"ImageNet-1K": {"acc@1": 76.1, "acc@5": None}}, "_ops": 4.1,
        "_file_size": 97.8, "_docs": "x",
    }
    ours = {"builder": "resnet50", "checkpoint": "best.pth", "sha256": "0123abcd"}
    two = {"arguments": {"num_classes": 2, "a": [1, 2], "b": [0.5, True], "c": None, "d": "x"}}
    yield "descriptor", "inline", ours | two | {"categories": ["cat", "dog"], "transforms": image}
    yield "descriptor", "file", ours | two | {"categories": "two.txt", "transforms": image}
    yield "descriptor", "meta", ours | {"transforms": image, "meta": meta, "strip_prefix": "m."}
    yield "descriptor", "url", {
        "builder": "r3d_18", "url": "https://host/a-0123abcd.pth", "state_dict_key": "model_ema",
        "transforms": {"preset": "VideoClassification", "crop_size": [1, 1], "resize_size": [1, 1]},
    }
    yield "descriptor", "segmentation", ours | {
        "transforms": {
            "preset": "SemanticSegmentation", "resize_size": None, "mean": [0, 0, 0],
            "std": [1, 1, 1], "interpolation": "nearest", "antialias": True,
        },
    }
    yield "descriptor", "flow", ours | {"transforms": {"preset": "OpticalFlow"}}


def malformed():
    """(name, bytes) of files that most often are refused; the target follows from the bytes."""
    sys.path.insert(0, str(TESTS / "hostile"))
    from corpus import rows

    return [(row.name, row.data) for row in rows()]


def target_of(data):
    if data.startswith(b"PK"):
        return "zip"
    if data[8:9] == b"{":
        return "safetensors"
    return "legacy"


def inputs():
    for target, name, data in sound():
        yield target, name, json.dumps(data).encode() if isinstance(data, dict) else data
    for name, data in malformed():
        target = target_of(data)
        yield target, name, data
        try:
            yield "pickle", name, pickle_of(data)
        except Exception:  # Python's reader of damaged zips throws what it likes
            continue


def main():
    folder = pathlib.Path(sys.argv[1])
    for target, name, data in inputs():
        (folder / target).mkdir(parents=True, exist_ok=True)
        if len(data) <= LARGEST:
            (folder / target / name).write_bytes(data)


if __name__ == "__main__":
    main()
