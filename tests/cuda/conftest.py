# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the tests of device handling share: the program, and drivers that are not there."""

import os
import pathlib
import re
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("TVW_BUILD", ROOT / "build")).resolve()
MODULE = BUILD / "lib" / "libtvw-cuda.so"
FAKE_DRIVER = BUILD / "tests" / "support" / "fake_driver"


def clean_environment(**variables):
    """Without any GPU, wherever the tests run."""
    return dict(os.environ, CUDA_VISIBLE_DEVICES="", **variables)


def fake_driver(version=13000, gpus=1, error=0):
    """An environment in which the driver says this; it shows the loader nothing else."""
    return clean_environment(
        LD_LIBRARY_PATH=str(FAKE_DRIVER), TVW_FAKE_DRIVER=f"{version} {gpus} {error}"
    )


def bench(*arguments, env=None, builder="squeezenet1_1"):
    """tvw bench of the smallest network, as a finished process."""
    command = [BUILD / "cli" / "tvw", "bench", builder, "--rounds", "1", "--warmup", "0"]
    return subprocess.run(
        [str(part) for part in [*command, "--size", "64", "--verbose", *arguments]],
        capture_output=True,
        text=True,
        env=env or clean_environment(),
    )


def said(result):
    """The lines that the library logged or the program failed with."""
    return [line.removeprefix("tvw: ") for line in result.stderr.splitlines()]


def refusal(*arguments, **keywords):
    """What is said by a run that must fail, in one line."""
    result = bench(*arguments, **keywords)
    assert result.returncode == 1, result
    (line,) = said(result)
    return line


def loader_complaint():
    """Why libtvw-cuda does not load here; empty where it does."""
    probe = "import ctypes, sys\ntry: ctypes.CDLL(sys.argv[1])\nexcept OSError as error: print(error)"
    output = subprocess.run(
        ["python3", "-c", probe, str(MODULE)], check=True, capture_output=True, text=True
    ).stdout
    return output.strip()


@pytest.fixture(scope="session")
def missing_library():
    """One of LibTorch's CUDA libraries that is not installed here."""
    if not MODULE.exists():
        pytest.skip("built without CUDA")
    complaint = loader_complaint()
    found = re.match(r"(\S+): cannot open shared object file", complaint)
    if not found:
        pytest.skip("LibTorch's CUDA libraries are all here")
    return found[1]


@pytest.fixture(scope="session")
def built_with_cuda():
    if not MODULE.exists():
        pytest.skip("built without CUDA")
