# SPDX-License-Identifier: LGPL-2.1-or-later
"""The API on LibTorch's tensors against torchvision: presets, models, state dicts, errors."""

import collections
import hashlib
import json
import subprocess

import oracle
import pytest
import safetensors.torch
import torch
import torchvision
from torchvision import models
from torchvision.transforms import InterpolationMode, _presets

from conftest import BUILD, LONG
from test_models import on_meta_device, relative_error


class Failed(str):
    """The message of an error."""

    kind = ""


class Api:
    """One process that calls the API: api(call, arguments...)."""

    def __init__(self, folder):
        self.folder = folder
        self.process = subprocess.Popen(
            [BUILD / "tests" / "api" / "api_calls"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip

    def __call__(self, *question):
        self.process.stdin.write(json.dumps(question, default=str) + "\n")
        self.process.stdin.flush()
        answer = json.loads(self.process.stdout.readline())
        if isinstance(answer, dict) and "error" in answer:
            failed = Failed(answer["error"])
            failed.kind = answer["kind"]
            return failed
        return answer

    def settings(self, arguments):
        return [f"{name}={json.dumps(value)}" for name, value in arguments.items()]

    def build(self, builder, weights=None, **arguments):
        return self("build", builder, weights, *self.settings(arguments))

    def run(self, x):
        source, target = self.folder / "in.safetensors", self.folder / "out.safetensors"
        safetensors.torch.save_file({"input": x}, source)
        answer = self("run", source, target)
        return answer if isinstance(answer, Failed) else safetensors.torch.load_file(target)["output"]

    def transform(self, weights, override, images):
        source, target = self.folder / "in.safetensors", self.folder / "out.safetensors"
        safetensors.torch.save_file(images, source)
        dtypes = self("transform", weights, override, source, target)
        assert not isinstance(dtypes, Failed), dtypes
        assert set(dtypes.values()) == {"Float"}
        return safetensors.torch.load_file(target)


@pytest.fixture(scope="module")
def api(tmp_path_factory):
    call = Api(tmp_path_factory.mktemp("api"))
    yield call
    call.process.stdin.close()
    assert call.process.wait(timeout=60) == 0


# Height and width: smaller and larger than every crop, odd halves in crop and padding, one pixel.
SIZES = [(1, 1), (97, 131), (231, 229), (340, 233)]
if LONG:
    SIZES += [(3, 2), (223, 500), (600, 340), (224, 224), (232, 232), (255, 256), (480, 640), (517, 606), (1080, 1920)]


def noise(shape, dtype=torch.uint8):
    """Black and white among the levels, so that bicubic overshoots."""
    generator = torch.Generator().manual_seed(hash(tuple(shape)) % 2**31)
    levels = torch.randint(0, 256, shape, dtype=torch.uint8, generator=generator)
    half = shape[-2] // 2
    levels[..., half:, :] = torch.where(levels[..., half:, :] < 128, 0, 255).to(torch.uint8)
    return levels if dtype == torch.uint8 else (levels / 255 * 1.5 - 0.25).to(dtype)


def in_both_types(*leading, sizes=SIZES):
    dtypes = (torch.uint8, torch.float32)
    return {f"{size} {dtype}": noise((*leading, *size), dtype) for size in sizes for dtype in dtypes}


def presets(kind):
    """One weights name for each distinct configuration of a preset."""
    distinct = {}
    for name in models.list_models():
        for weights in models.get_model_weights(name):
            preset = weights.transforms()
            if isinstance(preset, kind):
                distinct.setdefault((repr(preset), getattr(preset, "antialias", None)), str(weights))
    return list(distinct.values())


def preset_of(weights, override):
    """Python's preset: its enum, and one number where crop and resize take no list."""
    override = {k: v[0] if k in ("crop_size", "resize_size") else v for k, v in dict(override).items()}
    if "interpolation" in override:
        override["interpolation"] = InterpolationMode(override["interpolation"])
    return models.get_weight(weights).transforms(**override)


def assert_equal(api, weights, images, override=()):
    """To the bit; a tensor named "interleaved" is [H, W, C] in memory."""
    ours = api.transform(weights, dict(override), images)
    preset = preset_of(weights, override)
    for name, image in images.items():
        expected = preset(image.permute(2, 0, 1) if name.startswith("interleaved") else image)
        assert ours[name].shape == expected.shape, name
        assert torch.equal(ours[name], expected), (name, (ours[name] - expected).abs().max())


def test_there_are_28_configurations_for_classification():
    assert len(presets(_presets.ImageClassification)) == 28


@pytest.mark.parametrize("weights", presets(_presets.ImageClassification))
def test_image_classification_equals_torchvision_to_the_bit(api, weights):
    images = {str(size): noise((3, *size)) for size in SIZES}
    images["float"] = noise((3, 231, 229), torch.float32)
    images["batch"] = noise((2, 3, 120, 99))
    images["interleaved"] = noise((3, 260, 241)).permute(1, 2, 0).contiguous()
    if LONG:
        images |= {f"float {size}": noise((3, *size), torch.float32) for size in SIZES}
    assert_equal(api, weights, images)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_other_floats_equal_torchvision(api, dtype):
    images = {str(size): noise((3, *size), dtype) for size in SIZES}
    assert_equal(api, "ResNet50_Weights.IMAGENET1K_V2", images)


def test_more_leading_dimensions_are_a_batch_in_their_shape(api):
    """torchvision takes one at most where it resizes."""
    images = noise((2, 3, 3, 131, 97))
    ours = api.transform("ResNet50_Weights.DEFAULT", {}, {"images": images})["images"]
    preset = models.ResNet50_Weights.DEFAULT.transforms()
    expected = torch.stack([preset(batch) for batch in images])
    assert torch.equal(ours, expected)


@pytest.mark.parametrize(
    "override",
    [
        {"crop_size": [320]},
        {"crop_size": [37], "resize_size": [41]},
        {"resize_size": [600], "crop_size": [599]},
        {"antialias": False},
        {"interpolation": "nearest"},
        {"interpolation": "bicubic", "antialias": False},
        {"interpolation": "bicubic"},
        {"mean": [0.1, 0.2, 0.3], "std": [1.5, 2, 3]},
        {"mean": [0.5], "std": [0.25]},
    ],
    ids=str,
)
def test_overridden_parameters_act_as_in_torchvision(api, override):
    images = in_both_types(3)
    assert_equal(api, "ResNet50_Weights.IMAGENET1K_V2", images, override)


@pytest.mark.parametrize("weights", presets(_presets.SemanticSegmentation))
@pytest.mark.parametrize("override", [{}, {"antialias": False}, {"interpolation": "nearest"}], ids=str)
def test_semantic_segmentation_equals_torchvision_to_the_bit(api, weights, override):
    images = in_both_types(3, sizes=SIZES[1:])
    images["batch"] = noise((2, 3, 100, 150))
    assert_equal(api, weights, images, override)


@pytest.mark.parametrize("weights", presets(_presets.VideoClassification))
def test_video_classification_equals_torchvision_to_the_bit(api, weights):
    clips = in_both_types(4, 3)
    clips["batch"] = noise((2, 3, 3, 120, 161))
    assert_equal(api, weights, clips)


def test_object_detection_equals_torchvision_to_the_bit(api):
    [weights] = presets(_presets.ObjectDetection)
    dtypes = (torch.uint8, torch.float32, torch.float16, torch.float64)
    images = {str(dtype): noise((3, 33, 47), dtype) for dtype in dtypes}
    images["batch"] = noise((2, 3, 9, 8))
    assert_equal(api, weights, images)


@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32])
def test_optical_flow_equals_torchvision_to_the_bit(api, dtype):
    [weights] = presets(_presets.OpticalFlow)
    first, second = noise((2, 3, 64, 48), dtype), noise((2, 3, 64, 47), dtype)
    source, target = api.folder / "in.safetensors", api.folder / "out.safetensors"
    safetensors.torch.save_file({"first": first, "second": second}, source)
    assert api("transform_pair", weights, source, target) is True
    ours = safetensors.torch.load_file(target)
    expected = models.get_weight(weights).transforms()(first, second)
    assert torch.equal(ours["first"], expected[0]) and torch.equal(ours["second"], expected[1])


