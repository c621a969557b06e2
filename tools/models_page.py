#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Prints docs/models.md, made from data/weights: tools/models_page.py > docs/models.md"""

import json
import pathlib

WEIGHTS = pathlib.Path(__file__).resolve().parents[1] / "data" / "weights"

# Module: title, and whether this version runs its networks.
MODULES = {
    "classification": ("Classification", True),
    "quantization": ("Quantized classification", True),
    "detection": ("Detection", False),
    "segmentation": ("Segmentation", False),
    "video": ("Video classification", False),
    "optical_flow": ("Optical flow", False),
    "extra": ("Additions of this project", True),
}

INTRODUCTION = """\
# Models

Every builder and checkpoint that the registry knows, by torchvision's names. Made by
`tools/models_page.py` from `data/weights`; what stands here, `tvw show` prints too. DEFAULT is in
bold. Accuracy is torchvision's own, on the dataset named; size is that of the file to download.
"""

NOT_RUN = """
Their weights, transforms and metadata can be looked up; this version does not run the networks.
"""


def accuracy(metrics):
    """The first dataset with its figures, as short as it can be said."""
    dataset, values = next(iter(metrics.items()))
    figures = ", ".join(f"{name} {value}" for name, value in values.items())
    return f"{figures} ({dataset})" if dataset != "ImageNet-1K" else figures


def row(builder, enum, member):
    meta = member["meta"]
    name = f"`{enum['name']}.{member['member']}`"
    cells = [
        f"`{builder}`",
        f"**{name}**" if member["member"] == enum["DEFAULT"] else name,
        f"{meta['num_params'] / 1e6:.1f} M",
        accuracy(meta["_metrics"]),
        f"{meta['_ops']:.2f} G",
        f"{meta['_file_size']:.1f} MiB",
        f"[licence]({meta['license']})" if "license" in meta else "",
    ]
    return "| " + " | ".join(cells) + " |"


def builders(module):
    """(builder, enum) sorted by builder, of all files of the module."""
    found = {}
    for path in sorted(WEIGHTS.glob("*.json")):
        content = json.loads(path.read_text(encoding="utf-8"))
        if content["module"] == module:
            for name, enum in content["enums"].items():
                found[enum["builder"]] = {**enum, "name": name}
    return sorted(found.items())


def section(module, title, runs):
    lines = [f"\n## {title}\n"]
    if not runs:
        lines.append(NOT_RUN.strip() + "\n")
    lines.append("| builder | weights | parameters | accuracy | operations | size | licence |")
    lines.append("|---|---|---:|---|---:|---:|---|")
    for builder, enum in builders(module):
        lines += [row(builder, enum, member) for member in enum["members"]]
        if not enum["members"]:
            lines.append(f"| `{builder}` | a user's own descriptor | | | | | |")
    return "\n".join(lines) + "\n"


def page():
    return INTRODUCTION + "".join(
        section(module, title, runs) for module, (title, runs) in MODULES.items()
    )


if __name__ == "__main__":
    print(page(), end="")
