# SPDX-License-Identifier: LGPL-2.1-or-later
"""One process of ours that preprocesses frames as torchvision's presets would."""

import struct
import subprocess

import numpy
import torch

from conftest import BUILD

PRESETS = [
    "ImageClassification",
    "SemanticSegmentation",
    "VideoClassification",
    "ObjectDetection",
    "OpticalFlow",
]
INTERPOLATION = {"nearest": 0, "bilinear": 1, "bicubic": 2}
MODES = {"exact": 0, "fast": 1}
RGB = 0
NV12 = 11


def sides(size):
    """One or two numbers as two."""
    size = list(size or [])
    return (size + [0, 0])[:2]


class Preprocess:
    def __init__(self):
        self.process = subprocess.Popen(
            [BUILD / "tests" / "support" / "preprocess_pipe"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )

    def __call__(self, image, preset):
        """Levels and floats of one picture, [3, H, W]."""
        levels, floats = self.frames(image[None], preset)
        return levels[0], floats

    def frames(self, images, preset, region=None, padding=0):
        """Levels [T, 3, h, w] and floats of pictures, [T, 3, H, W], whose rows have `padding` bytes
        behind them."""
        count, _, height, width = images.shape
        stride = 3 * width + padding
        rows = numpy.full((count, height, stride), 77, numpy.uint8)
        rows[:, :, : 3 * width] = images.permute(0, 2, 3, 1).reshape(count, height, -1).numpy()
        return self.ask(rows.tobytes(), preset, RGB, (width, height), [(stride, height)], count, region)

    def ask(self, data, preset, pixel_format, size, planes, count=1, region=None, mode="exact"):
        """`planes`: bytes and number of rows of each."""
        strides, rows = zip(*(planes + [(0, 0)] * (3 - len(planes))))
        self.process.stdin.write(
            struct.pack(
                "=23i4x6d",
                PRESETS.index(type(preset).__name__),
                MODES[mode],
                pixel_format,
                count,
                *size,
                len(planes),
                *strides,
                *rows,
                *(region or (0, 0, 0, 0)),
                *sides(getattr(preset, "crop_size", None)),
                *sides(getattr(preset, "resize_size", None)),
                INTERPOLATION[preset.interpolation.value] if hasattr(preset, "interpolation") else 0,
                bool(getattr(preset, "antialias", False)),
                *getattr(preset, "mean", [0, 0, 0]),
                *getattr(preset, "std", [1, 1, 1]),
            )
        )
        self.process.stdin.write(data)
        self.process.stdin.flush()
        height, width = numpy.frombuffer(self.process.stdout.read(8), numpy.int32)
        shape = (count, 3, int(height), int(width))
        levels = self.read(numpy.uint8, shape)
        floats = self.read(numpy.float32, shape)
        return levels, floats[0] if count == 1 else floats.reshape(3, count, height, width)

    def read(self, dtype, shape):
        size = int(numpy.prod(shape)) * numpy.dtype(dtype).itemsize
        return torch.from_numpy(numpy.frombuffer(bytearray(self.process.stdout.read(size)), dtype).reshape(shape))

    def close(self):
        self.process.stdin.close()
        assert self.process.wait(timeout=10) == 0
