# SPDX-License-Identifier: LGPL-2.1-or-later
"""The examples of the page "Multi-Weight Support API", run by torchvision and by their C++ twins
in tests/support/page.cpp and examples/: the same text is printed. (For examples/accuracy see
test_examples.py.)

Both find ResNet50_Weights.IMAGENET1K_V2 in one cache, where a stand-in of that name lies.
"""

import contextlib
import io
import re
import subprocess
import textwrap

import pytest
import torch
from PIL import Image
from torchvision import models

import stand_in
from conftest import BUILD

ANSWER = """
    def answer(model):
        with torch.inference_mode():
            return model(torch.full((1, 3, 64, 64), 0.25))
"""

# Lines that print more than the page does make visible what the page's own lines did.
EXAMPLES = {
    "weights_enum": """
        print(list(ResNet50_Weights))
        print(ResNet50_Weights.DEFAULT)
        print(ResNet50_Weights.IMAGENET1K_V1)
        print(ResNet50_Weights.IMAGENET1K_V2)
    """,
    "load_a_model": """
        weights = ResNet50_Weights.IMAGENET1K_V2
        model = resnet50(weights=weights)
        model.eval()
        print(f"{answer(model)[0][7].item():.4f}")
    """,
    "string_shorthands": """
        a = answer(resnet50(weights=ResNet50_Weights.IMAGENET1K_V2).eval())
        b = answer(resnet50(weights="IMAGENET1K_V2").eval())
        c = answer(resnet50(weights="DEFAULT").eval())
        print(torch.equal(a, b) and torch.equal(b, c))
    """,
    "no_weights": """
        model = resnet50(weights=None)
        print(sum(parameter.numel() for parameter in model.parameters()))
    """,
    "transforms": """
        weights = ResNet50_Weights.IMAGENET1K_V2
        preprocess = weights.transforms()
        print(preprocess)
    """,
    "meta": """
        weights = ResNet50_Weights.IMAGENET1K_V2
        print(weights.meta["categories"][:5])
        print(weights.meta["_metrics"])
        print(weights.meta["num_params"])
        print(weights.meta["min_size"])
        print(repr(weights.meta["recipe"]))
        for key in weights.meta:
            print(key)
    """,
    "weights_of_a_model": """
        weights_enum = get_model_weights("resnet50")
        print(weights_enum)
        for w in weights_enum:
            acc = w.meta["_metrics"]["ImageNet-1K"]["acc@1"]
            print(f"{w}  —  acc@1: {acc}%")
        weights_enum2 = get_model_weights(models.resnet50)
        print(weights_enum is weights_enum2)
    """,
    "weight_by_name": """
        weights = get_weight("ResNet50_Weights.DEFAULT")
        print(weights)
        quant_weights = get_weight("ResNet50_QuantizedWeights.DEFAULT")
        print(quant_weights)

        weights = get_weight("ResNet50_Weights.IMAGENET1K_V2")
        model = get_model("resnet50", weights=weights)
        preprocess = weights.transforms()
        print(preprocess)
        model.eval()
        print(f"{answer(model)[0][7].item():.4f}")
    """,
    "examples/inference": """
        weights = ResNet50_Weights.IMAGENET1K_V2
        model = resnet50(weights=weights)
        model.eval()

        preprocess = weights.transforms()
        print(preprocess)

        print(weights.meta["categories"][:5])
        print(weights.meta["_metrics"])
        print(weights.meta["num_params"])

        img = decode_image("photo.jpg")
        batch = preprocess(img).unsqueeze(0)

        prediction = model(batch).squeeze(0).softmax(0)
        class_id = prediction.argmax().item()
        score = prediction[class_id].item()
        category = weights.meta["categories"][class_id]
        print(f"{category}: {100 * score:.1f}%")
    """,
    "examples/download": """
        state_dict = ResNet50_Weights.DEFAULT.get_state_dict(progress=True)
        print(f"{len(state_dict)} tensors")
    """,
}


def photo(seed):
    """A smooth picture, as JPEG files hold."""
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.rand((1, 3, 8, 11), generator=generator)
    smooth = torch.nn.functional.interpolate(coarse, (300, 413), mode="bicubic").clamp(0, 1)
    return Image.fromarray((smooth[0] * 255).byte().permute(1, 2, 0).numpy())


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with photo.jpg, and TORCH_HOME in it."""
    folder = tmp_path_factory.mktemp("page")
    cache = folder / "torch" / "hub" / "checkpoints"
    cache.mkdir(parents=True)
    digest = stand_in.write(cache / stand_in.NAME)
    assert digest.startswith("11ad3fa6"), "the stand-in's bytes have changed"
    photo(1).save(folder / "photo.jpg")
    return folder


@pytest.fixture
def run(place, monkeypatch):
    """run(example): what it prints in C++."""
    monkeypatch.setenv("TORCH_HOME", str(place / "torch"))
    monkeypatch.chdir(place)

    def call(example):
        program = [BUILD / example] if "/" in example else [BUILD / "tests/support/page", example]
        result = subprocess.run(program, capture_output=True, text=True, timeout=300)
        assert result.returncode == 0, result.stderr
        return result.stdout

    return call


def original(source):
    """What it prints in Python."""
    names = {"torch": torch, "models": models}
    exec("from torchvision.models import *\nfrom torchvision.io import decode_image", names)
    exec(textwrap.dedent(ANSWER), names)
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed), torch.inference_mode():
        exec(textwrap.dedent(source), names)
    return printed.getvalue()


@pytest.mark.parametrize("example", EXAMPLES)
def test_example_prints_what_the_original_prints(run, example):
    ours = run(example)
    assert ours == original(EXAMPLES[example])
    assert ours


def test_the_prediction_depends_on_the_picture(run, place):
    first = run("examples/inference")
    photo(2).save(place / "photo.jpg")
    second = run("examples/inference")
    assert first != second
    assert second == original(EXAMPLES["examples/inference"])


def test_pretrained_says_what_to_write_instead(run):
    """torchvision still takes it, with a warning; it went out of use with version 0.13."""
    message = run("pretrained")
    assert re.search(r"pretrained.*ResNet50_Weights(::|\.)DEFAULT", message, re.DOTALL), message


def test_examples_are_short():
    for path in (BUILD.parent / "examples").glob("*.cpp"):
        assert len(path.read_text().splitlines()) < 60, path
