# SPDX-License-Identifier: LGPL-2.1-or-later
"""export_model.py NAME BATCH SIZE FOLDER: a network of torchvision's for models.py, as a checkpoint
and as ONNX, with an input and the output that PyTorch computes for it. SIZE 0: the side of the
images that the DEFAULT checkpoint is for.

The network is calibrated, so that its output depends on its input. Needs the environment of the
tests (torch, torchvision) and `onnx`, which is taken from that of the peers."""

import json
import pathlib
import sys
import warnings

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "parity"))
sys.path += map(str, (ROOT / ".deps" / "peers").glob("lib/python3*/site-packages"))  # last: onnx only

import oracle  # noqa: E402
import torch  # noqa: E402
import torchvision  # noqa: E402

OPSET = 17  # the first with LayerNormalization
SEED = 1
# Whose layers depend on the size of the image.
FIXED_SIZE = ("vit_", "maxvit_")


def calibrated(name, weights, size):
    """Fitted to small images where the network takes them: half a minute less."""
    fixed = name.startswith(FIXED_SIZE)
    return oracle.calibrated(name, SEED, size if fixed else max(64, *weights.meta["min_size"]))


def write_onnx(model, x, path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of shapes that become constants: they are
        torch.onnx.export(
            model, (x,), str(path), input_names=["input"], output_names=["output"],
            opset_version=OPSET, dynamo=False,
        )  # fmt: skip


def descriptor(name, weights, size):
    """What `tvw classify` needs to know of the checkpoint."""
    resize = max(weights.transforms().resize_size[0], size)
    transforms = {"preset": "ImageClassification", "crop_size": size, "resize_size": resize}
    return {"builder": name, "checkpoint": "model.pth", "transforms": transforms}


def main(name, batch, size, folder):
    weights = torchvision.models.get_model_weights(name).DEFAULT
    size = size or weights.transforms().crop_size[0]
    model = calibrated(name, weights, size)
    x = oracle.images(2, batch, size)
    expected = oracle.output(model, x)
    moved = oracle.moved(model, x, expected)
    if not moved >= 0.01:
        raise SystemExit(f"{name}: another image moves the output by {moved:.1e} only")
    torch.save(model.state_dict(), folder / "model.pth")
    write_onnx(model, x, folder / "model.onnx")
    x.numpy().tofile(folder / "input.f32")
    expected.numpy().tofile(folder / "expected.f32")
    picture = torchvision.transforms.functional.to_pil_image(oracle.pictures(3, 1, 512)[0])
    picture.save(folder / "picture.png")
    (folder / "model.json").write_text(json.dumps(descriptor(name, weights, size)))
    # Last: its presence says that all is there.
    (folder / "shape").write_text(",".join(map(str, x.shape)))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), pathlib.Path(sys.argv[4]))
