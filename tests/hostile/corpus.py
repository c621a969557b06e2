# SPDX-License-Identifier: LGPL-2.1-or-later
"""All malformed files; run as a program, writes them into a folder: corpus.py FOLDER."""

import dataclasses
import pathlib
import sys

import legacies
import pickles
import safetensors_files
import tensors
import wholes
import zips

AREAS = {
    "file": wholes,
    "zip": zips,
    "pickle": pickles,
    "tensor": tensors,
    "legacy": legacies,
    "safetensors": safetensors_files,
}


def rows():
    """Every row, its area before its name."""
    for area, module in AREAS.items():
        for row in module.rows():
            yield dataclasses.replace(row, name=f"{area}_{row.name}")


def write(row, folder):
    path = folder / f"{row.name}.pth"
    path.write_bytes(row.data)
    return path


if __name__ == "__main__":
    target = pathlib.Path(sys.argv[1])
    target.mkdir(parents=True, exist_ok=True)
    for each in rows():
        write(each, target)
