# SPDX-License-Identifier: LGPL-2.1-or-later
"""The program, and tensors in safetensors files, for machines that have torch and nothing else."""

import json
import pathlib
import struct
import subprocess

import torch

NAMES = {torch.float32: "F32", torch.float16: "F16", torch.int64: "I64"}
TYPES = {name: dtype for dtype, name in NAMES.items()}


def save(path, tensors):
    header, blobs, end = {}, [], 0
    for name, tensor in tensors.items():
        blob = tensor.contiguous().cpu().view(-1).view(torch.uint8).numpy().tobytes()
        header[name] = {
            "dtype": NAMES[tensor.dtype],
            "shape": list(tensor.shape),
            "data_offsets": [end, end + len(blob)],
        }
        blobs.append(blob)
        end += len(blob)
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + b"".join(blobs))


def load(path):
    data = path.read_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    body = bytearray(data[8 + length :])
    tensors = {}
    for name, entry in json.loads(data[8 : 8 + length]).items():
        if name == "__metadata__":
            continue
        begin, end = entry["data_offsets"]
        tensor = torch.frombuffer(body[begin:end], dtype=TYPES[entry["dtype"]])
        tensors[name] = tensor.reshape(entry["shape"])
    return tensors


class Program:
    def __init__(self, build):
        self.path = pathlib.Path(build) / "cli" / "tvw"
        self.folder = pathlib.Path(build) / "gpu"
        self.folder.mkdir(exist_ok=True)

    def __call__(self, *arguments):
        """What it prints. An exception with its own words where it fails."""
        command = [str(part) for part in (self.path, *arguments)]
        result = subprocess.run(command, capture_output=True, text=True)
        if result.returncode:
            raise RuntimeError(result.stderr.strip() or f"{command} ended with {result.returncode}")
        return result.stdout

    def run(self, builder, image, *arguments):
        """The main output of a network for an image, in float64."""
        source, target = self.folder / "input.safetensors", self.folder / "output.safetensors"
        save(source, {"input": image})
        self("run", builder, "--input", source, "--output", target, *arguments)
        return load(target)["output"].double()

    def milliseconds(self, builder, *arguments):
        return json.loads(self("bench", builder, "--json", *arguments))["median_ms"]
