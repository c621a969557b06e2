# SPDX-License-Identifier: LGPL-2.1-or-later
"""Every family against torchvision: keys, parameters, outputs before and after the passes."""

import hashlib
import json
import math
import pathlib
import re
import resource

import oracle
import pytest
import safetensors.torch
import torch
import torchvision
from conftest import LONG, descriptor
from torchvision.models import mnasnet, regnet

BUILDERS = torchvision.models.list_models(module=torchvision.models)
FIXED_SIZE = {name for name in BUILDERS if name.startswith(("vit_", "maxvit_"))}
PUBLISHED = json.loads(pathlib.Path(__file__).with_name("published.json").read_text())
MOST_PARAMETERS = 60_000_000  # of the networks that run without TVW_LONG
MOST_MEMORY = 16 << 30  # of the oracle and the program together, whatever the network

MOST_REPEATED = 200_000_000  # parameters of those that run with the last seed too

SEEDS = [0, 1, 2] if LONG else [0]
VARIED = [
    ("resnet50", {"replace_stride_with_dilation": [False, True, True], "num_classes": 7}),
    ("resnet50", {"groups": 4, "width_per_group": 32, "zero_init_residual": True}),
    ("mobilenet_v3_large", {"reduced_tail": True, "dilated": True}),
    ("mobilenet_v3_small", {"width_mult": 0.75, "dropout": 0.5, "num_classes": 11}),
    ("efficientnet_b0", {"dropout": 0.1, "stochastic_depth_prob": 0.0, "num_classes": 5}),
    ("googlenet", {"transform_input": True, "aux_logits": False}),
    ("inception_v3", {"transform_input": True}),
    ("mobilenet_v2", {"width_mult": 1.4, "round_nearest": 4}),
    ("densenet121", {"bn_size": 2, "drop_rate": 0.1}),
    ("vit_b_32", {"image_size": 96, "representation_size": 32, "num_classes": 9}),
    ("swin_v2_t", {"mlp_ratio": 2.0, "num_classes": 9}),
]


def default_weights(builder):
    return torchvision.models.get_model_weights(builder).DEFAULT


def num_params(builder):
    return default_weights(builder).meta["num_params"]


def output_cases():
    """Builder and seed: of large networks only in a long run, of the largest without the last."""
    for builder in BUILDERS:
        if LONG or num_params(builder) <= MOST_PARAMETERS:
            seeds = SEEDS if num_params(builder) <= MOST_REPEATED else SEEDS[:2]
            yield from ((builder, seed) for seed in seeds)


def smallest_size(builder):
    """The least that the network takes and sees something of: not a single pixel."""
    if builder.startswith("vit_"):
        return 224  # an argument of the builder
    least = max(default_weights(builder).meta["min_size"])
    return least if least > 1 else 64


def inputs(builder, seed):
    """Sides and numbers of images; in a long run the side of the preset too, and three images."""
    sizes = [smallest_size(builder)]
    if LONG and builder not in FIXED_SIZE:
        sizes += {*default_weights(builder).transforms().crop_size} - {*sizes}
    return [(size, 3 if (i + seed) % 2 else 1) for i, size in enumerate(sizes)]


def on_meta_device(builder, arguments):
    """The network without its parameters' bytes."""
    computed = regnet.BlockParams.from_init_params.__func__

    def on_cpu(cls, *args, **keywords):  # RegNet computes its widths with tensors
        with torch.device("cpu"):
            return computed(cls, *args, **keywords)

    if builder in ("googlenet", "inception_v3"):
        arguments = {"init_weights": False}
    with pytest.MonkeyPatch.context() as patch, torch.device("meta"):
        patch.setattr(regnet.BlockParams, "from_init_params", classmethod(on_cpu))
        return torchvision.models.get_model(builder, weights=None, **arguments)


def settings(arguments):
    return [part for name, value in arguments.items() for part in ("--set", f"{name}={json.dumps(value)}")]


def run(tvw, tmp_path, builder, x, checkpoint, backend, arguments=None):
    source, target = tmp_path / "in.safetensors", tmp_path / "out.safetensors"
    safetensors.torch.save_file({"input": x}, source)
    report = tvw.json(
        "run", builder, "--checkpoint", checkpoint, "--backend", backend, "--threads", oracle.THREADS,
        *settings(arguments or {}),
        "--input", source, "--output", target,
    )  # fmt: skip
    return safetensors.torch.load_file(target)["output"], report


def relative_error(actual, expected):
    assert actual.shape == expected.shape
    return float((actual - expected).abs().max() / expected.abs().max())


def save(model, path, legacy=False):
    torch.save(model.state_dict(), path, _use_new_zipfile_serialization=not legacy)
    return path


