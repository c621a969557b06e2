# SPDX-License-Identifier: LGPL-2.1-or-later
"""Checkpoints as training scripts leave them: described, then used as weights."""

import argparse
import copy
import functools
import hashlib
import json

import oracle
import PIL.Image
import pytest
import safetensors.torch
import torch
import torchvision
from test_schema import assert_valid

CLASSES = 5


def trained(builder):
    """A network with the state of its optimizer and scheduler after a step: a copy to alter."""
    return copy.deepcopy(train(builder))


@functools.cache
def train(builder, seed=0, size=64):
    model = oracle.calibrated(builder, seed, size, num_classes=CLASSES).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4)
    scheduler = torch.optim.lr_scheduler.MultiStepLR(optimizer, [3, 6])
    output = model(oracle.images(seed + 1, 4, size))
    output = output if isinstance(output, torch.Tensor) else output.logits
    torch.nn.functional.cross_entropy(output, torch.arange(4)).backward()
    optimizer.step()
    scheduler.step()
    return model.eval(), {"optimizer": optimizer.state_dict(), "lr_scheduler": scheduler.state_dict()}


def averaged(model):
    """An exponential moving average that differs from the network."""
    average = torch.optim.swa_utils.AveragedModel(
        model, avg_fn=lambda old, new, _: 0.5 * old + 0.5 * new, use_buffers=True
    )
    for _ in range(2):
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.mul_(1.05)
        average.update_parameters(model)
    return average


def prefixed(state_dict, prefix):
    return {prefix + key: value for key, value in state_dict.items()}


def describe(tvw, tmp_path, checkpoint, *arguments, **saving):
    """Saves the object and describes the file."""
    torch.save(checkpoint, tmp_path / "best.pth", **saving)
    tvw("describe", tmp_path / "best.pth", "--output", tmp_path / "out.json", "--force", *arguments)
    return read(tvw, tmp_path / "out.json")


def read(tvw, path):
    descriptor = json.loads(path.read_text())
    assert_valid("descriptor.schema.json", descriptor)
    shown = tvw.json("show", path)
    assert shown["name"] == path.stem and shown["builder"] == descriptor["builder"]
    digest = hashlib.sha256((path.parent / descriptor["checkpoint"]).read_bytes()).hexdigest()
    assert descriptor["sha256"] == digest
    return descriptor


def assert_same_outputs(tvw, tmp_path, model, *parameters):
    """What the described file computes is what the model computes."""
    x = oracle.images(7, 1, 64)
    source, target = tmp_path / "in.safetensors", tmp_path / "y.safetensors"
    safetensors.torch.save_file({"input": x}, source)
    builder = json.loads((tmp_path / "out.json").read_text())["builder"]
    parameters = parameters or ("--weights", tmp_path / "out.json")
    tvw("run", builder, *parameters, "--input", source, "--output", target)
    actual, expected = safetensors.torch.load_file(target)["output"], oracle.output(model, x)
    assert actual.shape == (1, CLASSES)
    assert oracle.moved(model, x, expected) >= 0.01, "the output must depend on the input"
    assert float((actual - expected).abs().max() / expected.abs().max()) <= 1e-4


