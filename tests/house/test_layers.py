# SPDX-License-Identifier: LGPL-2.1-or-later
"""Folders include only what stands beneath them; layers.toml says what that is."""

import pathlib
import re
import tomllib

import pytest

from conftest import ROOT, project_files, text_of

LAYERS = tomllib.loads(text_of("tests/house/layers.toml"))
INCLUDE = re.compile(r'^\s*#\s*include\s+([<"])([^>"]+)[>"]', re.MULTILINE)
PUBLIC = "lib/include/tvw"


def beneath(folder):
    found = {folder}
    waiting = [folder]
    while waiting:
        for lower in LAYERS["beneath"].get(waiting.pop(), []):
            if lower not in found:
                found.add(lower)
                waiting.append(lower)
    return found


def folder_of(name):
    """The entry of the table to which a source file belongs."""
    parts = pathlib.PurePosixPath(name).parent.parts
    return "/".join(parts[:2]) if parts[0] == "lib" else parts[0]


def complaints(name, text):
    """What the include lines of one file do that they must not."""
    folder = folder_of(name)
    public = name.startswith(PUBLIC)
    if not public and folder not in LAYERS["beneath"]:
        return [f"{name}: the folder {folder} is not in layers.toml"]
    stem = pathlib.PurePosixPath(name).stem
    if public:
        folder = LAYERS["header"].get(stem)
        if folder is None:
            return [f"{name}: this public header is not in layers.toml"]
    allowed = beneath(folder)
    result = []
    for bracket, path in INCLUDE.findall(text):
        first = path.split("/")[0]
        if path.startswith("tvw/"):
            owner = LAYERS["header"].get(pathlib.PurePosixPath(path).stem)
            if owner not in allowed and "public" not in allowed:
                result.append(f"{name}: {folder} must not use <{path}> of {owner}")
        elif public and (bracket == '"' or "/" in path or "." in path):
            if LAYERS["shown"].get(stem) == first:
                continue
            result.append(f"{name}: a public header must not include {path}")
        elif first in LAYERS["foreign"]:
            if folder not in LAYERS["foreign"][first]:
                result.append(f"{name}: {folder} must not include {path}")
        elif bracket == '"' and f"lib/{first}" in LAYERS["beneath"]:
            if f"lib/{first}" not in allowed:
                result.append(f"{name}: {folder} must not use {path}")
    return result


def sources():
    return [
        name
        for name in project_files(".h", ".cpp", ".c", ".cu")
        if name.startswith(("lib/", "gst/", "cli/"))
    ]


def test_folders_include_only_what_is_beneath_them():
    assert sources()
    assert [line for name in sources() for line in complaints(name, text_of(name))] == []


def test_the_table_names_only_what_exists():
    folders = LAYERS["beneath"].keys() - {"tvw/engine.h"}
    assert [name for name in folders if not (ROOT / name).is_dir()] == []
    missing = [name for name in LAYERS["header"] if not (ROOT / PUBLIC / f"{name}.h").is_file()]
    assert missing == []


def test_the_layers_have_no_cycle():
    for folder, lower in LAYERS["beneath"].items():
        assert all(folder not in beneath(name) for name in lower)


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("lib/models/resnet.cpp", "#include <gst/gst.h>"),
        ("lib/base/log.cpp", "#include <glib.h>"),
        ("lib/weights/registry.cpp", "#include <ATen/ATen.h>"),
        ("lib/graph/graph.cpp", "#include <c10/core/Device.h>"),
        ("lib/models/resnet.cpp", "#include <torch/torch.h>"),
        ("lib/engine/engine.cpp", "#include <ATen/ATen.h>"),
        ("lib/backends/plan.cpp", "#include <cuda_runtime_api.h>"),
        ("lib/include/tvw/engine.h", '#include "cuda/library.h"'),
        ("gst/classify.cpp", "#include <ATen/ATen.h>"),
        ("gst/classify.cpp", '#include "graph/graph.h"'),
        ("cli/run.cpp", "#include <c10/core/Device.h>"),
        ("cli/classify.cpp", "#include <opencv2/imgcodecs.hpp>"),
        ("cli/fetch.cpp", "#include <curl/curl.h>"),
        ("lib/hub/fetch.cpp", "#include <curl/curl.h>"),
        ("cli/run.cpp", '#include "models/models.h"'),
        ("lib/base/log.cpp", '#include "weights/registry.h"'),
        ("lib/base/log.cpp", "#include <tvw/weights.h>"),
        ("lib/checkpoint/zip.cpp", "  #  include <tvw/hub.h>"),
        ("lib/graph/graph.cpp", '#include "nn/scope.h"'),
        ("lib/nn/scope.cpp", '#include "models/models.h"'),
        ("lib/passes/fold_batch_norm.cpp", '#include "backends/reference.h"'),
        ("lib/classifier/classifier.cpp", '#include "engine/engine.h"'),
        ("lib/include/tvw/tensor.h", "#include <ATen/core/Tensor.h>"),
        ("lib/include/tvw/weights.h", "#include <nlohmann/json.hpp>"),
        ("lib/include/tvw/weights.h", '#include "weights/entry.h"'),
        ("lib/include/tvw/error.h", "#include <tvw/weights.h>"),
        ("lib/include/tvw/surprise.h", "#include <string>"),
        ("lib/surprise/surprise.cpp", "#include <string>"),
    ],
)
def test_a_forbidden_include_is_found(name, line):
    assert complaints(name, f"#pragma once\n{line}\n")


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("lib/backends/reference.cpp", "#include <ATen/ATen.h>"),
        ("lib/models/resnet.cpp", '#include "nn/layers.h"'),
        ("lib/engine/engine.cpp", '#include "passes/passes.h"'),
        ("lib/include/tvw/weights.h", "#include <tvw/transforms.h>"),
        ("lib/include/tvw/weights.h", "#include <string>"),
        ("lib/include/tvw/model.h", "#include <ATen/core/Tensor.h>"),
        ("gst/classify.cpp", "#include <gst/video/video.h>"),
        ("gst/classify.cpp", "#include <tvw/classifier.h>"),
        ("gst/classify.cpp", '#include "classify.h"'),
    ],
)
def test_an_allowed_include_passes(name, line):
    assert complaints(name, f"{line}\n") == []
