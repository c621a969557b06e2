# SPDX-License-Identifier: LGPL-2.1-or-later
"""The registry against the installed torchvision: every member, preset, figure and filter."""

import json
import os
import pathlib
import random
import re
import subprocess

import pytest
import torch
from torchvision import models

from conftest import BUILD

MODULES = {
    "classification": models,
    "quantization": models.quantization,
    "detection": models.detection,
    "segmentation": models.segmentation,
    "video": models.video,
    "optical_flow": models.optical_flow,
}


def members():
    return [
        (name, member) for name in models.list_models() for member in models.get_model_weights(name)
    ]


@pytest.fixture(scope="module")
def shown(tvw):
    """What `tvw weights --json` says, by name."""
    return {entry["name"]: entry for entry in tvw.json("weights")}


class Failed(str):
    """The message of an error."""


@pytest.fixture(scope="module")
def look_up():
    """Asks the C++ API in one process: look_up(call, arguments...)."""
    program = BUILD / "tests" / "support" / "look_up"
    with subprocess.Popen(
        [program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:

        def ask(*question):
            process.stdin.write(json.dumps(question) + "\n")
            process.stdin.flush()
            answer = json.loads(process.stdout.readline())
            return Failed(answer["error"]) if isinstance(answer, dict) else answer

        yield ask
        process.stdin.close()


def as_json(value):
    """The value after a trip through JSON: tuples are arrays, weights their names, NaN null."""
    return json.loads(json.dumps(value, default=str), parse_constant=lambda name: None)


def test_names_and_their_order_are_torchvisions(tvw):
    for name in models.list_models():
        expected = [str(member) for member in models.get_model_weights(name)]
        assert [entry["name"] for entry in tvw.json("weights", name)] == expected


def test_all_members_are_there(shown):
    assert len(shown) == 166
    assert list(shown) == [str(member) for _, member in members()]


@pytest.mark.parametrize("name, member", members(), ids=lambda value: str(value))
def test_member_equals_torchvisions(shown, name, member):
    ours = shown[str(member)]
    enum = type(member)
    assert list(ours) == ["name", "aliases", "builder", "url", "transforms", "meta"]
    assert ours["builder"] == name
    assert ours["url"] == member.url
    aliases = [alias for alias, target in enum.__members__.items() if target is member]
    assert ours["aliases"] == [alias for alias in aliases if alias != member.name]

    preset = member.transforms()
    fields = {
        key: value
        for key, value in vars(preset).items()
        if not key.startswith("_") and key != "training"
    }
    if "interpolation" in fields:
        fields["interpolation"] = fields["interpolation"].value
    expected = {"preset": type(preset).__name__, "repr": repr(preset), **fields}
    assert ours["transforms"] == expected

    assert list(ours["meta"]) == list(member.meta)
    for key, value in member.meta.items():
        if key != "_docs":
            value = as_json(value)
            assert ours["meta"][key] == value, key
            assert not isinstance(value, dict) or list(ours["meta"][key]) == list(value)


def test_docs_are_our_own_sentences(shown):
    theirs = {" ".join(member.meta["_docs"].split()) for _, member in members()}
    for entry in shown.values():
        sentence = entry["meta"]["_docs"]
        assert sentence.endswith(".") and len(sentence) > 20 and sentence not in theirs


def test_digests_are_those_of_the_file_names():
    for path in (pathlib.Path(__file__).parents[2] / "data" / "weights").glob("*.json"):
        for enum in json.loads(path.read_text())["enums"].values():
            for entry in enum["members"]:
                assert re.search(r"[-_]([0-9a-f]{8,})\.pth$", entry["url"])[1] == entry["sha256"]


def test_show_takes_each_form_of_a_name(tvw, shown):
    expected = shown["RegNet_Y_128GF_Weights.IMAGENET1K_SWAG_E2E_V1"]
    for text in (expected["name"], "RegNet_Y_128GF_Weights.DEFAULT", "regnet_y_128gf"):
        assert tvw.json("show", text) == expected


def test_text_shows_the_printed_form(tvw):
    text = tvw("show", "resnet50").stdout
    assert repr(models.ResNet50_Weights.DEFAULT.transforms()) in text
    assert models.ResNet50_Weights.DEFAULT.url in text


def filters(count):
    """Repeatable random calls of list_models: module, include, exclude."""
    draw = random.Random(20)
    names = models.list_models()

    def glob():
        pattern = draw.choice(names)
        for _ in range(draw.randint(1, 3)):
            begin = draw.randrange(len(pattern) + 1)
            end = min(len(pattern), begin + draw.randint(0, 6))
            hole = ["*", "?", "[a-r]*", "[!0-4]", "[", "[]_-]", "[^a]*", "\\", "**"]
            pattern = pattern[:begin] + draw.choice(hole) + pattern[end:]
        return pattern if draw.random() < 0.5 else f"*{pattern[:4]}*"

    for _ in range(count):
        module = draw.choice([None, None, *MODULES])
        yield module, [glob() for _ in range(draw.randint(0, 3))], [
            glob() for _ in range(draw.randint(0, 2))
        ]


@pytest.mark.parametrize("module", [None, *MODULES])
def test_list_by_module(tvw, module):
    expected = models.list_models(MODULES[module] if module else None)
    assert tvw.json("list", *(["--module", module] if module else [])) == expected
    assert tvw("list", *(["--module", module] if module else [])).stdout.split() == expected


def test_list_filters_equal_torchvisions(look_up):
    found = 0
    for module, include, exclude in filters(500):
        expected = models.list_models(MODULES.get(module), include, exclude)
        assert look_up("list_models", module, include, exclude) == expected, (include, exclude)
        found += len(expected) > 0
    assert found > 150, "most filters match nothing and prove nothing"


def test_program_passes_filters_on(tvw):
    for module, include, exclude in filters(10):
        arguments = [f"--module={module}"] if module else []
        arguments += [f"--include={glob}" for glob in include]
        arguments += [f"--exclude={glob}" for glob in exclude]
        expected = models.list_models(MODULES.get(module), include, exclude)
        assert tvw.json("list", *arguments) == expected, arguments


def test_every_member_and_alias_is_found_by_name(look_up):
    for name in models.list_models():
        enum = models.get_model_weights(name)
        printed = [str(enum), len(enum), [str(member) for member in enum]]
        for spelling in (name, name.upper(), name.title()):
            assert look_up("get_model_weights", spelling) == printed
        for member, value in enum.__members__.items():
            full = f"{enum.__name__}.{member}"
            assert look_up("get_weight", full) == str(models.get_weight(full)) == str(value)


def outcome(call, *arguments):
    """What Python makes of it: a printed value, or the exception."""
    try:
        return str(call(*arguments))
    except Exception as error:
        return error


def assert_same(ours, theirs):
    """Equal values, or errors that begin with the same words; a KeyError's key is named."""
    if isinstance(theirs, KeyError):
        assert isinstance(ours, Failed) and f"'{theirs.args[0]}'" in ours, (ours, theirs)
    elif isinstance(theirs, Exception):
        assert isinstance(ours, Failed) and ours.startswith(str(theirs)), (ours, theirs)
    else:
        assert not isinstance(ours, Failed) and ours == theirs, (ours, theirs)


@pytest.mark.parametrize(
    "name",
    ["", ".", "..", "resnet50", "ResNet50_Weights", "ResNet50_Weights.", ".DEFAULT",
     "ResNet50_Weights.V9", "ResNet50_Weights.default", "resnet50_weights.DEFAULT",
     "ResNet50_Weights.DEFAULT.x", "ResNet50_Weights.DEFAULT ", " ResNet50_Weights.DEFAULT",
     "Nope_Weights.DEFAULT", "ResNet50_QuantizedWeights.DEFAULT", "Weights.DEFAULT"],
)  # fmt: skip
def test_get_weight_fails_where_torchvision_fails(look_up, name):
    assert_same(look_up("get_weight", name), outcome(models.get_weight, name))


@pytest.mark.parametrize("name", ["", "nope", "ResNet5", "resnet-50", "resnet50 ", "ResNet50_Weights"])
def test_get_model_weights_fails_where_torchvision_fails(look_up, name):
    assert_same(look_up("get_model_weights", name), outcome(models.get_model_weights, name))


@pytest.mark.parametrize(
    "text",
    ["DEFAULT", "IMAGENET1K_V1", "ResNet50_Weights.IMAGENET1K_V1", "ResNet50_Weights.DEFAULT",
     "ResNet50_Weights.ResNet50_Weights.DEFAULT", "DEFResNet50_Weights.AULT", "default", "", "V9",
     "ResNet18_Weights.IMAGENET1K_V1", "ResNet50_Weights.", "ResNet50_Weights"],
)  # fmt: skip
def test_a_string_given_as_weights_means_what_it_means_in_torchvision(look_up, text):
    assert_same(look_up("verify", "resnet50", text), outcome(models.ResNet50_Weights.verify, text))


def test_weights_of_another_builder_are_refused_as_in_torchvision(look_up):
    for given in ("ResNet18_Weights.DEFAULT", "ResNet50_QuantizedWeights.DEFAULT"):
        theirs = outcome(models.ResNet50_Weights.verify, models.get_weight(given))
        assert isinstance(theirs, TypeError)
        assert_same(look_up("verify", "resnet50", [given]), theirs)


@pytest.mark.parametrize(
    "weights, arguments",
    [
        ("ResNet50_Weights.DEFAULT", {"num_classes": 7}),
        ("ResNet50_Weights.DEFAULT", {"num_classes": 1000}),
        ("ViT_B_16_Weights.IMAGENET1K_V1", {"image_size": 384}),
        ("ViT_B_16_Weights.IMAGENET1K_SWAG_E2E_V1", {"image_size": 224}),
        ("ViT_B_16_Weights.IMAGENET1K_SWAG_E2E_V1", {"image_size": 384}),
        ("VGG16_Weights.IMAGENET1K_FEATURES", {"num_classes": 7}),
        ("GoogLeNet_Weights.DEFAULT", {"aux_logits": False}),
        ("GoogLeNet_Weights.DEFAULT", {"transform_input": False}),
        ("Inception_V3_Weights.DEFAULT", {"aux_logits": False}),
        ("Inception_V3_Weights.DEFAULT", {"init_weights": True}),
    ],
    ids=str,
)
def test_arguments_must_agree_with_the_weights_as_in_torchvision(
    look_up, monkeypatch, weights, arguments
):
    """torchvision's builder runs up to the point where it would download."""
    member = models.get_weight(weights)
    reached = type("Reached", (Exception,), {})

    def stop(*_, **__):
        raise reached

    monkeypatch.setattr(torch.hub, "load_state_dict_from_url", stop)
    monkeypatch.setattr(models._api, "load_state_dict_from_url", stop)
    builder = models.get_model_builder(
        next(name for name in models.list_models() if member in models.get_model_weights(name))
    )
    with torch.device("meta"), pytest.raises((reached, ValueError)) as caught:
        builder(weights=member, progress=False, **arguments)
    settings = [f"{name}={json.dumps(value)}" for name, value in arguments.items()]
    ours = look_up("builder_arguments", weights, *settings)
    assert_same(ours, None if caught.type is reached else caught.value)


def test_extra_is_listed_only_when_asked_for(tvw):
    assert tvw.json("list", "--include", "*lite0") == []
    assert tvw.json("list", "--module", "extra") == ["efficientnet_lite0"]
    assert tvw.json("weights", "efficientnet_lite0") == []


def message_of(call, *arguments):
    with pytest.raises((ValueError, KeyError)) as caught:
        call(*arguments)
    return caught.value.args[0]


@pytest.mark.parametrize("name", ["nope", "ResNet5", "resnet-50", "resnet50 "])
def test_unknown_model_is_worded_as_in_torchvision(tvw, name):
    error = tvw.error("weights", name)
    assert error["message"].startswith(message_of(models.get_model_weights, name))
    assert error["kind"] == "not_found"


@pytest.mark.parametrize("name", ["ResNet50_Weights", "ResNet50_Weights.A.B"])
def test_bad_name_of_weights_is_worded_as_in_torchvision(tvw, name):
    assert tvw.error("show", name)["message"] == message_of(models.get_weight, name)


def test_unknown_member_is_named(tvw):
    missing = message_of(models.get_weight, "ResNet50_Weights.V9")
    assert f"'{missing}'" in tvw.error("show", "ResNet50_Weights.V9")["message"]


def test_error_in_bytes_that_are_not_text_is_still_json(tvw):
    for name in (b"\xff\xfe", b"\xff.json"):
        assert tvw.error("show", os.fsdecode(name))["kind"] == "not_found"


@pytest.mark.parametrize("variables", [{}, {"XDG_CACHE_HOME": "/c"}, {"TORCH_HOME": "~/t"}])
def test_cache_is_that_of_torch_hub(monkeypatch, variables):
    """The unit test of checkpoint_dir() holds these very folders to be right."""
    monkeypatch.setenv("HOME", "/me")
    for name in ("TORCH_HOME", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    expected = {"XDG_CACHE_HOME": "/c/torch/hub", "TORCH_HOME": "/me/t/hub"}
    assert torch.hub.get_dir() == expected.get(next(iter(variables), ""), "/me/.cache/torch/hub")
