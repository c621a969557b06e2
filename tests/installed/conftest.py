# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the tests of the installed tree share: the tree itself, in a folder that is not its prefix."""

import json
import os
import pathlib
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("TVW_BUILD", ROOT / "build")).resolve()


def output(*command, **keywords):
    """What a command prints; where it fails, all that it printed."""
    result = subprocess.run(
        [str(part) for part in command], capture_output=True, text=True, **keywords
    )
    assert result.returncode == 0, f"{command}\n{result.stdout}\n{result.stderr}"
    return result.stdout


class Installed:
    """What `meson install` wrote, by kind."""

    def __init__(self, destination):
        self.options = {
            option["name"]: option["value"]
            for option in json.loads(output("meson", "introspect", "--buildoptions", BUILD))
        }
        self.prefix = destination / self.options["prefix"].lstrip("/")
        self.libraries = self.folder("libdir")
        self.program = self.folder("bindir") / "tvw"

    def folder(self, name):
        return self.prefix / self.options[name]

    def environment(self):
        """The tree's pkg-config files before the system's, and none of our build's libraries."""
        environment = os.environ | {"PKG_CONFIG_PATH": str(self.libraries / "pkgconfig")}
        environment.pop("LD_LIBRARY_PATH", None)
        return environment


@pytest.fixture(scope="session")
def installed(tmp_path_factory):
    destination = tmp_path_factory.mktemp("destination")
    output("meson", "install", "-C", BUILD, "--no-rebuild", "--quiet", "--destdir", destination)
    return Installed(destination)
