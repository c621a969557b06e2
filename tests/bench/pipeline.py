# SPDX-License-Identifier: LGPL-2.1-or-later
"""pipeline.py FOLDER...: the element beside a decoder, with each of several builds of the libraries.

    .deps/peers/bin/python tests/bench/pipeline.py --rounds 20 before/lib build/lib

A clip of MPEG-4 is decoded by as many threads as there are CPUs and classified frame by frame, as
fast as that goes: what the engine's threads do while they have no work, spin or sleep, shows in
both columns. A turn is a process of its own; the folders, which hold libtvw and libtvw-core, take
turns in random order. CPU time is that of all threads."""

import argparse
import os
import pathlib
import statistics
import subprocess
import time
import types

import models
from turns import cpu_name, in_turns


def write_clip(path, frames, height):
    """A picture that moves, encoded: `frames` at 25 a second."""
    width = height * 16 // 9
    pipeline = (
        f"videotestsrc num-buffers={frames} pattern=ball background-color=0xff336699"
        f" ! video/x-raw,format=I420,width={width},height={height},framerate=25/1"
        f" ! avenc_mpeg4 bitrate=4000000 ! matroskamux ! filesink location={path}"
    )
    subprocess.run(["gst-launch-1.0", "-q", *pipeline.split()], check=True)


def run(folder, clip, descriptor):
    """Seconds on the clock and of CPU time."""
    pipeline = (
        f"filesrc location={clip} ! matroskademux ! avdec_mpeg4 max-threads={os.cpu_count()}"
        f" ! queue ! tvwclassify weights={descriptor} ! fakesink sync=false"
    )
    environment = dict(
        os.environ, LD_LIBRARY_PATH=str(folder), GST_PLUGIN_PATH=str(models.BUILD / "gst")
    )
    begin = time.perf_counter()
    process = subprocess.Popen(["gst-launch-1.0", "-q", *pipeline.split()], env=environment)
    _, status, usage = os.wait4(process.pid, 0)
    if status != 0:
        raise SystemExit(f"the pipeline with {folder} failed")
    return time.perf_counter() - begin, usage.ru_utime + usage.ru_stime


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folders", nargs="+", type=pathlib.Path)
    parser.add_argument("--model", default="mobilenet_v3_large")
    parser.add_argument("--frames", type=int, default=250)
    parser.add_argument("--height", type=int, default=1080)
    parser.add_argument("--rounds", type=int, default=10)
    options = parser.parse_args()
    exported = models.exported(options.model, types.SimpleNamespace(batch=1, size=0))
    clip = models.BUILD / "bench" / f"clip-{options.height}-{options.frames}.mkv"
    if not clip.exists():
        write_clip(clip, options.frames, options.height)

    spent = {folder: [] for folder in options.folders}

    def turn(folder):
        seconds, cpu_seconds = run(folder, clip, exported / "model.json")
        spent[folder].append(cpu_seconds)
        return seconds

    seconds = in_turns({f: lambda f=f: turn(f) for f in options.folders}, options.rounds)
    print(f"{cpu_name()}, {options.model}, {options.height} lines, {options.rounds} rounds")
    for folder in options.folders:
        clock, cpu = statistics.median(seconds[folder]), statistics.median(spent[folder])
        print(
            f"  {str(folder):40} {options.frames / clock:7.1f} frames/s"
            f" (best {options.frames / min(seconds[folder]):.1f})"
            f" {1e3 * cpu / options.frames:7.1f} ms of CPU time a frame"
        )


if __name__ == "__main__":
    main()
