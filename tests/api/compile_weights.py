# SPDX-License-Identifier: LGPL-2.1-or-later
"""compile_weights.py SOURCE -- COMPILER...: only the builder's own weights compile, and what stops
the others is the deleted constructor."""

import os
import subprocess
import sys

source, _, *compiler = sys.argv[1:]


def complaints(builder, weights):
    """What the compiler says of errors, or nothing where it compiles."""
    result = subprocess.run(
        [*compiler, "-fsyntax-only", f"-DBUILDER={builder}", f"-DWEIGHTS={weights}", source],
        capture_output=True, text=True, env=dict(os.environ, LC_ALL="C"),
    )  # fmt: skip
    return [line for line in result.stderr.splitlines() if "error:" in line] if result.returncode else []


assert complaints("resnet50", "ResNet50_Weights") == []
for enum in ("ResNet50_QuantizedWeights", "ResNet50_Weights"):
    assert complaints("quantization::resnet50", enum) == []
for builder, enum in (
    ("resnet50", "ResNet18_Weights"),
    ("resnet50", "ResNet50_QuantizedWeights"),
    ("quantization::resnet50", "ResNet18_Weights"),
):
    errors = complaints(builder, enum)
    assert len(errors) == 1 and all(w in errors[0] for w in ("WeightsOf", "deleted")), errors