class TestLayouts:
    def test_of_torchvisions_references(self, tvw, tmp_path):
        model, training = trained("shufflenet_v2_x0_5")
        average = averaged(model)
        saved = {"model": model.state_dict(), **training, "epoch": 3, "scaler": {"scale": 65536.0}}
        found = describe(tvw, tmp_path, saved, "--builder", "shufflenet_v2_x0_5")
        assert found["arguments"] == {"num_classes": CLASSES}
        assert found["state_dict_key"] == "model" and "strip_prefix" not in found
        assert_same_outputs(tvw, tmp_path, model)

        saved["model_ema"] = average.state_dict()
        assert "n_averaged" in saved["model_ema"]
        torch.save(saved, tmp_path / "best.pth")
        error = tvw.error("describe", tmp_path / "best.pth")
        assert error["kind"] == "mismatch" and "'model', 'model_ema'" in error["message"]
        found = describe(tvw, tmp_path, saved, "--state-dict", "model_ema")
        assert found["strip_prefix"] == "module." and found["state_dict_key"] == "model_ema"
        assert_same_outputs(tvw, tmp_path, average.module.eval())
        # The same without a descriptor.
        assert_same_outputs(
            tvw, tmp_path, model, "--checkpoint", tmp_path / "best.pth",
            "--state-dict", "model", "--set", f"num_classes={CLASSES}",
        )  # fmt: skip
        difference = oracle.output(model, oracle.images(7, 1, 64)) - oracle.output(
            average.module, oracle.images(7, 1, 64)
        )
        assert float(difference.abs().max()) > 1e-2  # or it could have been either

        saved["args"] = argparse.Namespace(epochs=90)
        torch.save(saved, tmp_path / "best.pth")
        message = tvw.error("describe", tmp_path / "best.pth")["message"]
        assert "argparse.Namespace" in message and "torch.save(model.state_dict(), path)" in message
        with torch.serialization.safe_globals([argparse.Namespace]):
            weights = torch.load(tmp_path / "best.pth")["model"]
        assert describe(tvw, tmp_path, weights)["builder"] == "shufflenet_v2_x0_5"

    def test_of_data_parallel_training(self, tvw, tmp_path):
        model, training = trained("resnet18")
        saved = {
            "epoch": 90,
            "arch": "resnet18",
            "state_dict": torch.nn.DataParallel(model).state_dict(),
            "best_acc1": torch.tensor(71.5),
            **training,
        }
        found = describe(tvw, tmp_path, saved)
        assert found["builder"] == "resnet18"
        assert found["state_dict_key"] == "state_dict" and found["strip_prefix"] == "module."
        assert_same_outputs(tvw, tmp_path, model)

    def test_of_lightning(self, tvw, tmp_path):
        model, training = trained("squeezenet1_1")
        saved = {
            "epoch": 9,
            "global_step": 1000,
            "pytorch-lightning_version": "2.5.0",
            "state_dict": prefixed(model.state_dict(), "model."),
            "loops": {"fit_loop": {"state_dict": {}, "epoch_progress": {"total": {"ready": 10}}}},
            "callbacks": {"ModelCheckpoint": {"best_model_score": torch.tensor(0.5), "top": None}},
            "optimizer_states": [training["optimizer"]],
            "lr_schedulers": [training["lr_scheduler"]],
            "hyper_parameters": {"lr": 0.1, "sizes": (1, 2)},
        }
        found = describe(tvw, tmp_path, saved)
        assert found["builder"] == "squeezenet1_1" and found["strip_prefix"] == "model."
        assert found["arguments"] == {"num_classes": CLASSES}
        assert_same_outputs(tvw, tmp_path, model)

    def test_of_the_tutorials(self, tvw, tmp_path):
        model, training = trained("mobilenet_v3_small")
        saved = {
            "epoch": 5,
            "model_state_dict": prefixed(model.state_dict(), "module.model."),
            "optimizer_state_dict": training["optimizer"],
            "loss": torch.tensor(0.4),
            "rng": torch.get_rng_state(),
        }
        found = describe(tvw, tmp_path, saved)
        assert found["builder"] == "mobilenet_v3_small"
        assert found["strip_prefix"] == "module.model."
        assert_same_outputs(tvw, tmp_path, model)

    def test_of_an_average_saved_alone_in_the_legacy_container(self, tvw, tmp_path):
        model, _ = trained("squeezenet1_1")
        average = averaged(model)
        found = describe(
            tvw, tmp_path, average.state_dict(), _use_new_zipfile_serialization=False
        )
        assert found["strip_prefix"] == "module." and "state_dict_key" not in found
        assert_same_outputs(tvw, tmp_path, average.module.eval())

    def test_of_half_precision(self, tvw, tmp_path):
        model, _ = trained("resnet18")
        half = {k: v.half() if v.is_floating_point() else v for k, v in model.state_dict().items()}
        assert describe(tvw, tmp_path, half)["builder"] == "resnet18"
        model.load_state_dict(half)
        assert_same_outputs(tvw, tmp_path, model)

    def test_of_safetensors(self, tvw, tmp_path):
        model, _ = trained("shufflenet_v2_x0_5")
        checkpoint, descriptor = tmp_path / "best.safetensors", tmp_path / "out.json"
        safetensors.torch.save_file(prefixed(model.state_dict(), "module."), checkpoint)
        tvw("describe", checkpoint, "--output", descriptor)
        found = read(tvw, descriptor)
        assert found["checkpoint"] == "best.safetensors" and found["strip_prefix"] == "module."
        assert_same_outputs(tvw, tmp_path, model)
        error = tvw.error("describe", checkpoint, "--state-dict", "model")
        assert error["kind"] == "mismatch" and "safetensors" in error["message"]


