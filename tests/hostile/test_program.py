# SPDX-License-Identifier: LGPL-2.1-or-later
"""`tvw check` says what the reader says, and exits with 1."""

import json
import subprocess

from checkpoints import try_all
from conftest import BUILD
from row import LOADS


def check(path, *arguments):
    return subprocess.run(
        [BUILD / "cli" / "tvw", "check", path, *arguments], capture_output=True, text=True, timeout=60
    )


def test_check_exits_1_with_the_error_of_each_file(files):
    paths = [path for row, path in files if row.kind != LOADS]
    for path, answer in zip(paths, try_all(paths)):
        result = check(path, "--json")
        assert (result.returncode, result.stdout) == (1, ""), (path.name, result)
        error = json.loads(result.stderr)["error"]
        assert error == {key: answer[key] for key in ("kind", "message", "offset")}


def test_people_are_told_the_same(files):
    row, path = next((row, path) for row, path in files if row.kind == "not_supported")
    [answer] = try_all([path])
    result = check(path)
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr == f"tvw: {answer['message']}\n" and row.part in result.stderr


def test_files_that_load_are_listed(files):
    for row, path in files:
        if row.kind == LOADS:
            result = check(path)
            assert (result.returncode, result.stderr) == (0, ""), row.name
