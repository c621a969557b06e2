# SPDX-License-Identifier: LGPL-2.1-or-later
"""The quantized networks against torchvision: what a checkpoint holds, and every bit of what it
computes on the same engine."""

import copy
import functools
import operator

import oracle
import pytest
import safetensors.torch
import torch
import torchvision
from conftest import LONG, descriptor
from video import probabilities, write_clip
from test_api import Api, Failed
from test_models import compare, save, settings
from torch.ao import quantization

pytestmark = pytest.mark.filterwarnings("ignore")  # PyTorch deprecates its own quantization

BUILDERS = torchvision.models.list_models(module=torchvision.models.quantization)
INPUTS = 100 if LONG else 4
AWARE = "quantized_mobilenet_v3_large"  # the one whose checkpoint is that of its training


def weights_of(builder):
    return torchvision.models.get_model_weights(builder).DEFAULT


def backend_of(builder):
    return weights_of(builder).meta["backend"]


def size_of(builder):
    """A size at which its last images are more than single pixels."""
    return 96 if builder == "quantized_inception_v3" else 64


# Without TVW_LONG: each family's, and both kinds of residual block.
USUAL = ("googlenet", "inception_v3", "mobilenet_v2", "mobilenet_v3_large", "resnet18", "resnet50", "x0_5")
NETWORKS = [b for b in BUILDERS if LONG or b.endswith(USUAL)]


@functools.cache
def calibrated(builder):
    # Their own initialisation takes half a minute.
    slow = builder in ("quantized_googlenet", "quantized_inception_v3")
    return oracle.calibrated(builder, 0, size_of(builder), **({"init_weights": False} if slow else {}))


def float_network(builder):
    return copy.deepcopy(calibrated(builder))


def observed(builder, seed=1):
    """As torchvision's quantize_model, with images in place of one of noise."""
    model = float_network(builder)
    per_channel = backend_of(builder) == "fbgemm"
    model.qconfig = quantization.QConfig(
        activation=quantization.default_observer,
        weight=quantization.default_per_channel_weight_observer
        if per_channel
        else quantization.default_weight_observer,
    )
    model.fuse_model()
    quantization.prepare(model, inplace=True)
    oracle.output(model, oracle.images(seed, 16, size_of(builder)))
    return model


@functools.cache
def trained():
    """The network as in quantization-aware training, after a few steps' observations."""
    model = float_network(AWARE).train()
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = 0.1
    model.fuse_model(is_qat=True)
    model.qconfig = quantization.get_default_qat_qconfig(backend_of(AWARE))
    quantization.prepare_qat(model, inplace=True)
    for seed in range(3):
        with torch.no_grad():
            model(oracle.images(seed, 8, size_of(AWARE)))
    return model


def converted(model):
    return quantization.convert(copy.deepcopy(model), inplace=True).eval()


@functools.cache
def network(builder):
    """The quantized network, and the state dict that torchvision's builder would load."""
    torch.backends.quantized.engine = backend_of(builder)
    if builder == AWARE:
        return converted(trained()), trained().state_dict()
    model = converted(observed(builder))
    return model, model.state_dict()


def run(tvw, tmp_path, builder, state_dict, x, *more, backend="auto"):
    source, target = tmp_path / "in.safetensors", tmp_path / "out.safetensors"
    torch.save(state_dict, tmp_path / "model.pth")
    safetensors.torch.save_file({"input": x}, source)
    report = tvw.json(
        "run", builder, "--checkpoint", tmp_path / "model.pth", "--set", "quantize=true",
        "--backend", backend, "--input", source, "--output", target, *more,
    )  # fmt: skip
    return safetensors.torch.load_file(target)["output"], report


def described(key, value):
    """An entry of a state dict as the program lists it."""
    if isinstance(value, tuple):
        return {"name": key, "kind": "packed", "dtype": "qint8", "shape": list(value[0].shape)}
    if isinstance(value, torch.dtype):
        return {"name": key, "kind": "dtype", "dtype": str(value).removeprefix("torch."), "shape": []}
    dtype = str(value.dtype).removeprefix("torch.")
    return {"name": key, "kind": "tensor", "dtype": dtype, "shape": list(value.shape)}


