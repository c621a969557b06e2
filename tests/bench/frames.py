# SPDX-License-Identifier: LGPL-2.1-or-later
"""How long it takes from a frame of video to a model's input, against other ways to do the same.

    ninja -C build tests/bench/run_frames
    .deps/oracle/bin/python tests/bench/frames.py --help

The environment is the one that tests/run.sh makes; OpenCV is measured too where it is installed
there (opencv-python-headless), videoconvert where gst-launch-1.0 is. Frames are noise. All take turns
in random order; a turn is a run that does not count and a burst of some that do, of which the median
is taken. Ours uses one thread, whatever --threads gives to the others; "cold" is ours with a frame
that is in no cache."""

import argparse
import functools
import importlib.util
import os
import pathlib
import shutil
import statistics
import subprocess
import time

import torch
from models import Child
from torchvision.transforms import v2
from torchvision.transforms._presets import ImageClassification
from turns import cpu_name, in_turns, print_table

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("TVW_BUILD", ROOT / "build"))
SIZES = {"1080p": (1920, 1080), "4K": (3840, 2160)}
CROP, RESIZE = 224, 256
MEAN, STD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
REFERENCE = "tvw RGB"
CONVERTED_FRAMES = 40


def timed(call, count):
    """The median seconds of some calls, after one that does not count."""
    call()
    seconds = []
    for _ in range(count):
        begin = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - begin)
    return statistics.median(seconds)


def ours(size, burst):
    """Calls for our formats and modes by name."""
    program = BUILD / "tests" / "bench" / "run_frames"
    calls = {}
    for pixel_format in ("RGB", "BGRx", "NV12", "I420", "YUY2", "P010_10LE"):
        for mode in ("exact", "fast"):
            child = Child([program, pixel_format, *size, mode])
            name = f"tvw {pixel_format}" + (" fast" if mode == "fast" else "")
            calls[name] = functools.partial(child.turn, burst)
            if pixel_format in ("RGB", "NV12"):
                calls[f"{name}, cold"] = functools.partial(child.ask, f"cold {burst}")
    return calls


def torchvisions(size, burst):
    image = torch.randint(0, 256, (3, size[1], size[0]), dtype=torch.uint8)
    interleaved = image.permute(1, 2, 0).contiguous().permute(2, 0, 1)
    preset = ImageClassification(crop_size=CROP, resize_size=RESIZE)
    second = v2.Compose(
        [
            v2.Resize(RESIZE, antialias=True),
            v2.CenterCrop(CROP),
            v2.ToDtype(torch.float32, scale=True),
            v2.Normalize(MEAN, STD),
        ]
    )
    return {
        "torchvision's preset": lambda: timed(lambda: preset(image), burst),
        "torchvision v2, uint8": lambda: timed(lambda: second(image), burst),
        "the same, channels last": lambda: timed(lambda: second(interleaved), burst),
    }


def opencvs(size, burst, threads):
    if importlib.util.find_spec("cv2") is None:
        return {}
    import cv2
    import numpy

    cv2.setNumThreads(threads)
    width, height = size
    frame = numpy.random.randint(0, 256, (height, width, 3), numpy.uint8)
    scale = RESIZE / min(size)
    target = (round(width * scale), round(height * scale))

    def run():
        small = cv2.resize(frame, target, interpolation=cv2.INTER_AREA)
        left, top = (target[0] - CROP) // 2, (target[1] - CROP) // 2
        crop = small[top : top + CROP, left : left + CROP]
        return cv2.dnn.blobFromImage(crop, 1 / 255 / 0.226, mean=[123.7, 116.3, 103.5])

    return {"OpenCV INTER_AREA": lambda: timed(run, burst)}


def videoconverts(size):
    """videoconvert alone, NV12 to RGB; what it makes is then preprocessed as any RGB."""
    if shutil.which("gst-launch-1.0") is None:
        return {}
    caps = f"video/x-raw,format=NV12,width={size[0]},height={size[1]}"

    def seconds(conversion):
        source = f"videotestsrc num-buffers={CONVERTED_FRAMES} pattern=black ! {caps}"
        begin = time.perf_counter()
        subprocess.run(
            f"gst-launch-1.0 -q {source} ! {conversion} fakesink".split(),
            check=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        return time.perf_counter() - begin

    def one_frame():
        converted = seconds("videoconvert ! video/x-raw,format=RGB !")
        return max(converted - seconds(""), 0) / CONVERTED_FRAMES

    return {"videoconvert NV12 to RGB": one_frame}


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--sizes", nargs="+", choices=SIZES, default=list(SIZES))
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument("--burst", type=int, default=10)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    print(f"{cpu_name()}, {options.threads} threads for the others, to {CROP}²")
    for name in options.sizes:
        size = SIZES[name]
        calls = ours(size, options.burst)
        calls |= torchvisions(size, options.burst)
        calls |= opencvs(size, options.burst, options.threads)
        calls |= videoconverts(size)
        print(f"\n{name}")
        print_table(in_turns(calls, options.rounds), REFERENCE)


if __name__ == "__main__":
    main()
