# SPDX-License-Identifier: LGPL-2.1-or-later
"""Every file of the corpus gives the error that it must give: quickly, in little memory."""

import os
import re

import pytest

import corpus
from checkpoints import try_all
from row import LOADS

SECONDS = 2
PEAK_MIB = 512
TWO_LINES = 240
# What an error names beside the file and the byte.
ITEM = re.compile(
    "'.*'|opcode|pickle|storage|tensor|header|record|directory|entries|entry|key|name|container"
    "|archive|protocol|byte order|file|checkpoint|comment"
)


@pytest.fixture(scope="module")
def answers(files, tmp_path_factory):
    """Read one after another in one process, in a folder where nothing may appear."""
    folder = tmp_path_factory.mktemp("empty")
    before = os.getcwd()
    os.chdir(folder)
    try:
        result = dict(zip([row.name for row, _ in files], try_all([path for _, path in files])))
    finally:
        os.chdir(before)
    assert list(folder.iterdir()) == []
    return result


def test_names_are_unique(files):
    assert len({row.name for row, _ in files}) == len(files) >= 120


@pytest.mark.parametrize("row", list(corpus.rows()), ids=lambda row: row.name)
def test_file(row, answers):
    answer = answers[row.name]
    assert answer["seconds"] < SECONDS and answer["peak_mib"] < PEAK_MIB, answer
    assert answer["loaded"] == (row.kind == LOADS), answer
    if row.kind == LOADS:
        return
    assert answer["kind"] == row.kind and row.part in answer["message"], answer
    assert answer["offset"] is not None and row.at in (None, answer["offset"]), (answer, row.at)
    name, offset, inside, what = re.fullmatch(
        r"'([^']*)', byte (\d+)( of the file inside)?: (.*)", answer["message"]
    ).groups()
    assert name.endswith(f"/{row.name}.pth") and int(offset) == answer["offset"]
    assert ITEM.search(what) and what.isprintable() and len(what) < TWO_LINES, what