@pytest.mark.parametrize("builder", NETWORKS)
def test_checkpoints_hold_what_torchvision_saves(tvw, builder):
    expected = [described(*entry) for entry in network(builder)[1].items()]
    actual = tvw.json("graph", builder, "--set", "quantize=true")["parameters"]
    by_name = operator.itemgetter("name")
    listed = [{key: entry[key] for key in ("name", "kind", "dtype", "shape")} for entry in actual]
    assert sorted(listed, key=by_name) == sorted(expected, key=by_name)
    trainable = {entry["name"] for entry in actual if entry["trainable"]}
    assert trainable == ({n for n, _ in trained().named_parameters()} if builder == AWARE else set())


@pytest.mark.parametrize("builder", NETWORKS)
def test_outputs_are_torchvisions_to_the_bit(tvw, tmp_path, builder):
    model, state_dict = network(builder)
    size = size_of(builder)
    x = oracle.images(2, INPUTS, size)
    torch.backends.quantized.engine = backend_of(builder)
    expected = oracle.output(model, x)
    assert oracle.moved(model, x, expected) >= 0.01, "the output must depend on the input"
    assert len(expected.unique()) > 20
    for backend in ("reference", "auto"):
        actual, report = run(tvw, tmp_path, builder, state_dict, x, backend=backend)
        assert torch.equal(actual, expected), backend
    if builder != "quantized_googlenet":  # of which meta counts no auxiliary heads: see below
        assert report["num_params"] == weights_of(builder).meta["num_params"]


def test_parameters_are_counted_without_auxiliary_heads(tvw, tmp_path):
    builder = "quantized_googlenet"
    state_dict = {k: v for k, v in network(builder)[1].items() if not k.startswith("aux")}
    x = oracle.images(3, 1, size_of(builder))
    actual, report = run(tvw, tmp_path, builder, state_dict, x)
    assert report["num_params"] == weights_of(builder).meta["num_params"]
    assert torch.equal(actual, oracle.output(network(builder)[0], x))


@pytest.mark.parametrize("builder", NETWORKS)
def test_without_quantize_it_is_the_float_network(tvw, tmp_path, builder):
    model = float_network(builder)
    listed = tvw.json("graph", builder)["parameters"]
    assert [entry["name"] for entry in listed] == list(model.state_dict())
    x = oracle.images(6, 1, size_of(builder))
    compare(tvw, tmp_path, model, builder, save(model, tmp_path / "float.pth"), x)


def test_the_other_engine_can_be_asked_for(tvw, tmp_path):
    builder = "quantized_shufflenet_v2_x0_5"
    torch.backends.quantized.engine = "qnnpack"
    model = converted(observed(builder))
    x = oracle.images(4, 2, size_of(builder))
    arguments = ("--set", "backend=qnnpack")
    actual, _ = run(tvw, tmp_path, builder, model.state_dict(), x, *arguments)
    assert torch.equal(actual, oracle.output(model, x))


def test_transform_input_comes_before_quantization(tvw, tmp_path):
    model, state_dict = network("quantized_googlenet")
    model = copy.copy(model)
    model.transform_input = True
    x = oracle.images(5, 2, 64)
    arguments = ("--set", "transform_input=true")
    actual, _ = run(tvw, tmp_path, "quantized_googlenet", state_dict, x, *arguments)
    torch.backends.quantized.engine = "fbgemm"
    assert torch.equal(actual, oracle.output(model, x))


def aware_without_observing():
    model = copy.deepcopy(trained())
    return model.apply(quantization.disable_observer)


def aware_never_observed():
    """A checkpoint whose weights were never seen: their ranges are those of the weights."""
    model = copy.deepcopy(trained())
    for module in model.modules():
        if hasattr(module, "weight_fake_quant"):
            module.weight_fake_quant.activation_post_process.reset_min_max_vals()
    return model


@pytest.mark.parametrize("variant", [aware_without_observing, aware_never_observed])
def test_observers_are_read_as_torch_reads_them(tvw, tmp_path, variant):
    torch.backends.quantized.engine = "qnnpack"
    model = variant()
    state_dict = model.state_dict()
    for key in [key for key in state_dict if ".scale_activation." in key]:
        del state_dict[key]  # as in files from before those were saved
    x = oracle.images(6, 2, 64)
    actual, _ = run(tvw, tmp_path, AWARE, state_dict, x)
    assert torch.equal(actual, oracle.output(converted(model), x))


