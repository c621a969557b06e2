# SPDX-License-Identifier: LGPL-2.1-or-later
"""Preprocessing against torchvision's presets: every configuration, many sizes, real files."""

import dataclasses
import os
import random

import numpy
import pytest
import safetensors.torch
import torch
import torchvision
from PIL import Image
from torchvision.transforms import functional
from torchvision.transforms._presets import (
    ImageClassification,
    ObjectDetection,
    OpticalFlow,
    SemanticSegmentation,
    VideoClassification,
)

from conftest import LONG
from preprocess_pipe import NV12, Preprocess

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


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    """As the Preprocessor; the number is the process's, and other tests have their own."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


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


@pytest.fixture(scope="module")
def preprocess():
    process = Preprocess()
    yield process
    process.close()


@pytest.fixture(scope="module")
def chance():
    seed = int(os.environ.get("TVW_SEED", 0)) or random.SystemRandom().randrange(1, 2**31)
    print(f"TVW_SEED={seed}")
    return random.Random(seed)


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


def resized(image, preset):
    """The 8-bit stage of any preset, of [..., 3, H, W]."""
    if getattr(preset, "resize_size", None) is not None:
        image = functional.resize(
            image, preset.resize_size, preset.interpolation, antialias=not is_plain(preset)
        )
    if hasattr(preset, "crop_size"):
        image = functional.center_crop(image, preset.crop_size)
    return image


def other_preset(kind, chance):
    """A preset with random parameters, those that published checkpoints have among them."""
    modes = [functional.InterpolationMode(mode) for mode in ("bilinear", "bicubic")]
    if kind is ObjectDetection or kind is OpticalFlow:
        return kind()
    if kind is SemanticSegmentation:
        size = chance.choice([None, 520, chance.randint(8, 300)])
        if size is None:
            return kind(resize_size=None)
        return kind(
            resize_size=size, interpolation=chance.choice(modes), antialias=chance.random() < 0.5
        )
    crop, resize = chance.choice(
        [
            ((112, 112), (128, 171)),
            ((224, 224), (256, 256)),
            ((224, 224), (256,)),
            ((chance.randint(5, 60), chance.randint(5, 60)), (chance.randint(5, 99),)),
        ]
    )
    if kind is VideoClassification:
        return kind(crop_size=crop, resize_size=resize, interpolation=chance.choice(modes))
    return ImageClassification(
        crop_size=crop[0],
        resize_size=resize[0],
        interpolation=chance.choice(modes),
        antialias=chance.random() < 0.5,
    )


def is_plain(preset):
    """Whether it resizes without antialias; VideoClassification has none."""
    return getattr(preset, "resize_size", None) is not None and not getattr(preset, "antialias", False)


def noise(chance, *shape):
    generator = torch.Generator().manual_seed(chance.randrange(2**31))
    return torch.randint(0, 256, shape, dtype=torch.uint8, generator=generator)


def random_region(chance, width, height):
    if chance.random() < 0.4:
        return None
    x, y = chance.randrange(width), chance.randrange(height)
    return x, y, chance.randint(1, width - x), chance.randint(1, height - y)


PRESETS = [
    ImageClassification,
    SemanticSegmentation,
    VideoClassification,
    ObjectDetection,
    OpticalFlow,
]


@pytest.mark.parametrize("kind", PRESETS)
def test_random_sizes_strides_and_regions_equal_torchvision(preprocess, chance, kind):
    exact, plain = Difference(), Difference()
    for _ in range(60):
        preset = other_preset(kind, chance)
        result = plain if is_plain(preset) else exact
        frames = {VideoClassification: chance.randint(1, 4), OpticalFlow: 2}.get(kind, 1)
        height, width = chance.randint(1, 240), chance.randint(1, 320)
        images = noise(chance, frames, 3, height, width)
        region = random_region(chance, width, height)
        x, y, w, h = region or (0, 0, width, height)
        cropped = images[..., y : y + h, x : x + w]
        levels = resized(cropped, preset)
        padding = chance.choice([0, 1, 7, 64])
        if kind is OpticalFlow:  # each frame of a pair is one of its own
            for image, stage, floats in zip(images, levels, preset(*cropped)):
                ours = preprocess.frames(image[None], preset, region=region, padding=padding)
                result.add((ours[0][0], ours[1]), (stage, floats))
            continue
        floats = preset(cropped) if kind is VideoClassification else preset(cropped[0])
        ours = preprocess.frames(images, preset, region=region, padding=padding)
        if kind is VideoClassification:
            # Levels are in the order of the frames, floats have the channels first.
            result.add((ours[0].transpose(0, 1), ours[1].view_as(floats)), (levels.transpose(0, 1), floats))
        else:
            result.add((ours[0][0], ours[1]), (levels[0], floats))
    exact.check(equal=0.99999)
    # Close, not equal: LibTorch has several kernels for them. Few sources that become large pictures
    # repeat what differs.
    plain.check(equal=0.999)


def doubled(plane, axis, size):
    """Twice as many samples along an axis, linear between those around them, that lie centred."""
    positions = ((torch.arange(size, dtype=torch.float64) + 0.5) / 2 - 0.5).clamp(0, plane.shape[axis] - 1)
    first = positions.floor().long()
    second = (first + 1).clamp(max=plane.shape[axis] - 1)
    shape = [1, 1]
    shape[axis] = size
    weight = (positions - first).reshape(shape)
    return plane.index_select(axis, first) * (1 - weight) + plane.index_select(axis, second) * weight


def rgb_of(luma, blue, red):
    """BT.601 of limited range in double precision, rounded once."""
    height, width = luma.shape
    y = (luma.double() - 16) / 219
    pb, pr = (
        doubled(doubled(plane.double(), 0, height), 1, width).sub(128).div(224) for plane in (blue, red)
    )
    r, b = y + 1.402 * pr, y + 1.772 * pb
    g = (y - 0.299 * r - 0.114 * b) / 0.587
    return torch.stack([r, g, b]).mul(255).round().clamp(0, 255).to(torch.uint8)


def test_nv12_equals_converting_to_rgb_first(preprocess, chance):
    result = Difference()
    for _ in range(60):
        height, width = chance.randint(1, 240), chance.randint(1, 320)
        rows, columns = (height + 1) // 2, (width + 1) // 2
        luma, chroma = noise(chance, height, width), noise(chance, rows, columns, 2)
        preset = other_preset(ImageClassification, chance)
        region = random_region(chance, width, height)
        x, y, w, h = region or (0, 0, width, height)
        rgb = rgb_of(luma, chroma[..., 0], chroma[..., 1])[:, y : y + h, x : x + w]
        planes = [(width, height), (2 * columns, rows)]
        data = luma.numpy().tobytes() + chroma.numpy().tobytes()
        levels, floats = preprocess.ask(data, preset, NV12, (width, height), planes, region=region)
        result.add((levels[0], floats), (resized(rgb, preset), preset(rgb)))
    # Fixed point and double precision round 1 of 10,000 pixels differently before the resize.
    result.check(equal=0.999)


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


WEIGHTS = "ResNet50_Weights.IMAGENET1K_V2"


def write_picture(path, mode, **options):
    """A picture of smooth colours, so that a lossy file is still close."""
    rows, columns = numpy.mgrid[0:211, 0:317].astype(numpy.float64)
    red = 127 + 120 * numpy.sin(rows / 23 + columns / 41)
    green = 127 + 120 * numpy.cos(rows / 37 - columns / 29)
    blue = 255 * columns / 316
    alpha = 255 * rows / 210
    rgba = numpy.stack([red, green, blue, alpha], axis=-1).astype(numpy.uint8)
    Image.fromarray(rgba, "RGBA").convert(mode).save(path, **options)


def preprocess_file(tvw, tmp_path, file):
    output = tmp_path / "out.safetensors"
    report = tvw.json("preprocess", "--weights", WEIGHTS, "--output", output, file)
    assert report == {"name": "input", "dtype": "float32", "shape": [1, 3, 224, 224]}
    return safetensors.torch.load_file(output)["input"]


def expected_file(file):
    image = torchvision.io.decode_image(str(file), mode=torchvision.io.ImageReadMode.RGB)
    return torchvision.models.get_weight(WEIGHTS).transforms()(image).unsqueeze(0)


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "LA", "P", "1"])
def test_png_files_equal_torchvision(tvw, tmp_path, mode):
    write_picture(tmp_path / "picture.png", mode)
    ours = preprocess_file(tvw, tmp_path, tmp_path / "picture.png")
    assert (ours - expected_file(tmp_path / "picture.png")).abs().max() <= 1e-6


def test_a_broken_colour_profile_is_ignored_without_a_word(tvw, tmp_path):
    file = tmp_path / "picture.png"
    write_picture(file, "RGB", icc_profile=b"broken")
    assert b"iCCP" in file.read_bytes()
    output = tmp_path / "out.safetensors"
    assert tvw("preprocess", "--weights", WEIGHTS, "--output", output, file).stderr == ""
    ours = safetensors.torch.load_file(output)["input"]
    assert (ours - expected_file(file)).abs().max() <= 1e-6


@pytest.mark.parametrize("mode", ["RGB", "L"])
@pytest.mark.parametrize("subsampling", [0, 2])
def test_jpeg_files_equal_torchvision_but_for_the_decoder(tvw, tmp_path, mode, subsampling):
    write_picture(tmp_path / "picture.jpg", mode, quality=90, subsampling=subsampling)
    ours = preprocess_file(tvw, tmp_path, tmp_path / "picture.jpg")
    levels = (ours - expected_file(tmp_path / "picture.jpg")).abs() * 0.229 * 255
    assert levels.max() <= 3.5
    assert levels.mean() <= 0.5


def test_orientation_in_a_jpeg_is_left_alone_as_in_torchvision(tvw, tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # a quarter turn
    write_picture(tmp_path / "turned.jpg", "RGB", quality=95, exif=exif)
    write_picture(tmp_path / "plain.jpg", "RGB", quality=95)
    turned = preprocess_file(tvw, tmp_path, tmp_path / "turned.jpg")
    assert torch.equal(turned, preprocess_file(tvw, tmp_path, tmp_path / "plain.jpg"))


def test_what_is_no_picture_is_named(tvw, tmp_path):
    arguments = ["preprocess", "--weights", WEIGHTS, "--output", tmp_path / "out.safetensors"]
    (tmp_path / "text.png").write_text("no picture")
    for name, kind in {"missing.png": "not_found", "text.png": "corrupt_file"}.items():
        error = tvw.error(*arguments, tmp_path / name)
        assert error["kind"] == kind
        assert name in error["message"]
    error = tvw.error(*arguments[:2], "R3D_18_Weights.DEFAULT", *arguments[3:], "any.png")
    assert error["kind"] == "not_supported"
    assert "VideoClassification" in error["message"]