class TestArguments:
    @pytest.mark.parametrize("auxiliary", [True, False])
    def test_those_of_the_default_weights_and_of_the_file(self, tvw, tmp_path, auxiliary):
        model, _ = trained("googlenet")
        model.transform_input = True
        if not auxiliary:
            model.aux_logits, model.aux1, model.aux2 = False, None, None
        found = describe(tvw, tmp_path, {"state_dict": model.state_dict()})
        assert found["builder"] == "googlenet"
        assert found["arguments"] == {"num_classes": CLASSES, "transform_input": True}
        assert_same_outputs(tvw, tmp_path, model)

    def test_can_be_set(self, tvw, tmp_path):
        model, _ = trained("googlenet")
        found = describe(tvw, tmp_path, model.state_dict(), "--set", "transform_input=false")
        assert found["arguments"] == {"num_classes": CLASSES, "transform_input": False}
        assert_same_outputs(tvw, tmp_path, model)

    def test_an_auxiliary_head_of_other_classes_is_named(self, tvw, tmp_path):
        model = torchvision.models.inception_v3(init_weights=False)
        model.fc = torch.nn.Linear(model.fc.in_features, CLASSES)
        torch.save(model.state_dict(), tmp_path / "best.pth")
        error = tvw.error("describe", tmp_path / "best.pth", "--builder", "inception_v3")
        assert error["kind"] == "mismatch"
        assert f'"AuxLogits.fc.weight" is 1000×768, expected {CLASSES}×768' in error["message"]

    def test_of_another_image_size_come_with_the_weights_it_is_like(self, tvw, tmp_path):
        model = torchvision.models.vit_b_32(num_classes=CLASSES, image_size=384)
        alike = tmp_path / "alike.json"
        alike.write_text(json.dumps({
            "builder": "vit_b_32", "checkpoint": "x.pth", "arguments": {"image_size": 384},
            "transforms": {"preset": "ImageClassification", "crop_size": 384, "mean": [0, 0, 0]},
        }))  # fmt: skip
        torch.save(model.state_dict(), tmp_path / "best.pth")
        message = tvw.error("describe", tmp_path / "best.pth")["message"]
        assert '"encoder.pos_embedding" is 1×145×768, expected 1×50×768' in message
        found = describe(tvw, tmp_path, model.state_dict(), "--like", alike)
        assert found["arguments"] == {"image_size": 384, "num_classes": CLASSES}
        assert found["transforms"]["crop_size"] == [384] and found["transforms"]["mean"] == [0, 0, 0]
        # Transforms for another size than the network's would fail at the first frame.
        message = tvw.error("describe", tmp_path / "best.pth", "--set", "image_size=384")["message"]
        assert "224" in message and "--like" in message


@pytest.fixture(scope="module")
def squeezenet(tmp_path_factory):
    folder = tmp_path_factory.mktemp("squeezenet")
    model, _ = trained("squeezenet1_1")
    torch.save({"model": model.state_dict()}, folder / "best.pth")
    (folder / "flowers.txt").write_text("".join(f"flower {i}\n" for i in range(CLASSES)))
    return folder


def test_a_described_checkpoint_is_known_by_its_name(tvw, squeezenet, tmp_path):
    descriptor = tmp_path / "flowers.json"
    output = tvw(
        "describe", squeezenet / "best.pth", "--categories", squeezenet / "flowers.txt",
        "--like", "ResNet50_Weights.IMAGENET1K_V2", "--output", descriptor,
    ).stdout  # fmt: skip
    assert output == f"{descriptor}: squeezenet1_1, {CLASSES} classes\n"
    found = read(tvw, descriptor)
    assert found["categories"] == f"../{squeezenet.name}/flowers.txt"
    shown = tvw.json("show", "flowers", env={"TVW_WEIGHTS_PATH": str(tmp_path)})
    assert shown["builder"] == "squeezenet1_1" and shown["state_dict_key"] == "model"
    assert shown["meta"]["categories"] == [f"flower {i}" for i in range(CLASSES)]
    PIL.Image.new("RGB", (64, 64), "red").save(tmp_path / "rose.png")
    [result] = tvw.json_lines(
        "classify", "--weights", "flowers", tmp_path / "rose.png",
        env={"TVW_WEIGHTS_PATH": f"/nowhere:{tmp_path}"},
    )  # fmt: skip
    labels = {prediction["label"] for prediction in result["predictions"]}
    assert labels == {f"flower {i}" for i in range(CLASSES)}
    v2 = tvw.json("show", "ResNet50_Weights.IMAGENET1K_V2")
    assert shown["transforms"] == v2["transforms"]


