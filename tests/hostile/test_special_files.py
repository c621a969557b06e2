# SPDX-License-Identifier: LGPL-2.1-or-later
"""What is no regular file, larger than any disk, or changes while it is read."""

import json
import os
import socket
import subprocess

import pytest

from checkpoints import DUMP, try_all
from conftest import BUILD
from wholes import WHOLE

SECONDS = 2
SHRINK = BUILD / "tests" / "support" / "libshrink_file.so"


def sparse(path, head, size):
    with open(path, "wb") as file:
        file.write(head)
        file.truncate(size)
    return path


def test_only_regular_files_are_read(tmp_path):
    fifo, bound, loop = tmp_path / "fifo", tmp_path / "socket", tmp_path / "loop"
    os.mkfifo(fifo)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(bound))
    loop.symlink_to(loop)
    dangling = tmp_path / "dangling"
    dangling.symlink_to(tmp_path / "nowhere")
    expected = {
        fifo: "io", tmp_path: "io", bound: "io", loop: "io", "/dev/zero": "io", "/dev/null": "io",
        "/dev/stdin": "io", dangling: "not_found", tmp_path / "missing": "not_found",
        fifo / "inside": "not_found", tmp_path / (300 * "x"): "io", "/proc/self/status": "corrupt_file",
    }  # fmt: skip
    for path, answer in zip(expected, try_all(expected)):
        assert not answer["loaded"] and answer["kind"] == expected[path], answer
        assert str(path) in answer["message"] and answer["seconds"] < SECONDS


def test_a_file_larger_than_its_bytes_is_refused_at_once(tmp_path):
    paths = {
        sparse(tmp_path / f"{name}-{size}", data[:100], size): size
        for name, data in WHOLE.items()
        for size in (1 << 40, 15 << 30)
    }
    for (path, size), answer in zip(paths.items(), try_all(paths)):
        kind = "not_supported" if size == 1 << 40 else "corrupt_file"
        assert not answer["loaded"] and answer["kind"] == kind, answer
        assert answer["seconds"] < SECONDS and answer["peak_mib"] < 64, answer


@pytest.mark.parametrize("container", WHOLE)
def test_a_file_that_shrinks_while_it_is_read_is_an_error(container, tmp_path):
    path = tmp_path / "shrinks.pth"
    answers = []
    while not answers or not answers[-1]["loaded"]:
        path.write_bytes(WHOLE[container])
        environment = {"LD_PRELOAD": str(SHRINK), "TVW_TEST_SHRINK": str(len(answers) + 1)}
        result = subprocess.run(
            [DUMP, "--try", path], capture_output=True, text=True, timeout=60, env=os.environ | environment
        )
        assert result.returncode == 0, result
        answers.append(json.loads(result.stdout))
    # Each read in turn, those of the digest too, until there were more reads asked for than made.
    assert len(answers) > 3 and path.stat().st_size == len(WHOLE[container])
    for answer in answers[:-1]:
        assert answer["kind"] == "io" and "became shorter while it was read" in answer["message"], answer
        assert answer["offset"] is not None
