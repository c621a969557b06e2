# SPDX-License-Identifier: LGPL-2.1-or-later
"""The same RGB frames through the pipeline, the program and torchvision: the same top five."""

import json
import pathlib

import jsonschema
import oracle
import pytest
import torch
import torchvision
from video import write_clip

COUNT = 4
BUILDER = "resnet18"
SCHEMA = pathlib.Path(__file__).resolve().parents[2] / "data" / "schema" / "result.schema.json"


@pytest.fixture(scope="module")
def frames():
    """uint8 [N, 3, H, W] with as much structure as the oracle's images."""
    return oracle.pictures(20, COUNT, 320)[:, :, :240]


@pytest.fixture(scope="module")
def weights():
    return torchvision.models.get_model_weights(BUILDER).DEFAULT


@pytest.fixture(scope="module")
def model(frames, weights):
    model = oracle.calibrated(BUILDER, 21)
    logits = oracle.output(model, weights.transforms()(frames))
    with torch.no_grad():
        # A softmax with several probabilities worth comparing, which differ from frame to frame.
        model.fc.weight *= 2 / logits.std()
        model.fc.bias *= 2 / logits.std()
    return model


@pytest.fixture(scope="module")
def expected(model, frames, weights):
    probabilities = oracle.output(model, weights.transforms()(frames)).softmax(1)
    assert float((probabilities[0] - probabilities[1]).abs().max()) > 0.01
    return probabilities.topk(5)


@pytest.fixture(scope="module")
def files(tmp_path_factory, model, frames):
    """A checkpoint with its descriptor, the frames as pictures, and as raw RGB video."""
    folder = tmp_path_factory.mktemp("pipeline")
    torch.save(model.state_dict(), folder / "best.pth")
    labels = [f"class {i}" for i in range(1000)]
    (folder / "labels.txt").write_text("\n".join(labels) + "\n")
    descriptor = {
        "builder": BUILDER,
        "checkpoint": "best.pth",
        "categories": "labels.txt",
        "transforms": {"preset": "ImageClassification", "crop_size": 224},
    }
    (folder / "mine.json").write_text(json.dumps(descriptor))
    write_clip(folder, frames)
    return folder


def check(results, expected, digest):
    values, indices = expected
    assert len(results) == COUNT
    for result in results:
        jsonschema.validate(result, json.loads(SCHEMA.read_text()))
    for result, value, index in zip(results, values, indices):
        assert [p["class_id"] for p in result["predictions"]] == index.tolist()
        assert [p["label"] for p in result["predictions"]] == [f"class {i}" for i in index.tolist()]
        actual = torch.tensor([p["probability"] for p in result["predictions"]])
        assert float((actual - value).abs().max()) <= 1e-4
        assert result["digest"] == digest
        assert result["weights"] == "mine"


def test_pictures_and_video_agree_with_torchvision(tvw, files, expected):
    descriptor = files / "mine.json"
    digest = tvw.json("check", files / "best.pth")["digest"]
    pictures = [files / f"frame{i}.png" for i in range(COUNT)]
    results = tvw.json_lines("classify", "--weights", descriptor, *pictures)
    assert [r["source"] for r in results] == [str(p) for p in pictures]
    assert all(r["pts_ns"] is None for r in results)
    check(results, expected, digest)

    clip = files / "clip.mkv"
    results = tvw.json_lines("classify", "--weights", descriptor, clip)
    assert [r["source"] for r in results] == [str(clip)] * COUNT
    assert [r["pts_ns"] for r in results] == [i * 40_000_000 for i in range(COUNT)]
    check(results, expected, digest)


def test_a_local_checkpoint_takes_the_place_of_the_cached_one(tvw, files, expected):
    weights = "ResNet18_Weights.IMAGENET1K_V1"
    (result,) = tvw.json_lines(
        "classify", "--weights", weights, "--checkpoint", files / "best.pth", files / "frame0.png"
    )
    assert result["weights"] == weights
    assert [p["class_id"] for p in result["predictions"]] == expected.indices[0].tolist()


def test_a_cached_checkpoint_that_is_not_the_published_one_is_refused(tvw, files, tmp_path):
    cache = tmp_path / "hub" / "checkpoints"
    cache.mkdir(parents=True)
    (cache / "resnet18-f37072fd.pth").write_bytes((files / "best.pth").read_bytes())
    error = tvw.error(
        "classify", "--weights", "ResNet18_Weights.DEFAULT", files / "frame0.png",
        env={"TORCH_HOME": str(tmp_path)},
    )  # fmt: skip
    assert error["kind"] == "mismatch"
    assert "f37072fd" in error["message"]


def test_a_checkpoint_that_is_not_there_says_where_it_is_expected(tvw, files, tmp_path):
    error = tvw.error(
        "classify", "--weights", "resnet18", files / "frame0.png", env={"TORCH_HOME": str(tmp_path)}
    )
    assert error["kind"] == "not_found"
    assert str(tmp_path / "hub" / "checkpoints" / "resnet18-f37072fd.pth") in error["message"]