@pytest.mark.parametrize("path", ["fc.", "fc._packed_params."])
def test_older_linear_layers_are_read(tvw, tmp_path, path):
    """Weight and bias were entries of their own before version 3 of the module."""
    model, state_dict = network("quantized_resnet18")
    state_dict = dict(state_dict)
    weight, bias = state_dict.pop("fc._packed_params._packed_params")
    del state_dict["fc._packed_params.dtype"]
    state_dict |= {path + "weight": weight, path + "bias": bias}
    x = oracle.images(7, 2, 64)
    actual, _ = run(tvw, tmp_path, "quantized_resnet18", state_dict, x)
    torch.backends.quantized.engine = "fbgemm"
    assert torch.equal(actual, oracle.output(model, x))


def refusal(tvw, tmp_path, builder, state_dict):
    torch.save(state_dict, tmp_path / "bad.pth")
    safetensors.torch.save_file({"input": torch.zeros(1, 3, 64, 64)}, tmp_path / "x.safetensors")
    return tvw.error(
        "run", builder, "--checkpoint", tmp_path / "bad.pth", "--set", "quantize=true",
        "--input", tmp_path / "x.safetensors", "--output", tmp_path / "y.safetensors",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("layer1.0.conv1.scale", torch.tensor(0.0), '"layer1.0.conv1" is quantized with scale 0'),
        ("layer1.0.conv1.scale", torch.tensor(float("nan")), "scale nan"),
        ("quant.zero_point", torch.tensor([256]), '"quant" is quantized with'),
        ("conv1.weight", torch.zeros(64, 3, 7, 7), '"conv1.weight" is float32, expected qint8'),
        ("conv1.bias", torch.full((64,), float("inf")), '"conv1.bias" holds inf'),
        ("fc.scale", None, 'missing "fc.scale"'),
        ("fc._packed_params._packed_params", None, 'missing "fc._packed_params._packed_params"'),
        ("conv1.scale", torch.zeros(2), '"conv1.scale" is 2, expected scalar'),
    ],
    ids=str,
)  # fmt: skip
def test_damaged_checkpoints_name_the_layer(tvw, tmp_path, key, value, said):
    state_dict = dict(network("quantized_resnet18")[1])
    assert key in state_dict
    del state_dict[key]
    if value is not None:
        state_dict[key] = value
    error = refusal(tvw, tmp_path, "quantized_resnet18", state_dict)
    assert error["kind"] == "mismatch" and said in error["message"], error


@pytest.mark.parametrize("builder", ["quantized_resnet18", "quantized_mobilenet_v2"])
def test_no_classes_are_an_error(tvw, builder):
    """QNNPACK would divide by their number."""
    arguments = ("--set", "quantize=true", "--set", "num_classes=0")
    assert "needs an output" in tvw.error("graph", builder, *arguments)["message"]


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("features.0.0.bn.running_var", -1.0, '"features.0.0" cannot be quantized'),
        ("features.0.0.weight_fake_quant.activation_post_process.max_val", float("nan"),
         '"features.0.0" cannot be quantized'),
        ("features.0.0.activation_post_process.activation_post_process.min_val", float("nan"),
         '"features.0.0" is quantized with scale nan'),
        ("quant.activation_post_process.activation_post_process.max_val", None,
         'missing "quant.activation_post_process.activation_post_process.max_val"'),
    ],
    ids=str,
)  # fmt: skip
def test_damaged_training_checkpoints_name_the_layer(tvw, tmp_path, key, value, said):
    state_dict = dict(aware_without_observing().state_dict())
    state_dict[key] = torch.full_like(state_dict[key], value or 0)
    if value is None:
        del state_dict[key]
    error = refusal(tvw, tmp_path, AWARE, state_dict)
    assert error["kind"] == "mismatch" and said in error["message"], error


def test_a_quantized_network_is_not_drawn_at_random(tvw, tmp_path):
    safetensors.torch.save_file({"input": torch.zeros(1, 3, 64, 64)}, tmp_path / "x.safetensors")
    error = tvw.error(
        "run", "quantized_resnet18", "--set", "quantize=true",
        "--input", tmp_path / "x.safetensors", "--output", tmp_path / "y.safetensors",
    )  # fmt: skip
    assert error["kind"] == "invalid_argument" and "give a checkpoint" in error["message"], error


