# SPDX-License-Identifier: LGPL-2.1-or-later
"""load_checkpoint.py [ROUNDS]: how long a checkpoint of 500 MB takes to load, against torch.load.

Each way loads the same file in a process that lives on, in turns, from the page cache ("warm") and
from the disk ("cold"). Nothing but the file's bytes is kept from one load to the next."""

import os
import pathlib
import subprocess
import sys
import tempfile
import time

import torch
from turns import cpu_name, in_turns, print_table

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("TVW_BUILD", ROOT / "build"))
MEBIBYTES = 500
LAYERS = 100


class Ours:
    def __init__(self):
        self.process = subprocess.Popen(
            [BUILD / "tests" / "bench" / "load_checkpoint"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip

    def __call__(self, path, digest):
        self.process.stdin.write(f"{int(digest)} {path}\n")
        self.process.stdin.flush()
        return float(self.process.stdout.readline())


def theirs(path):
    begin = time.perf_counter()
    state_dict = torch.load(path, weights_only=True)
    seconds = time.perf_counter() - begin
    del state_dict
    return seconds


def sha256(path):
    begin = time.perf_counter()
    subprocess.run(["openssl", "dgst", "-sha256", path], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - begin


def forget(path):
    """Takes the file out of the page cache."""
    with open(path, "rb") as file:
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def main(rounds):
    torch.set_num_threads(1)
    numbers = MEBIBYTES * (1 << 18) // LAYERS
    state_dict = {f"layer{i}.weight": torch.randn(numbers) for i in range(LAYERS)}
    ours = Ours()
    print(f"{MEBIBYTES} MiB in {LAYERS} tensors, {rounds} rounds, {cpu_name()}")
    with tempfile.TemporaryDirectory(dir=BUILD) as folder:
        for container, is_zip in (("zip", True), ("legacy", False)):
            path = pathlib.Path(folder) / container
            torch.save(state_dict, path, _use_new_zipfile_serialization=is_zip)
            os.sync()
            for state in ("warm", "cold"):

                def prepared(way, *arguments, state=state, path=path):
                    if state == "cold":
                        forget(path)
                    return way(path, *arguments)

                print(f"{container}, {state}")
                print_table(in_turns({
                    "torch.load(weights_only=True)": lambda: prepared(theirs),
                    "tvw": lambda: prepared(ours, False),
                    "tvw with SHA-256": lambda: prepared(ours, True),
                    "openssl dgst -sha256": lambda: prepared(sha256),
                }, rounds), "torch.load(weights_only=True)")  # fmt: skip


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 15)
