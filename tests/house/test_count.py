# SPDX-License-Identifier: LGPL-2.1-or-later
"""The counting behind the last line of tests/run.sh loses no failure."""

import json
import sys

import pytest

from conftest import ROOT

sys.path.insert(0, str(ROOT / "tests"))
import count  # noqa: E402


def meson_log(*tests):
    return "\n".join(
        json.dumps({"name": name, "result": result, "stdout": stdout})
        for name, result, stdout in tests
    )


def line(checks, failures=0, errors=0):
    return f"Running suite(s): x\n90%: Checks: {checks}, Failures: {failures}, Errors: {errors}\n"


@pytest.mark.parametrize(
    ("tests", "expected"),
    [
        ([("a", "OK", line(7))], (7, 0, 0)),
        ([("a", "OK", line(7)), ("b", "FAIL", line(5, 1, 1))], (10, 2, 0)),
        ([("a", "OK", line(3) + line(4))], (7, 0, 0)),
        ([("crashed", "FAIL", "Running suite(s): x\n")], (0, 1, 0)),
        ([("crashed_at_exit", "FAIL", line(7))], (7, 1, 0)),
        ([("slow", "TIMEOUT", "")], (0, 1, 0)),
        ([("skipped", "SKIP", "")], (0, 0, 1)),
        ([("script", "OK", "")], (1, 0, 0)),
        ([], (0, 1, 0)),
    ],
)
def test_meson_log(tmp_path, tests, expected):
    (tmp_path / "log").write_text(meson_log(*tests))
    counted = count.count_file("meson", tmp_path / "log")
    assert (counted.passed, counted.failed, counted.skipped) == expected
    assert bool(counted.names) == bool(expected[1])


def test_junit_file(tmp_path):
    (tmp_path / "log").write_text(
        '<testsuites><testsuite><testcase classname="t" name="a"/>'
        '<testcase classname="t" name="b"><failure/></testcase>'
        '<testcase classname="t" name="c"><error/></testcase>'
        '<testcase classname="t" name="d"><skipped/></testcase></testsuite></testsuites>'
    )
    counted = count.count_file("junit", tmp_path / "log")
    assert (counted.passed, counted.failed, counted.skipped) == (1, 2, 1)
    assert counted.names == ["t::b", "t::c"]


@pytest.mark.parametrize("kind", ["meson", "junit"])
def test_a_missing_or_broken_file_is_a_failure(tmp_path, kind):
    assert count.count_file(kind, tmp_path / "none").failed == 1
    (tmp_path / "cut").write_text('{"name": "a", "res')
    assert count.count_file(kind, tmp_path / "cut").failed == 1
