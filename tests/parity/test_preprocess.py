# SPDX-License-Identifier: LGPL-2.1-or-later
"""Preprocessing against torchvision's presets: every configuration, many sizes, real files."""

import dataclasses
import struct
import subprocess

import numpy
import pytest
import torch
import torchvision
from torchvision.transforms import functional
from torchvision.transforms._presets import ImageClassification

from conftest import BUILD, LONG

torch.set_num_threads(1)

# Height, width: tiny, odd, square, tall, wide, the presets' own sizes, smaller than every crop.
SIZES = [
    (1, 1), (1, 2), (2, 1), (3, 2), (1, 7), (9, 1), (5, 5), (7, 3), (16, 16), (31, 17),
    (40, 200), (200, 40), (64, 65), (96, 96), (99, 101), (112, 300), (128, 96), (150, 150),
    (199, 211), (223, 225), (224, 224), (225, 224), (230, 307), (232, 232), (232, 309), (240, 256),
    (255, 340), (256, 256), (257, 256), (288, 288), (299, 401), (320, 200), (333, 517), (340, 341),
    (384, 384), (401, 299), (448, 448), (456, 457), (480, 640), (512, 384), (517, 606), (600, 121),
    (127, 640), (696, 464),
]  # fmt: skip
LONG_SIZES = [(1080, 1920), (1920, 1080), (1999, 1333), (24, 3000), (2160, 3840)]


def presets():
    """The distinct ImageClassification configurations of all checkpoints."""
    distinct = {}
    for name in torchvision.models.list_models():
        for weights in torchvision.models.get_model_weights(name):
            preset = weights.transforms()
            if isinstance(preset, ImageClassification):
                distinct.setdefault((repr(preset), preset.antialias), preset)
    return list(distinct.values())


def picture(size):
    """Noise, so that neighbours differ; its lower half black and white, so that bicubic overshoots."""
    generator = torch.Generator().manual_seed(size[0] * 10007 + size[1])
    image = torch.randint(0, 256, (3, *size), dtype=torch.uint8, generator=generator)
    half = size[0] // 2
    image[:, half:] = torch.where(image[:, half:] < 128, 0, 255).to(torch.uint8)
    return image


class Preprocess:
    """One process of ours that answers as torchvision's preset would."""

    MODES = {"nearest": 0, "bilinear": 1, "bicubic": 2}

    def __init__(self):
        self.process = subprocess.Popen(
            [BUILD / "tests" / "support" / "preprocess_pipe"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )

    def __call__(self, image, preset):
        crop = preset.crop_size[0]
        self.process.stdin.write(
            struct.pack(
                "=6i6d",
                image.shape[2],
                image.shape[1],
                crop,
                preset.resize_size[0],
                self.MODES[preset.interpolation.value],
                preset.antialias,
                *preset.mean,
                *preset.std,
            )
        )
        self.process.stdin.write(image.permute(1, 2, 0).contiguous().numpy().tobytes())
        self.process.stdin.flush()
        return self.read(numpy.uint8, crop), self.read(numpy.float32, crop)

    def read(self, dtype, crop):
        count = 3 * crop * crop
        data = self.process.stdout.read(count * numpy.dtype(dtype).itemsize)
        return torch.from_numpy(numpy.frombuffer(bytearray(data), dtype).reshape(3, crop, crop))

    def close(self):
        self.process.stdin.close()
        assert self.process.wait(timeout=10) == 0


@pytest.fixture(scope="module")
def preprocess():
    process = Preprocess()
    yield process
    process.close()


def expected(image, preset):
    """The preset's 8-bit stage and its result."""
    levels = functional.resize(
        image, preset.resize_size, interpolation=preset.interpolation, antialias=preset.antialias
    )
    return functional.center_crop(levels, preset.crop_size), preset(image)


@dataclasses.dataclass
class Difference:
    values: int = 0
    unequal: int = 0
    levels: int = 0  # the largest
    floats: float = 0.0  # the largest where the levels are equal

    def add(self, ours, theirs):
        (levels, floats), (their_levels, their_floats) = ours, theirs
        distance = (levels.int() - their_levels.int()).abs()
        self.values += distance.numel()
        self.unequal += int((distance > 0).sum())
        self.levels = max(self.levels, int(distance.max()))
        error = (floats - their_floats).abs()[distance == 0]
        self.floats = max(self.floats, float(error.max()) if error.numel() else 0.0)

    def check(self, equal):
        assert self.levels <= 1, self
        assert self.unequal <= (1 - equal) * self.values, self
        assert self.floats <= 1e-6, self


def difference(preprocess, preset, sizes):
    result = Difference()
    for size in sizes:
        image = picture(size)
        result.add(preprocess(image, preset), expected(image, preset))
    return result


def test_there_are_28_configurations_and_enough_sizes():
    assert len(presets()) == 28
    assert len(set(SIZES)) >= 40


@pytest.mark.parametrize("preset", presets(), ids=lambda p: repr(p).replace("\n    ", " "))
def test_every_configuration_equals_torchvision(preprocess, preset):
    difference(preprocess, preset, SIZES + (LONG_SIZES if LONG else [])).check(equal=0.99999)


@pytest.mark.parametrize("mode", ["nearest", "bilinear", "bicubic"])
def test_without_antialias_it_equals_torchvision(preprocess, mode):
    preset = ImageClassification(
        crop_size=224,
        resize_size=232,
        antialias=False,
        interpolation=functional.InterpolationMode(mode),
    )
    difference(preprocess, preset, SIZES).check(equal=0.9999)


def test_the_comparison_can_fail(preprocess):
    """Another filter, and another size by one pixel, are told apart."""
    preset = ImageClassification(crop_size=224, resize_size=232)
    image = picture((333, 517))
    for other in (
        ImageClassification(crop_size=224, resize_size=232, antialias=False),
        ImageClassification(crop_size=224, resize_size=233),
    ):
        result = Difference()
        result.add(preprocess(image, other), expected(image, preset))
        with pytest.raises(AssertionError):
            result.check(equal=0.99999)