def test_the_comparison_can_fail(api):
    images = {"image": noise((3, 231, 229))}
    ours = api.transform("ResNet50_Weights.IMAGENET1K_V1", {}, images)
    expected = models.ResNet50_Weights.IMAGENET1K_V2.transforms()(images["image"])
    assert not torch.equal(ours["image"], expected)


@pytest.mark.parametrize(
    ("builder", "way"),
    [
        ("resnet18", "tensors"),
        ("mobilenet_v3_small", "state_dict"),
        ("swin_t", "state_dict"),
    ],
)
def test_a_loaded_model_answers_as_torchvisions(api, tmp_path, builder, way):
    x = oracle.images(51, 2, 64)
    api.build(builder)
    before = api.run(x)
    model = oracle.calibrated(builder, 50)
    torch.save(model.state_dict(), tmp_path / "model.pth")
    assert api("load_state_dict", tmp_path / "model.pth", way) is None
    expected = oracle.output(model, x)
    assert relative_error(api.run(x), expected) <= 1e-4
    assert relative_error(before, expected) > 0.01
    assert oracle.moved(model, x, expected) >= 0.01


@pytest.mark.parametrize("builder", ["resnet18", "googlenet", "swin_v2_t", "vit_b_32", "mnasnet0_5"])
def test_state_dict_has_torchs_keys_in_torchs_order(api, builder):
    model = on_meta_device(builder, {})
    names = {torch.float32: "Float", torch.int64: "Long"}
    expected = [[k, names[v.dtype], list(v.shape)] for k, v in model.state_dict().items()]
    built = api.build(builder)
    assert built == {"name": builder, "num_params": sum(p.numel() for p in model.parameters())}
    assert api("state_dict", None) == expected