@pytest.mark.parametrize(
    ("weights", "arguments"),
    [
        ("ResNet18_QuantizedWeights.DEFAULT", {"quantize": False}),
        ("ResNet18_Weights.DEFAULT", {"quantize": True}),
        ("ResNet50_Weights.DEFAULT", {}),
        ("ResNet18_QuantizedWeights.DEFAULT", {"quantize": True, "backend": "qnnpack"}),
        ("ResNet18_QuantizedWeights.DEFAULT", {"quantize": True, "num_classes": 7}),
    ],
)
def test_weights_that_do_not_fit_are_refused_as_by_torchvision(tvw, tmp_path, weights, arguments):
    with pytest.raises((TypeError, ValueError)) as caught:
        torchvision.models.get_model(
            "quantized_resnet18", weights=torchvision.models.get_weight(weights), **arguments
        )
    error = tvw.error("run", "quantized_resnet18", "--weights", weights, *settings(arguments),
                      "--input", "none", "--output", "none")  # fmt: skip
    assert error["message"] == str(caught.value)


@pytest.mark.parametrize(
    ("weights", "arguments", "file"),
    [
        ("DEFAULT", {"quantize": True}, "resnet18_fbgemm_16fa66dd.pth"),
        ("DEFAULT", {}, "resnet18-f37072fd.pth"),
        ("ResNet18_Weights.DEFAULT", {}, "resnet18-f37072fd.pth"),
        # Where torchvision would have quantize=True written out, the checkpoint says it.
        ("ResNet18_QuantizedWeights.DEFAULT", {}, "resnet18_fbgemm_16fa66dd.pth"),
    ],
)
def test_quantize_chooses_the_checkpoint(tvw, tmp_path, weights, arguments, file):
    cache = tmp_path / "hub" / "checkpoints"
    cache.mkdir(parents=True)
    for other in ("resnet18_fbgemm_16fa66dd.pth", "resnet18-f37072fd.pth"):
        torch.save({}, cache / other)
    error = tvw.error(
        "run", "quantized_resnet18", "--weights", weights, *settings(arguments),
        "--input", "none", "--output", "none", env={"TORCH_HOME": str(tmp_path)},
    )  # fmt: skip
    assert file in error["message"], error  # as it is not the published one


def test_models_of_the_api_quantize(tmp_path):
    builder = "quantized_shufflenet_v2_x0_5"
    model, state_dict = network(builder)
    torch.save(state_dict, tmp_path / "model.pth")
    (tmp_path / "mine.json").write_text(descriptor(builder, 64, arguments={"quantize": True}))
    api = Api(tmp_path)
    built = api.build(builder, {"descriptor": str(tmp_path / "mine.json")})
    assert built["num_params"] == weights_of(builder).meta["num_params"]
    x = oracle.images(9, 2, size_of(builder))
    torch.backends.quantized.engine = backend_of(builder)
    assert torch.equal(api.run(x), oracle.output(model, x))
    refused = api("state_dict", None)
    assert isinstance(refused, Failed) and refused.kind == "not_supported" and "quantized" in refused
    assert isinstance(api("load_state_dict", tmp_path / "nothing.pth", "state_dict"), Failed)

    other = converted(observed(builder, seed=10))
    torch.save(other.state_dict(), tmp_path / "other.pth")
    assert api("load_state_dict", tmp_path / "other.pth", "state_dict") is None
    assert torch.equal(api.run(x), oracle.output(other, x))
    assert not torch.equal(oracle.output(other, x), oracle.output(model, x))
    api.process.stdin.close()
    assert api.process.wait(timeout=60) == 0


def test_a_saved_network_classifies_pictures_and_video(tvw, tmp_path):
    """Written by torch.save; named by a descriptor, or in place of the published file."""
    builder = "quantized_mobilenet_v2"
    model, state_dict = network(builder)
    torch.save(state_dict, tmp_path / "model.pth")
    (tmp_path / "mine.json").write_text(descriptor(builder, 64, arguments={"quantize": True}))
    frames = oracle.pictures(8, 2, 64)
    clip = write_clip(tmp_path, frames)
    pictures = [tmp_path / f"frame{i}.png" for i in range(len(frames))]

    small = torchvision.transforms._presets.ImageClassification(crop_size=64, resize_size=64)
    torch.backends.quantized.engine = backend_of(builder)
    for preset, *named in (
        (small, tmp_path / "mine.json"),
        (weights_of(builder).transforms(), weights_of(builder), "--checkpoint", tmp_path / "model.pth"),
    ):
        results = tvw.json_lines("classify", "--top-k", 1000, "--weights", *named, *pictures, clip)
        assert len(results) == 2 * len(frames)
        for result, frame in zip(results, [*frames, *frames]):
            expected = oracle.output(model, preset(frame).unsqueeze(0)).softmax(1)[0]
            actual = probabilities(result)
            assert float((actual - expected).abs().max()) <= 1e-5 * float(expected.max())
