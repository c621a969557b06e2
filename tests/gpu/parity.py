# SPDX-License-Identifier: LGPL-2.1-or-later
"""CUDA against the CPU: a network of every family, in every precision.

    python3 tests/gpu/parity.py BUILD

tests/gpu.sh calls it. The CPU's float32 is what is right; errors are parts of the largest output."""

import json
import sys

import torch
from program import Program

# One of each family, the image's side, and for those that it is fixed for, the only one.
NETWORKS = {
    "alexnet": 128,
    "convnext_tiny": 96,
    "densenet121": 96,
    "efficientnet_b0": 96,
    "efficientnet_v2_s": 96,
    "googlenet": 96,
    "inception_v3": 128,
    "maxvit_t": 224,
    "mnasnet1_0": 96,
    "mobilenet_v2": 96,
    "mobilenet_v3_large": 96,
    "regnet_y_800mf": 96,
    "resnet50": 97,
    "resnext50_32x4d": 96,
    "shufflenet_v2_x1_0": 96,
    "squeezenet1_1": 96,
    "swin_t": 96,
    "swin_v2_t": 96,
    "vgg11_bn": 96,
    "vit_b_16": 224,
}
TOLERANCES = {"fp32": 1e-4, "tf32": 2e-2, "fp16": 2e-2, "bf16": 1e-1}
BATCH = 3
SEED = 5


def error(answer, reference):
    if not torch.isfinite(answer).all():
        return float("inf")
    return ((answer - reference).abs().max() / reference.abs().max()).item()


def compare(program):
    """Rows of builder, precision, error and whether that is little enough."""
    generator = torch.Generator().manual_seed(SEED)
    rows = []
    print(f"seed {SEED}, batch {BATCH}\n{'':22}" + "".join(f"{name:>12}" for name in TOLERANCES))
    for builder, side in NETWORKS.items():
        image = torch.randn(BATCH, 3, side, side, generator=generator)
        reference = program.run(builder, image, "--seed", SEED, "--device", "cpu")
        line = f"{builder:22}"
        for precision, tolerance in TOLERANCES.items():
            on_gpu = ("--device", "cuda", "--precision", precision)
            value = error(program.run(builder, image, "--seed", SEED, *on_gpu), reference)
            rows.append((builder, precision, value, value <= tolerance))
            line += f"{value:11.2e}{' ' if value <= tolerance else '!'}"
        print(line, flush=True)
    return rows


def nan_is_kept(program):
    """A broken checkpoint shows as NaN; cuDNN's fused ReLU may hide it."""
    image = torch.full((1, 3, 96, 96), float("nan"))
    answer = program.run("resnet18", image, "--seed", SEED, "--device", "cuda")
    return bool(torch.isnan(answer).any())


def main():
    program = Program(sys.argv[1])
    rows = compare(program)
    kept = nan_is_kept(program)
    failed = [row for row in rows if not row[3]]
    report = {"seed": SEED, "rows": rows, "nan_is_kept": kept}
    (program.folder / "parity.json").write_text(json.dumps(report, indent=1) + "\n")
    print(f"NaN in an image {'is seen in' if kept else 'is lost on the way to'} the answer")
    print(f"{len(rows) - len(failed)} passed, {len(failed)} failed, 0 skipped")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