def compare(tvw, folder, model, builder, checkpoint, x, arguments=None):
    expected = oracle.output(model, x)
    assert oracle.moved(model, x, expected) >= 0.01, "the output must depend on the input"
    for backend, tolerance in (("reference", 1e-5), ("auto", 1e-4)):
        actual, report = run(tvw, folder, builder, x, checkpoint, backend, arguments)
        assert relative_error(actual, expected) <= tolerance, backend
        assert report["num_params"] == sum(p.numel() for p in model.parameters())


def peak_memory():
    """Of this process and the largest that it called, in bytes."""
    peaks = (resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(peaks) * 1024


@pytest.mark.parametrize("builder", BUILDERS)
def test_parameters_are_torchvisions(tvw, builder):
    meta = default_weights(builder).meta
    # A Vision Transformer has a parameter for each patch.
    arguments = {"image_size": meta["min_size"][0]} if builder.startswith("vit_") else {}
    model = on_meta_device(builder, arguments)
    expected = [
        {"name": key, "dtype": str(value.dtype).removeprefix("torch."), "shape": list(value.shape)}
        for key, value in model.state_dict().items()
    ]
    actual = tvw.json("graph", builder, *settings(arguments))["parameters"]
    listed = [{key: entry[key] for key in ("name", "dtype", "shape")} for entry in actual]
    assert listed == expected
    trainable = {entry["name"] for entry in actual if entry["trainable"]}
    assert trainable == {name for name, _ in model.named_parameters()}
    auxiliary = ("aux1.", "aux2.", "AuxLogits.") if builder == "googlenet" else ()
    counted = [e for e in actual if e["trainable"] and not e["name"].startswith(auxiliary)]
    count = sum(torch.Size(entry["shape"]).numel() for entry in counted)
    assert count == meta["num_params"]


def listing(parameters):
    """A state dict as text, a line for each entry; the two parts of a packed layer have no type."""
    lines = []
    for entry in parameters:
        kind = {"packed": "tuple", "dtype": "dtype"}.get(entry["kind"])
        shape = "×".join(map(str, entry["shape"]))
        lines.append(f"{entry['name']} {kind or entry['dtype'] + ' ' + shape}".strip())
    return "\n".join(sorted(lines))


@pytest.mark.parametrize("weights", PUBLISHED)
def test_published_checkpoints_fit(tvw, weights):
    """Against a record of all checkpoints that torchvision has published for these networks."""
    shown = tvw.json("show", weights)
    arguments = {"quantize": True} if shown["builder"].startswith("quantized_") else {}
    if shown["builder"] == "quantized_inception_v3":
        arguments["aux_logits"] = False  # published without
    if shown["builder"].startswith("vit_"):
        arguments = {"image_size": shown["meta"]["min_size"][0]}
    entries = tvw.json("graph", shown["builder"], *settings(arguments))["parameters"]
    assert len(entries) == PUBLISHED[weights]["entries"]
    assert hashlib.sha256(listing(entries).encode()).hexdigest() == PUBLISHED[weights]["listing_sha256"]


@pytest.mark.parametrize(("builder", "seed"), list(output_cases()))
def test_outputs_are_torchvisions(tvw, tmp_path, builder, seed):
    fitting = smallest_size(builder) if builder in FIXED_SIZE else min(max(64, smallest_size(builder)), 128)
    model = oracle.calibrated(builder, seed, fitting)
    legacy = (BUILDERS.index(builder) + seed) % 2 == 1
    checkpoint = save(model, tmp_path / "model.pth", legacy)
    try:
        for size, count in inputs(builder, seed):
            compare(tvw, tmp_path, model, builder, checkpoint, oracle.images(seed + 1, count, size))
    finally:
        checkpoint.unlink()
    assert peak_memory() <= MOST_MEMORY


@pytest.mark.parametrize(("builder", "arguments"), VARIED)
def test_arguments_mean_what_they_mean_in_torchvision(tvw, tmp_path, builder, arguments):
    size = arguments.get("image_size") or max(96, smallest_size(builder))
    model = oracle.calibrated(builder, 3, size, **arguments)
    checkpoint = save(model, tmp_path / "model.pth")
    compare(tvw, tmp_path, model, builder, checkpoint, oracle.images(4, 1, size), arguments)


@pytest.mark.parametrize(
    ("builder", "arguments"),
    [
        ("resnext50_32x4d", {"groups": 16}),
        ("resnext101_64x4d", {"width_per_group": 8}),
        ("wide_resnet50_2", {"width_per_group": 64}),
        ("resnet18", {"groups": 2}),
        ("quantized_resnext101_32x8d", {"groups": 1}),
    ],
)
def test_what_makes_a_variant_is_not_to_be_changed(tvw, builder, arguments):
    with pytest.raises(ValueError) as caught:
        torchvision.models.get_model(builder, weights=None, **arguments)
    message = tvw.error("graph", builder, *settings(arguments))["message"]
    assert message.removeprefix(f"{builder}: ") == str(caught.value)


class TestLoadingHooks:
    """Files whose keys or shapes differ from what the builder writes today."""

    @pytest.fixture()
    def check(self, tvw, tmp_path):
        def call(builder, model, state):
            torch.save(state, tmp_path / "old.pth")
            x = oracle.images(30, 1, 64 if builder not in FIXED_SIZE else 224)
            actual, _ = run(tvw, tmp_path, builder, x, tmp_path / "old.pth", "reference")
            assert relative_error(actual, oracle.output(model, x)) <= 1e-5

        return call

    def test_densenet_with_dots_in_its_layers_names(self, check):
        model = oracle.calibrated("densenet121", 31)
        dotted = re.compile(r"(denselayer\d+\.(?:norm|conv))([12]\.)")
        check(
            "densenet121", model,
            {dotted.sub(r"\1.\2", key): value for key, value in model.state_dict().items()},
        )  # fmt: skip

    def test_vision_transformer_with_numbered_linear_layers(self, check):
        model = oracle.calibrated("vit_b_32", 32)
        names = {".mlp.0.": ".mlp.linear_1.", ".mlp.3.": ".mlp.linear_2."}
        renamed = re.compile("|".join(map(re.escape, names)))
        check(
            "vit_b_32", model,
            {renamed.sub(lambda m: names[m[0]], key): v for key, v in model.state_dict().items()},
        )  # fmt: skip

    def test_mnasnet_with_the_stem_of_its_first_version(self, check):
        model = torchvision.models.mnasnet0_75()
        stem = torchvision.models.mnasnet1_0().layers
        for i in range(8):
            model.layers[i] = stem[i]
        model.layers[8] = mnasnet._stack(16, model.layers[9][0].layers[0].in_channels, 3, 2, 3, 3, 0.1)
        check("mnasnet0_75", model.eval(), model.state_dict())

    @pytest.mark.parametrize("aux_logits", [True, False])
    def test_googlenet_with_and_without_auxiliary_heads(self, check, aux_logits):
        model = oracle.calibrated("googlenet", 33, aux_logits=aux_logits)
        check("googlenet", model, model.state_dict())


    def test_googlenet_leaves_the_auxiliary_heads_of_weights_out(self, tvw, tmp_path):
        save(oracle.calibrated("googlenet", 34), tmp_path / "model.pth")
        (tmp_path / "mine.json").write_text(descriptor("googlenet", 224))
        safetensors.torch.save_file({"input": oracle.images(35, 1, 64)}, tmp_path / "in.safetensors")

        def count(*arguments):
            return tvw.json(
                "run", "googlenet", "--weights", tmp_path / "mine.json", *arguments,
                "--input", tmp_path / "in.safetensors", "--output", tmp_path / "out.safetensors",
            )["num_params"]  # fmt: skip

        assert count() == num_params("googlenet")
        assert count("--set", "aux_logits=true") > num_params("googlenet")


def test_a_batch_of_odd_images_gives_one_row_each(tvw, tmp_path):
    model = oracle.calibrated("mobilenet_v3_small", 4)
    checkpoint = save(model, tmp_path / "model.pth")
    x = oracle.images(5, 3, 97)[:, :, :, :81].contiguous()
    actual, _ = run(tvw, tmp_path, "mobilenet_v3_small", x, checkpoint, "auto")
    assert relative_error(actual, oracle.output(model, x)) <= 1e-4


@pytest.mark.parametrize("builder", ["resnet18", "mobilenet_v3_small", "efficientnet_b0"])
def test_random_parameters_follow_torchvisions_distributions(tvw, tmp_path, builder):
    """The logits of many random networks have the same scale as torchvision's."""
    x = oracle.images(6, 4, 64)
    source, target = tmp_path / "in.safetensors", tmp_path / "out.safetensors"
    safetensors.torch.save_file({"input": x}, source)
    ours, theirs = [], []
    for seed in range(6):
        tvw("run", builder, "--seed", seed, "--input", source, "--output", target)
        ours.append(safetensors.torch.load_file(target)["output"])
        torch.manual_seed(seed)
        theirs.append(oracle.output(torchvision.models.get_model(builder).eval(), x))
    assert not torch.equal(ours[0], ours[1])
    ratio = float(torch.cat(ours).std() / torch.cat(theirs).std())
    assert 0.5 < ratio < 2


def test_a_seed_repeats(tvw, tmp_path):
    source = tmp_path / "in.safetensors"
    safetensors.torch.save_file({"input": oracle.images(7, 1, 64)}, source)
    outputs = []
    for name in ("a", "b"):
        target = tmp_path / f"{name}.safetensors"
        tvw("run", "resnet18", "--seed", 5, "--input", source, "--output", target)
        outputs.append(target.read_bytes())
    assert outputs[0] == outputs[1]


def test_half_precision_weights_are_cast(tvw, tmp_path):
    model = oracle.calibrated("resnet18", 8)
    half = {k: v.half() if v.is_floating_point() else v for k, v in model.state_dict().items()}
    checkpoint = tmp_path / "half.pth"
    torch.save(half, checkpoint)
    model.load_state_dict(half)
    x = oracle.images(9, 1, 64)
    actual, _ = run(tvw, tmp_path, "resnet18", x, checkpoint, "reference")
    assert relative_error(actual, oracle.output(model, x)) <= 1e-5


class TestErrors:
    @pytest.fixture()
    def attempt(self, tvw, tmp_path):
        source = tmp_path / "in.safetensors"
        safetensors.torch.save_file({"input": torch.zeros(1, 3, 64, 64)}, source)
        state = torchvision.models.resnet18().state_dict()

        def call(change=lambda state: None, builder="resnet18", arguments=()):
            change(state)
            torch.save(state, tmp_path / "c.pth")
            return tvw.error(
                "run", builder, "--checkpoint", tmp_path / "c.pth", *arguments,
                "--input", source, "--output", tmp_path / "o.safetensors",
            )  # fmt: skip

        return call

    def test_missing_key_names_the_layer_and_the_nearest_key(self, attempt):
        def change(state):
            state["layer1.0.conv1.wieght"] = state.pop("layer1.0.conv1.weight")

        error = attempt(change)
        assert error["kind"] == "mismatch"
        assert '"layer1.0.conv1.weight"' in error["message"]
        assert "layer1.0.conv1.wieght" in error["message"]

    def test_wrong_shape_names_both(self, attempt):
        def change(state):
            state["fc.weight"] = torch.zeros(10, 512)

        message = attempt(change)["message"]
        assert '"fc.weight" is 10×512, expected 1000×512' in message

    def test_not_a_number_names_the_layer(self, attempt):
        def change(state):
            state["fc.bias"][3] = float("nan")

        message = attempt(change)["message"]
        assert '"fc.bias"' in message and "nan" in message and "3" in message

    @pytest.mark.parametrize(
        ("dtype", "value"),
        [("float16", math.inf), ("bfloat16", -math.inf), ("bfloat16", math.nan), ("float64", math.nan)],
    )
    def test_no_dtype_hides_what_is_not_finite(self, attempt, dtype, value):
        def change(state):
            state["layer1.0.bn1.running_var"] = torch.ones(64, dtype=getattr(torch, dtype))
            state["layer1.0.bn1.running_var"][63] = value

        error = attempt(change)
        assert error["kind"] == "mismatch"
        part = f'"layer1.0.bn1.running_var" holds {value} at element 63: the checkpoint is damaged'
        assert part in error["message"]

    def test_what_float32_cannot_hold_names_the_layer(self, attempt):
        def change(state):
            state["fc.bias"] = torch.full((1000,), 1e300, dtype=torch.float64)

        assert '"fc.bias" holds inf at element 0' in attempt(change)["message"]

    def test_absent_counters_are_tolerated_but_unknown_keys_are_not(self, attempt):
        def change(state):
            for key in [k for k in state if k.endswith("num_batches_tracked")]:
                del state[key]
            state["surplus"] = torch.zeros(1)

        assert 'unexpected "surplus"' in attempt(change)["message"]

    def test_unknown_argument_is_refused_as_python_does(self, attempt):
        message = attempt(arguments=("--set", "num_clases=3"))["message"]
        assert "unexpected keyword argument 'num_clases'" in message
        assert "num_classes" in message

    @pytest.mark.parametrize("builder", ["fcn_resnet50", "fasterrcnn_resnet50_fpn"])
    def test_a_builder_without_family_is_known_not_yet_built(self, attempt, builder):
        error = attempt(builder=builder)
        assert error["kind"] == "not_supported"
        assert "known, not yet built" in error["message"]

    def test_an_unknown_builder_is_unknown(self, attempt):
        assert "Unknown model nope" in attempt(builder="nope")["message"]

    def test_a_cuda_device_is_a_clear_error(self, attempt):
        error = attempt(arguments=("--device", "cuda:0"))
        assert error["kind"] == "not_supported"
        assert "cuda:0" in error["message"]