def test_paths_lead_from_the_descriptor_to_the_files(tvw, squeezenet, tmp_path, monkeypatch):
    (tmp_path / "link").symlink_to(squeezenet)
    (tmp_path / "newest.pth").symlink_to(squeezenet / "best.pth")
    (tmp_path / "deep" / "er").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "deep")

    def path(*arguments):
        return json.loads(tvw("describe", *arguments).stdout)["checkpoint"]

    assert path(squeezenet / "best.pth") == f"../../{squeezenet.name}/best.pth"
    assert path("../link/best.pth") == f"../../{squeezenet.name}/best.pth"
    assert path("../newest.pth") == "../newest.pth"
    tvw("describe", "../newest.pth", "--output", "er/x.json")
    assert read(tvw, tmp_path / "deep" / "er" / "x.json")["checkpoint"] == "../../newest.pth"


def test_nothing_is_overwritten_unless_asked(tvw, squeezenet, tmp_path):
    target = tmp_path / "out.json"
    target.write_text("mine")
    error = tvw.error("describe", squeezenet / "best.pth", "--output", target)
    assert error["kind"] == "invalid_argument" and "--force" in error["message"]
    assert target.read_text() == "mine"
    printed = tvw("describe", squeezenet / "best.pth", "--output", target, "--force", "--json").stdout
    assert json.loads(printed) == json.loads(target.read_text())
    error = tvw.error("describe", squeezenet / "best.pth", "--output", tmp_path / "no" / "x.json")
    assert error["kind"] == "io" and "x.json" in error["message"]


def test_what_does_not_fit_is_said(tvw, squeezenet, tmp_path):
    def error(*arguments, kind="mismatch", checkpoint=squeezenet / "best.pth"):
        result = tvw.error("describe", checkpoint, *arguments)
        assert result["kind"] == kind and len(result["message"].splitlines()) <= 2
        return result["message"]

    assert 'missing "conv1.weight"' in error("--builder", "resnet18")
    assert '"classifier.1.weight" is 5×512×1×1, expected 7×512×1×1' in error("--set", "num_classes=7")
    (tmp_path / "four.txt").write_text("a\nb\nc\nd\n")
    message = error("--categories", tmp_path / "four.txt")
    assert "four.txt holds 4 categories, but the checkpoint has 5 classes" in message
    assert "Unknown model nope" in error("--builder", "nope", kind="not_found")
    assert "num_clases" in error("--set", "num_clases=5", kind="invalid_argument")
    assert "not yet built" in error("--builder", "fcn_resnet50", kind="not_supported")
    assert "no state dict under 'ema'" in error("--state-dict", "ema")
    assert "--like" in error("--like", "FCN_ResNet50_Weights.DEFAULT", kind="invalid_argument")
    assert ".json" in error("--output", tmp_path / "x.txt", kind="invalid_argument")
    error(kind="not_found", checkpoint=tmp_path / "none.pth")

    state = torchvision.models.squeezenet1_1(num_classes=CLASSES).state_dict()
    state["features.0.weight"] = torch.zeros(64, 3, 5, 5)
    torch.save(state, tmp_path / "odd.pth")
    message = error(checkpoint=tmp_path / "odd.pth")
    assert "no builder fits; the nearest: odd.pth does not fit squeezenet1_1" in message
    assert '"features.0.weight" is 64×3×5×5, expected 64×3×3×3' in message
    torch.save({"w": torch.zeros(3)}, tmp_path / "alien.pth")
    assert "not even half" in error(checkpoint=tmp_path / "alien.pth")


def test_builders_that_fit_equally_are_listed(tvw, tmp_path):
    state = torchvision.models.resnext50_32x4d(num_classes=CLASSES).half().state_dict()
    torch.save(state, tmp_path / "best.pth")
    same = ("--set", "groups=32", "--set", "width_per_group=4")
    error = tvw.error("describe", tmp_path / "best.pth", *same)
    assert error["kind"] == "mismatch"
    assert "fits resnet50, resnext50_32x4d:" in error["message"]
    found = describe(tvw, tmp_path, state, "--builder", "resnet50", *same)
    assert found["arguments"] == {"groups": 32, "width_per_group": 4, "num_classes": CLASSES}
