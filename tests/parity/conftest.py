# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the tests against torchvision share: the program under test, and how to call it."""

import json
import os
import pathlib
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("TVW_BUILD", ROOT / "build"))
OLD_TORCH = pathlib.Path(os.environ.get("TVW_OLD_TORCH", ROOT / ".deps" / "old-torch")) / "bin" / "python"
# A missing checkpoint is an error, not a wait for a server that is nowhere near.
os.environ["TVW_OFFLINE"] = "1"

LONG = os.environ.get("TVW_LONG") == "1"


def descriptor(builder, side, **more):
    """Text of a user's descriptor of model.pth, for images of `side`²."""
    transforms = {"preset": "ImageClassification", "crop_size": side, "resize_size": side}
    return json.dumps({"builder": builder, "checkpoint": "model.pth", "transforms": transforms} | more)


class Tvw:
    """The program `tvw`, called as a user would."""

    def __call__(self, *args, check=True, env=None):
        result = subprocess.run(
            [BUILD / "cli" / "tvw", *map(str, args)],
            capture_output=True,
            text=True,
            timeout=600,
            env=dict(os.environ, **(env or {})),
        )
        if check:
            assert result.returncode == 0, result.stderr
        return result

    def json(self, *args, **keywords):
        return json.loads(self(*args, "--json", **keywords).stdout)

    def json_lines(self, *args, **keywords):
        return [json.loads(line) for line in self(*args, "--json", **keywords).stdout.splitlines()]

    def error(self, *args, **keywords):
        """The error object of a call that must fail with exit code 1."""
        result = self(*args, "--json", check=False, **keywords)
        assert result.returncode == 1, (result.returncode, result.stdout, result.stderr)
        return json.loads(result.stderr)["error"]


@pytest.fixture(scope="session")
def tvw():
    return Tvw()
