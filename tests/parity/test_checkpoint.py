# SPDX-License-Identifier: LGPL-2.1-or-later
"""The reader gives bit for bit what torch.load gives, in both containers."""

import collections
import functools
import hashlib
import pathlib
import subprocess
import warnings

import pytest
import safetensors.torch
import torch
import torchvision

from checkpoints import assert_equal, try_all
from conftest import LONG, OLD_TORCH
from state_dicts import CONTAINERS, MAKERS, plain_dtypes, quantized, views

pytestmark = pytest.mark.filterwarnings("ignore")  # PyTorch deprecates its own quantization


@pytest.fixture(params=CONTAINERS)
def container(request):
    return request.param


def check(state_dict, container, tmp_path):
    path = tmp_path / "checkpoint.pth"
    torch.save(state_dict, path, _use_new_zipfile_serialization=CONTAINERS[container])
    description = assert_equal(path, tmp_path, torch.load(path, weights_only=False))
    assert description["container"] == container
    assert description["digest"] == hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize("make", MAKERS)
def test_values_are_bit_equal(make, container, tmp_path):
    torch.manual_seed(0)
    check(make(), container, tmp_path)


@pytest.fixture(scope="module")
def old_files(tmp_path_factory):
    """What the oldest PyTorch wrote that can still be installed."""
    if not OLD_TORCH.exists():
        pytest.skip("only in a long run: the old PyTorch takes 3 GB")
    folder = tmp_path_factory.mktemp("old")
    script = pathlib.Path(__file__).with_name("state_dicts.py")
    subprocess.run([OLD_TORCH, script, folder], check=True, timeout=120)
    return folder


@pytest.mark.parametrize("make", MAKERS)
def test_files_of_an_old_version_are_bit_equal(make, container, old_files, tmp_path):
    path = old_files / f"{make.__name__}.{container}"
    description = assert_equal(path, tmp_path, torch.load(path, weights_only=False))
    assert description["container"] == container


class ListQuantized:
    """Pickles as old versions of PyTorch wrote tensors with scales per channel."""

    def __init__(self, tensor):
        self.tensor = tensor

    def __reduce__(self):
        tensor = self.tensor
        quantizer = (
            torch.per_channel_affine,
            tensor.q_per_channel_scales().tolist(),
            tensor.q_per_channel_zero_points().tolist(),
            tensor.q_per_channel_axis(),
        )
        storage = torch.storage.TypedStorage(
            wrap_storage=tensor.untyped_storage(), dtype=tensor.dtype, _internal=True
        )
        arguments = (storage, 0, tuple(tensor.shape), tensor.stride(), quantizer, False)
        return torch._utils._rebuild_qtensor, (*arguments, collections.OrderedDict())


def test_scales_may_be_lists(container, tmp_path):
    check({"w": ListQuantized(quantized()["per_channel"])}, container, tmp_path)


def test_checksums_may_be_left_out(tmp_path):
    torch.serialization.set_crc32_options(False)
    try:
        check(views(), "zip", tmp_path)
    finally:
        torch.serialization.set_crc32_options(True)


@pytest.mark.parametrize("name", ["resnet18", "mobilenet_v3_small", "densenet121"])
def test_builders_are_bit_equal(name, container, tmp_path):
    check(torchvision.models.get_model(name, weights=None).state_dict(), container, tmp_path)


@functools.lru_cache(maxsize=1)
def quantized_state_dict(name):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return torchvision.models.get_model(name, weights=None, quantize=True).state_dict()


# The others take long to build.
QUANTIZED = torchvision.models.list_models(torchvision.models.quantization)
QUANTIZED = QUANTIZED if LONG else ["quantized_mobilenet_v2", "quantized_resnet18"]


@pytest.mark.parametrize("container", CONTAINERS)
@pytest.mark.parametrize("name", QUANTIZED)
def test_quantized_builders_are_bit_equal(name, container, tmp_path):
    check(quantized_state_dict(name), container, tmp_path)


def test_safetensors_are_read_under_any_name(tmp_path):
    tensors = {k: v.contiguous() for k, v in {**plain_dtypes(), "empty": torch.empty(0, 3)}.items()}
    path = tmp_path / "really.pth"
    safetensors.torch.save_file(tensors, path, metadata={"format": "pt"})
    with safetensors.safe_open(path, "pt") as file:
        ordered = {key: file.get_tensor(key) for key in file.offset_keys()}
    description = assert_equal(path, tmp_path, ordered)
    assert description["container"] == "safetensors"


def test_what_stands_beside_the_state_dict_takes_no_memory(container, tmp_path):
    path, mebibyte = tmp_path / "checkpoint.pth", 1 << 18
    saved = {"model": {"w": torch.ones(mebibyte)}, "optimizer": {0: torch.zeros(96 * mebibyte)}}
    torch.save(saved, path, _use_new_zipfile_serialization=CONTAINERS[container])
    [answer] = try_all([path])
    assert answer["loaded"] and answer["peak_mib"] < 48, answer


def test_loading_takes_hardly_more_than_the_file(container, tmp_path):
    path, size = tmp_path / "checkpoint.pth", 192
    state_dict = {f"w{i}": torch.zeros(size << 15) for i in range(8)}
    torch.save(state_dict, path, _use_new_zipfile_serialization=CONTAINERS[container])
    [answer] = try_all([path])
    assert answer["loaded"] and size < answer["peak_mib"] < size + 64, answer


def test_check_lists_every_tensor(tvw, tmp_path):
    path = tmp_path / "checkpoint.pth"
    torch.save(quantized(), path)
    report = tvw.json("check", path)
    assert report["file"] == str(path) and report["container"] == "zip"
    assert report["digest"] == hashlib.sha256(path.read_bytes()).hexdigest()
    rows = [(t["name"], t["dtype"], t["shape"]) for t in report["tensors"]]
    assert ("_packed_params.0", "qint8", [4, 3, 2]) in rows
    assert ("_packed_params.1", "float32", [4]) in rows
    assert ("without_bias.0", "qint8", [4, 3, 2]) in rows
    assert ("dtype", "qint8", None) in rows
    assert len(rows) == 9
    assert "per_channel" in tvw("check", path).stdout


def test_check_takes_the_state_dict_that_is_asked_for(tvw, tmp_path):
    path = tmp_path / "checkpoint.pth"
    torch.save({"model": {"a": torch.ones(1)}, "model_ema": {"b": torch.ones(2)}, "epoch": 1}, path)
    assert tvw.error("check", path)["kind"] == "mismatch"
    report = tvw.json("check", path, "--state-dict", "model_ema")
    assert report["state_dict_key"] == "model_ema"
    assert report["tensors"] == [{"name": "b", "dtype": "float32", "shape": [2]}]
    assert "state dict under model\n" in tvw("check", path, "--state-dict", "model").stdout
    torch.save({"a": torch.ones(1)}, path)
    assert tvw.json("check", path)["state_dict_key"] == ""


def test_check_reports_the_error_with_its_offset(tvw, tmp_path):
    path = tmp_path / "page.pth"
    path.write_text("<html>404</html>")
    error = tvw.error("check", path)
    assert error["kind"] == "corrupt_file" and error["offset"] == 0
    assert "web page" in error["message"] and "page.pth" in error["message"]
