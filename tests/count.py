#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Counts the single tests of a run: `count.py meson testlog.json` or `count.py junit FILE.xml`.

Prints one line "PASSED FAILED SKIPPED", then the name of each test that failed. A file that is
missing or broken counts as one failure: whatever should have written it did not end well.
"""

import json
import re
import sys
import xml.etree.ElementTree

CHECKS = re.compile(r"Checks: (\d+), Failures: (\d+), Errors: (\d+)")
# Exit status by which a program tells Meson that it did not run.
SKIPPED = "SKIP"


class Count:
    def __init__(self):
        self.passed = 0
        self.skipped = 0
        self.failed = 0
        self.names = []

    def fail(self, name, times=1):
        self.failed += times
        self.names.append(name)


def count_meson(text):
    """Meson's log has a JSON object a line; Check programs print how many tests they ran."""
    count = Count()
    for line in text.splitlines():
        test = json.loads(line)
        checks = failures = 0
        for values in CHECKS.findall(test.get("stdout", "")):
            checks += int(values[0])
            failures += int(values[1]) + int(values[2])
        count.passed += checks - failures
        if failures:
            count.fail(test["name"], failures)
        elif test["result"] == SKIPPED:
            count.skipped += 1
        elif test["result"] not in ("OK", "EXPECTEDFAIL"):
            count.fail(f"{test['name']} ({test['result'].lower()})")
        elif not checks:
            count.passed += 1
    return count


def count_junit(text):
    count = Count()
    for case in xml.etree.ElementTree.fromstring(text).iter("testcase"):
        name = f"{case.get('classname')}::{case.get('name')}"
        if case.find("failure") is not None or case.find("error") is not None:
            count.fail(name)
        elif case.find("skipped") is not None:
            count.skipped += 1
        else:
            count.passed += 1
    return count


def count_file(kind, path):
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            count = {"meson": count_meson, "junit": count_junit}[kind](file.read())
    except (OSError, ValueError, KeyError, xml.etree.ElementTree.ParseError) as error:
        count = Count()
        count.fail(f"{path}: {error}")
        return count
    if not count.passed + count.failed + count.skipped:
        count.fail(f"{path}: no test ran")
    return count


def main():
    count = count_file(*sys.argv[1:3])
    print(count.passed, count.failed, count.skipped)
    for name in count.names:
        print(name)


if __name__ == "__main__":
    main()
