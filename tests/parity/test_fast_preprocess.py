# SPDX-License-Identifier: LGPL-2.1-or-later
"""preprocess=fast on real pictures: how far it is from exact, and how many labels it changes."""

import os
import random
import subprocess

import numpy
import pytest
from PIL import Image
from torchvision.transforms._presets import ImageClassification

from conftest import BUILD, LONG, ROOT
from preprocess_pipe import NV12, Preprocess

MATERIAL = ROOT / ".deps" / "demo"
WEIGHTS = ROOT / "examples" / "efficientnet_lite0.json"
PICTURES = ["astronaut.png", "chelsea.png", "coffee.png", "motorcycle_left.png", "rocket.jpg", "china.jpg", "flower.jpg"]  # fmt: skip
CROPS = 2000 if LONG else 140
ENLARGED = 3  # to what cameras give
LEAST_SIDE = 640  # 2.5 times what they become, from where on fast differs

pytestmark = pytest.mark.skipif(
    not all((MATERIAL / name).exists() for name in PICTURES), reason="tests/run.sh fetches the pictures"
)


def nv12(name):
    """Width, height and bytes of a picture, BT.601 of limited range, chroma centred."""
    picture = Image.open(MATERIAL / name).convert("RGB")
    width, height = (ENLARGED * side // 2 * 2 for side in picture.size)
    picture = picture.resize((width, height), Image.Resampling.LANCZOS)
    rgb = numpy.asarray(picture, numpy.float64) / 255
    luma = rgb @ [0.299, 0.587, 0.114]
    blue = (rgb[..., 2] - luma) / 1.772
    red = (rgb[..., 0] - luma) / 1.402
    chroma = numpy.stack([blue, red], axis=-1).reshape(height // 2, 2, width // 2, 2, 2).mean(axis=(1, 3))
    planes = [16 + 219 * luma, 128 + 224 * chroma.reshape(height // 2, width)]
    return width, height, b"".join(numpy.rint(plane).astype(numpy.uint8).tobytes() for plane in planes)


@pytest.fixture(scope="module")
def crops():
    """(picture, region) as often as asked for."""
    seed = int(os.environ.get("TVW_SEED", 0)) or random.SystemRandom().randrange(1, 2**31)
    print(f"TVW_SEED={seed}")
    chance = random.Random(seed)
    pictures = {name: nv12(name) for name in PICTURES}

    def draw(count):
        for i in range(count):
            width, height, data = pictures[PICTURES[i * len(PICTURES) // count]]
            w, h = chance.randint(LEAST_SIDE, width), chance.randint(LEAST_SIDE, height)
            yield (width, height, data), (chance.randint(0, width - w), chance.randint(0, height - h), w, h)

    return draw


def test_as_many_labels_change_as_is_said(crops):
    process = subprocess.Popen(
        [BUILD / "tests" / "support" / "classify_regions", WEIGHTS], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    shown, changed, classes = None, 0, set()
    for picture, region in crops(CROPS):
        if picture is not shown:
            width, height, data = shown = picture
            process.stdin.write(b"frame %d %d\n" % (width, height) + data)
        process.stdin.write(b"region %d %d %d %d\n" % region)
        process.stdin.flush()
        exact, fast = process.stdout.readline().split()
        changed += exact != fast
        classes.add(exact)
    process.stdin.close()
    assert process.wait() == 0
    print(f"{changed} of {CROPS} labels changed, {len(classes)} classes")
    assert len(classes) >= 10
    assert changed <= max(0.005 * CROPS, 2)


def test_levels_stay_close(crops):
    process = Preprocess()
    total, count, most = 0.0, 0, 0
    for picture, region in crops(CROPS // 7):
        width, height, data = picture
        planes = [(width, height), (width, height // 2)]
        preset = ImageClassification(crop_size=224)
        exact, fast = (
            process.ask(data, preset, NV12, (width, height), planes, region=region, mode=mode)[0].int()
            for mode in ("exact", "fast")
        )
        difference = (exact - fast).abs()
        total += float(difference.sum())
        count += difference.numel()
        most = max(most, int(difference.max()))
    process.close()
    print(f"{total / count:.3f} levels on average, {most} at most")
    assert most <= 1
    assert total / count <= 0.02
