# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the tests of the house's own rules share: the files under version control, the build."""

import os
import pathlib
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("TVW_BUILD", ROOT / "build")).resolve()


def output(*command, **keywords):
    return subprocess.run(
        [str(part) for part in command], check=True, capture_output=True, text=True, **keywords
    ).stdout


def project_files(*suffixes):
    """Paths, relative to the root, of the files that belong to the project; all without suffixes."""
    listing = output("git", "-C", ROOT, "ls-files", "--cached", "--others", "--exclude-standard")
    names = sorted(set(listing.splitlines()))
    return [
        name
        for name in names
        if (not suffixes or name.endswith(suffixes)) and (ROOT / name).is_file()
    ]


def text_of(name):
    return (ROOT / name).read_text(encoding="utf-8")
