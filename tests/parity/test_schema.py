# SPDX-License-Identifier: LGPL-2.1-or-later
"""The data files and the example descriptors keep the published JSON schemas."""

import copy
import json
import pathlib

import jsonschema
import pytest
from referencing import Registry, Resource

ROOT = pathlib.Path(__file__).resolve().parents[2]
SCHEMAS = {
    path.name: json.loads(path.read_text()) for path in (ROOT / "data" / "schema").glob("*.json")
}
WEIGHTS = sorted((ROOT / "data" / "weights").glob("*.json"))
DESCRIPTORS = sorted((ROOT / "examples").glob("*.json"))


def validator(name):
    resources = [(key, Resource.from_contents(schema)) for key, schema in SCHEMAS.items()]
    return jsonschema.Draft202012Validator(
        SCHEMAS[name], registry=Registry().with_resources(resources)
    )


def assert_valid(name, document):
    assert [error.message for error in validator(name).iter_errors(document)] == []


def test_schemas_are_schemas():
    assert {"descriptor.schema.json", "entry.schema.json", "weights.schema.json"} <= set(SCHEMAS)
    for schema in SCHEMAS.values():
        jsonschema.Draft202012Validator.check_schema(schema)


@pytest.mark.parametrize("path", WEIGHTS, ids=lambda path: path.stem)
def test_weights_file_is_valid(path):
    assert_valid("weights.schema.json", json.loads(path.read_text()))


def test_descriptors_are_valid_and_are_read(tvw):
    assert DESCRIPTORS
    for path in DESCRIPTORS:
        assert_valid("descriptor.schema.json", json.loads(path.read_text()))
        assert tvw.json("show", path)["name"] == path.stem


GOOD = {
    "builder": "resnet50",
    "checkpoint": "best.pth",
    "arguments": {"num_classes": 2, "list": [1, 0.5], "none": None},
    "categories": ["a", "b"],
    "sha256": "0123456789abcdef",
    "state_dict_key": "model_ema",
    "strip_prefix": "module.",
    "transforms": {"preset": "ImageClassification", "crop_size": 224, "antialias": None},
    "meta": {"categories": None, "num_params": 1, "_metrics": {"x": {"acc@1": None}}},
}

# Where in GOOD, and what to put there; ... removes the key.
BAD = [
    (["builder"], ...),
    (["checkpoint"], ...),
    (["transforms"], ...),
    (["url"], "https://x.org/a.pth"),
    (["member"], "V1"),
    (["categorys"], ["a"]),
    (["categories"], []),
    (["categories"], ["a", 1]),
    (["categories"], None),
    (["sha256"], "0123"),
    (["sha256"], "ABCDEF0123"),
    (["arguments"], {"a": {}}),
    (["arguments"], {"a": [[1]]}),
    (["arguments"], []),
    (["state_dict_key"], 1),
    (["strip_prefix"], 1),
    (["transforms", "preset"], "ImagClassification"),
    (["transforms", "preset"], "ObjectDetection"),
    (["transforms", "crop_size"], 0),
    (["transforms", "crop_size"], []),
    (["transforms", "crop_size"], "224"),
    (["transforms", "crop_size"], 99999),
    (["transforms", "crop_sise"], 1),
    (["transforms", "mean"], [1, 2]),
    (["transforms", "interpolation"], "lanczos"),
    (["meta", "num_param"], 1),
    (["meta", "num_params"], -1),
    (["meta", "categories"], ["a"]),
    (["meta", "min_size"], [1]),
    (["meta", "_metrics"], {"x": 1}),
]


def changed(place, value):
    document = copy.deepcopy(GOOD)
    *outer, key = place
    target = document
    for name in outer:
        target = target[name]
    if value is ...:
        del target[key]
    else:
        target[key] = value
    return document


def test_schema_and_program_accept_the_same(tvw, tmp_path):
    path = tmp_path / "best.json"
    path.write_text(json.dumps(GOOD))
    assert_valid("descriptor.schema.json", GOOD)
    assert tvw.json("show", path)["arguments"] == {"num_classes": 2, "list": [1, 0.5], "none": None}
    for place, value in BAD:
        document = changed(place, value)
        path.write_text(json.dumps(document))
        assert not validator("descriptor.schema.json").is_valid(document), place
        error = tvw.error("show", path)
        assert error["kind"] == "invalid_argument", (place, error)
        assert "best.json" in error["message"] and len(error["message"].splitlines()) <= 2
