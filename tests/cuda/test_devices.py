# SPDX-License-Identifier: LGPL-2.1-or-later
"""Where a model runs, and what is said where it cannot: without a GPU, and with drivers made up."""

import pathlib
import re

import pytest

from conftest import MODULE, bench, fake_driver, refusal, said

CPU_HAS_BF16 = not {"avx512_bf16", "bf16"}.isdisjoint(
    pathlib.Path("/proc/cpuinfo").read_text().split()
)
OTHERWISE = 'or take the device "cpu" or "auto"'


def test_auto_falls_back_to_the_cpu_and_says_why_in_one_line():
    result = bench("--device", "auto")
    assert result.returncode == 0, result
    (line,) = said(result)
    assert re.match(r"squeezenet1_1 runs on the CPU: .*(driver|libtvw-cuda)", line)
    assert ", backend auto" in result.stdout.splitlines()[0]


def test_cpu_asks_for_no_driver():
    result = bench("--device", "cpu", env=fake_driver(gpus=0, error=100))
    assert said(result) == ["squeezenet1_1 runs on the CPU"]


@pytest.mark.parametrize("device", ["cuda", "cuda:0", "cuda:7"])
def test_cuda_without_a_gpu_is_refused_with_the_device_and_what_to_try(device):
    line = refusal("--device", device)
    index = device.removeprefix("cuda").removeprefix(":") or "0"
    assert f"device cuda:{index} cannot be used for squeezenet1_1: " in line
    assert line.endswith(OTHERWISE)


def test_no_driver_is_told_from_a_driver_without_gpu(built_with_cuda):
    line = refusal("--device", "cuda", env=fake_driver(gpus=0, error=100))
    assert "driver finds no GPU (CUDA_ERROR_NO_DEVICE)" in line
    line = refusal("--device", "cuda", env=fake_driver(gpus=0, error=999))
    assert "driver finds no GPU (error 999)" in line
    line = refusal("--device", "cuda", env=fake_driver(gpus=0))
    assert "driver finds no GPU (it counts none)" in line


def test_a_driver_that_is_too_old_is_told_with_both_versions(built_with_cuda):
    line = refusal("--device", "cuda", env=fake_driver(version=12040))
    assert re.search(r"driver is for CUDA 12\.4, older than the \d+\.0 of this build", line)


def test_libraries_that_are_missing_are_named_with_the_way_to_get_them(missing_library):
    line = refusal("--device", "cuda", env=fake_driver())
    assert missing_library in line and "./setup.sh --cuda" in line


def test_libraries_that_are_missing_are_one_line_of_the_log(missing_library):
    result = bench("--device", "auto", env=fake_driver())
    assert result.returncode == 0
    (line,) = said(result)
    assert line.startswith("squeezenet1_1 runs on the CPU: ") and missing_library in line


def test_a_build_without_the_module_says_so():
    if MODULE.exists():
        pytest.skip("built with CUDA")
    assert "-Dcuda=enabled" in refusal("--device", "cuda", env=fake_driver())


@pytest.mark.parametrize("precision", ["tf32", "fp16"])
@pytest.mark.parametrize("device", ["auto", "cpu"])
def test_another_precision_on_the_cpu_is_refused_with_what_to_do(device, precision):
    line = refusal("--device", device, "--precision", precision)
    assert line.startswith(f"precision {precision} needs an NVIDIA GPU, and squeezenet1_1 runs on")
    assert line.endswith('or take the precision "fp32"')
    assert ("driver" in line or "libtvw-cuda" in line) == (device == "auto")


@pytest.mark.parametrize("device", ["auto", "cpu"])
def test_bf16_on_the_cpu_runs_where_the_cpu_has_it(device):
    if CPU_HAS_BF16:
        result = bench("--device", device, "--precision", "bf16")
        assert result.returncode == 0, result
        (line,) = said(result)
        assert line.startswith("squeezenet1_1 runs on the CPU with bf16")
        assert result.stdout.splitlines()[0].endswith(", backend auto, bf16")
        return
    line = refusal("--device", device, "--precision", "bf16")
    assert line.startswith("precision bf16 needs an NVIDIA GPU, or instructions for it that this CPU")
    assert line.endswith('or take the precision "fp32"')
    assert ("driver" in line or "libtvw-cuda" in line) == (device == "auto")


def test_a_precision_that_is_none_is_repeated():
    assert '"fp8"' in refusal("--precision", "fp8")


def test_the_reference_backend_stays_on_the_cpu():
    assert 'backend "reference"' in refusal("--device", "cuda", "--backend", "reference")
    result = bench("--device", "auto", "--backend", "reference", env=fake_driver())
    assert result.returncode == 0


def test_quantized_networks_stay_on_the_cpu():
    # Whatever GPU there is: no driver is asked. (The run then ends, for want of parameters.)
    first, *_ = said(bench(builder="quantized_mobilenet_v2", env=fake_driver()))
    assert first.endswith("runs on the CPU: quantized networks run on the CPU alone")
