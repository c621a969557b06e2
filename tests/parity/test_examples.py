# SPDX-License-Identifier: LGPL-2.1-or-later
"""The programs of examples/ print what the Python that they stand for prints."""

import re
import subprocess

import pytest
from torchvision.models import get_model_weights, list_models

from conftest import BUILD, ROOT

EXAMPLES = ROOT / "examples"


def python_listing(builder):
    """The lines of "Programmatic Weight Inspection"."""
    text = ""
    for weights in get_model_weights(builder):
        meta = weights.meta
        metrics = meta["_metrics"].get("ImageNet-1K", {})
        text += (
            f"{weights}\n  acc@1={metrics.get('acc@1')}  acc@5={metrics.get('acc@5')}"
            f"  params={meta['num_params']:,}  size={meta['_file_size']} MB\n"
        )
    return text


def example(name, *arguments, **keywords):
    return subprocess.run(
        [BUILD / "examples" / name, *arguments], capture_output=True, text=True, **keywords
    )


def test_accuracy_prints_what_python_prints():
    import torchvision

    builders = list_models(torchvision.models)
    assert len(builders) == 80
    for builder in builders:
        assert example("accuracy", builder).stdout == python_listing(builder)
    assert example("accuracy").stdout == python_listing("resnet50")


def test_a_mistake_is_one_line_and_exit_code_1():
    result = example("accuracy", "nope")
    assert (result.returncode, result.stdout, result.stderr) == (1, "", "Unknown model nope\n")


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.cpp")), ids=lambda path: path.name)
def test_examples_are_short_and_use_installed_headers_only(path):
    text = path.read_text()
    assert len(text.splitlines()) < 60
    assert re.findall(r'#include "', text) == []
    for header in re.findall(r"#include <(\w+/\S+)>", text):
        assert header.startswith(("tvw/", "ATen/")), header
