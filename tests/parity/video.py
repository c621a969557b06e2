# SPDX-License-Identifier: LGPL-2.1-or-later
"""Frames as picture files and as a clip that holds the very same bytes; what was said of them."""

import subprocess

import torch
from PIL import Image


def write_picture(path, frame):
    """A uint8 [3, H, W] tensor as an image file."""
    Image.fromarray(frame.permute(1, 2, 0).numpy()).save(path)


def write_clip(folder, frames):
    """Writes frame0.png and so on, and with them raw RGB video of 25 frames a second; its path."""
    for i, frame in enumerate(frames):
        write_picture(folder / f"frame{i}.png", frame)
    pipeline = (
        f"multifilesrc location={folder}/frame%d.png caps=image/png,framerate=25/1"
        " ! pngdec ! videoconvert ! video/x-raw,format=RGB"
        f" ! matroskamux ! filesink location={folder}/clip.mkv"
    )
    subprocess.run(["gst-launch-1.0", "-q", *pipeline.split()], check=True, timeout=60)
    return folder / "clip.mkv"


def probabilities(result):
    """Of every class, in order, where all of them were asked for."""
    actual = torch.zeros(len(result["predictions"]))
    for prediction in result["predictions"]:
        actual[prediction["class_id"]] = prediction["probability"]
    return actual