def test_state_dict_comes_back_to_the_bit(api, tmp_path):
    model = oracle.calibrated("resnet18", 60)
    torch.save(model.state_dict(), tmp_path / "model.pth")
    api.build("resnet18")
    api("load_state_dict", tmp_path / "model.pth", "state_dict")
    api("state_dict", tmp_path / "back.safetensors")
    back = safetensors.torch.load_file(tmp_path / "back.safetensors")
    assert all(torch.equal(back[key], value) for key, value in model.state_dict().items())
    model.load_state_dict(back, strict=True)


def test_a_change_in_place_acts_as_in_torch(api, tmp_path):
    model = oracle.calibrated("resnet18", 61)
    torch.save(model.state_dict(), tmp_path / "model.pth")
    api.build("resnet18")
    api("load_state_dict", tmp_path / "model.pth", "state_dict")
    x = oracle.images(62, 1, 64)
    before = oracle.output(model, x)
    assert relative_error(api.run(x), before) <= 1e-4
    for key in ("layer1.0.conv1.weight", "layer2.0.bn1.bias"):
        api("fill", key, 0.01)
        model.state_dict()[key].fill_(0.01)
        assert relative_error(api.run(x), oracle.output(model, x)) <= 1e-4
    assert relative_error(before, oracle.output(model, x)) > 0.01


class TestStrictLoading:
    @pytest.fixture()
    def load(self, api, tmp_path):
        """load(change): what loading a state dict with that change says; the model is as before."""
        api.build("resnet18")
        x = oracle.images(70, 1, 64)
        before = api.run(x)

        def call(change):
            state = models.resnet18().state_dict()
            change(state)
            torch.save(state, tmp_path / "changed.pth")
            message = api("load_state_dict", tmp_path / "changed.pth", "state_dict")
            assert isinstance(message, Failed)
            assert message.kind == "mismatch"
            with pytest.raises(RuntimeError):
                models.resnet18().load_state_dict(state)
            assert torch.equal(api.run(x), before)
            return message

        return call

    def test_a_missing_key_is_named_with_the_nearest(self, load):
        def change(state):
            state["layer1.0.conv1.wieght"] = state.pop("layer1.0.conv1.weight")

        message = load(change)
        assert 'missing "layer1.0.conv1.weight" (did you mean \'layer1.0.conv1.wieght\'?)' in message
        assert "the state dict does not fit resnet18" in message

    def test_an_unexpected_key_is_named(self, load):
        assert 'unexpected "extra"' in load(lambda state: state.update(extra=torch.zeros(1)))

    def test_a_wrong_shape_is_named(self, load):
        message = load(lambda state: state.update({"fc.weight": torch.zeros(10, 512)}))
        assert '"fc.weight" is 10×512, expected 1000×512' in message


@pytest.fixture()
def describe(tmp_path):
    """describe(builder, state, entries...): a descriptor of a checkpoint."""

    def call(builder, state, **entries):
        torch.save(state, tmp_path / "best.pth")
        descriptor = {
            "builder": builder,
            "checkpoint": "best.pth",
            "sha256": hashlib.sha256((tmp_path / "best.pth").read_bytes()).hexdigest(),
            "transforms": {"preset": "ImageClassification", "crop_size": 64},
            **entries,
        }
        (tmp_path / "best.json").write_text(json.dumps(descriptor))
        return {"descriptor": str(tmp_path / "best.json")}

    return call


