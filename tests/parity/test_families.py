# SPDX-License-Identifier: LGPL-2.1-or-later
"""One network of every family in a video pipeline, from a checkpoint that torch.save wrote."""

import inspect

import oracle
import pytest
import torch
import torchvision
from conftest import descriptor
from torchvision import models
from video import probabilities, write_clip

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
    return oracle.pictures(40, FRAMES, 260)[:, :, :240]


@pytest.fixture(scope="module")
def clip(tmp_path_factory, frames):
    """The frames as raw RGB video."""
    return write_clip(tmp_path_factory.mktemp("families"), frames)


def test_there_is_a_network_of_every_family():
    assert len(FAMILIES) == 17


@pytest.mark.parametrize("family", FAMILIES)
def test_family_runs_in_a_pipeline(tvw, tmp_path, clip, frames, family):
    builder = FAMILIES[family]
    side = 160 if builder == "inception_v3" else 224
    model = oracle.calibrated(builder, 41, 224 if family in ("maxvit", "vision_transformer") else 96)
    torch.save(model.state_dict(), tmp_path / "model.pth")
    (tmp_path / "mine.json").write_text(descriptor(builder, side))

    preset = torchvision.transforms._presets.ImageClassification(crop_size=side, resize_size=side)
    expected = oracle.output(model, preset(frames)).softmax(1)
    results = tvw.json_lines("classify", "--weights", tmp_path / "mine.json", "--top-k", 1000, clip)
    assert len(results) == FRAMES
    for result, row in zip(results, expected):
        assert len(result["predictions"]) == len(row)
        assert float((probabilities(result) - row).abs().max()) <= 1e-3 * float(row.max())
    assert float((expected[0] - expected[1]).abs().max()) > 0.01 * float(expected.max())
