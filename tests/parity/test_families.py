# SPDX-License-Identifier: LGPL-2.1-or-later
"""One network of every family in a video pipeline, from a checkpoint that torch.save wrote."""

import inspect
import json
import subprocess

import oracle
import pytest
import torch
import torchvision
from PIL import Image
from torchvision import models

FRAMES = 2


def smallest_of_each_family():
    """By the source that torchvision keeps the builder in: the fewest parameters."""
    families = {}
    for builder in models.list_models(module=models):
        family = inspect.getmodule(models.get_model_builder(builder)).__name__.rpartition(".")[2]
        params = models.get_model_weights(builder).DEFAULT.meta["num_params"]
        families.setdefault(family, []).append((params, builder))
    return {family: min(members)[1] for family, members in families.items()}


FAMILIES = smallest_of_each_family()


@pytest.fixture(scope="module")
def frames():
    x = oracle.images(40, FRAMES, 260)[:, :, :240]
    return (x * 40 + 128).clamp(0, 255).to(torch.uint8)


@pytest.fixture(scope="module")
def clip(tmp_path_factory, frames):
    """The frames as raw RGB video."""
    folder = tmp_path_factory.mktemp("families")
    for i, frame in enumerate(frames):
        Image.fromarray(frame.permute(1, 2, 0).numpy()).save(folder / f"frame{i}.png")
    pipeline = (
        f"multifilesrc location={folder}/frame%d.png caps=image/png,framerate=25/1"
        " ! pngdec ! videoconvert ! video/x-raw,format=RGB"
        f" ! matroskamux ! filesink location={folder}/clip.mkv"
    )
    subprocess.run(["gst-launch-1.0", "-q", *pipeline.split()], check=True, timeout=60)
    return folder / "clip.mkv"


def test_there_is_a_network_of_every_family():
    assert len(FAMILIES) == 17


@pytest.mark.parametrize("family", FAMILIES)
def test_family_runs_in_a_pipeline(tvw, tmp_path, clip, frames, family):
    builder = FAMILIES[family]
    side = 160 if builder == "inception_v3" else 224
    model = oracle.calibrated(builder, 41, 224 if family in ("maxvit", "vision_transformer") else 96)
    torch.save(model.state_dict(), tmp_path / "model.pth")
    transforms = {"preset": "ImageClassification", "crop_size": side, "resize_size": side}
    descriptor = {"builder": builder, "checkpoint": "model.pth", "transforms": transforms}
    (tmp_path / "mine.json").write_text(json.dumps(descriptor))

    preset = torchvision.transforms._presets.ImageClassification(crop_size=side, resize_size=side)
    expected = oracle.output(model, preset(frames)).softmax(1)
    results = tvw.json_lines("classify", "--weights", tmp_path / "mine.json", "--top-k", 1000, clip)
    assert len(results) == FRAMES
    for result, row in zip(results, expected):
        actual = torch.zeros(len(row))
        for prediction in result["predictions"]:
            actual[prediction["class_id"]] = prediction["probability"]
        assert float((actual - row).abs().max()) <= 1e-3 * float(row.max())
        assert len(result["predictions"]) == len(row)
    assert float((expected[0] - expected[1]).abs().max()) > 0.01 * float(expected.max())