def test_a_users_checkpoint_is_weights_like_any_other(api, describe):
    model = oracle.calibrated("resnet18", 80, num_classes=3)
    state = collections.OrderedDict(("module." + k, v) for k, v in model.state_dict().items())
    weights = describe(
        "resnet18", state, arguments={"num_classes": 3}, categories=["a", "b", "c"], strip_prefix="module."
    )
    x = oracle.images(81, 1, 64)
    api.build("resnet18", weights)
    assert relative_error(api.run(x), oracle.output(model, x)) <= 1e-4
    assert "num_classes" in api.build("resnet18", weights, num_classes=4)
    assert "expected ResNet34_Weights" in api.build("resnet34", weights)


def test_googlenet_drops_the_heads_of_a_checkpoint_unless_asked(api, describe):
    weights = describe("googlenet", models.googlenet(init_weights=False).state_dict())
    meta = models.GoogLeNet_Weights.DEFAULT.meta
    assert api.build("googlenet", weights)["num_params"] == meta["num_params"] == 6624904
    assert not any("aux" in key for key, _, _ in api("state_dict", None))
    assert api.build("googlenet", weights, aux_logits=True)["num_params"] > meta["num_params"]
    assert any("aux" in key for key, _, _ in api("state_dict", None))


def test_inception_keeps_its_head(api, describe):
    weights = describe("inception_v3", models.inception_v3(init_weights=False).state_dict())
    count = models.Inception_V3_Weights.DEFAULT.meta["num_params"]
    assert api.build("inception_v3", weights)["num_params"] == count


def test_tied_parameters_become_independent(api, tmp_path):
    """A file may hold one storage under two keys; changing one of them in place is no other's."""
    state = models.resnet18().state_dict()
    state["layer1.0.bn1.bias"] = state["layer1.0.bn1.weight"]
    torch.save(state, tmp_path / "tied.pth")
    api.build("resnet18")
    api("load_state_dict", tmp_path / "tied.pth", "state_dict")
    api("fill", "layer1.0.bn1.bias", 7)
    api("state_dict", tmp_path / "back.safetensors")
    back = safetensors.torch.load_file(tmp_path / "back.safetensors")
    assert (back["layer1.0.bn1.bias"] == 7).all() and (back["layer1.0.bn1.weight"] == 1).all()


def test_random_models_differ_unless_seeded(api, tmp_path):
    x = oracle.images(90, 1, 64)

    def answers(count):
        for _ in range(count):
            api.build("squeezenet1_1")
            yield api.run(x)

    a, b = answers(2)
    assert not torch.equal(a, b)
    api("manual_seed", 3)
    a, b = answers(2)
    api("manual_seed", 3)
    assert all(map(torch.equal, (a, b), answers(2)))
    other = Api(tmp_path)
    other.build("squeezenet1_1")
    first = other.run(x)
    other("manual_seed", 3)
    other.build("squeezenet1_1")
    assert torch.equal(other.run(x), a) and not torch.equal(first, a)
    other.process.stdin.close()
    other.process.wait(timeout=60)


def test_a_printed_model_is_its_graph(api, tvw):
    api.build("resnet18", num_classes=5)
    assert api("print") == tvw("graph", "resnet18", "--set", "num_classes=5").stdout


@pytest.mark.parametrize(
    ("builder", "weights", "arguments"),
    [
        ("nope", None, {}),
        ("resnet50", ["ResNet18_Weights.DEFAULT"], {}),
        ("resnet50", ["ResNet50_QuantizedWeights.DEFAULT"], {}),
        ("quantized_resnet18", ["ResNet18_QuantizedWeights.DEFAULT"], {"quantize": False}),
        ("quantized_resnet18", ["ResNet18_Weights.DEFAULT"], {"quantize": True}),
        ("resnet50", "IMAGENET1K_V9", {}),
        ("resnet50", "ResNet18_Weights.IMAGENET1K_V1", {}),
        ("resnet50", "DEFAULT", {"num_classes": 7}),
        ("vit_b_16", "DEFAULT", {"image_size": 384}),
        ("resnet50", None, {"num_clases": 7}),
        ("resnet18", None, {"groups": 2}),
    ],
    ids=str,
)
def test_errors_are_worded_as_torchvisions(api, builder, weights, arguments):
    given = models.get_weight(weights[0]) if isinstance(weights, list) else weights
    with pytest.raises((ValueError, TypeError, KeyError)) as caught:
        models.get_model(builder, weights=given, **arguments)
    message = api.build(builder, weights, **arguments)
    assert isinstance(message, Failed)
    theirs = caught.value.args[0]
    # Python names the class, which there is none of here.
    assert theirs.replace("ResNet.__init__()", f"{builder}()") in message, (message, theirs)
