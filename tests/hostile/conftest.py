# SPDX-License-Identifier: LGPL-2.1-or-later
"""The programs under test, and the corpus as files."""

import os
import pathlib
import sys

import pytest

import corpus

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("TVW_BUILD", ROOT / "build")).resolve()
# checkpoints.py: what the reader made of a file.
sys.path.append(str(ROOT / "tests" / "parity"))


@pytest.fixture(scope="session")
def files(tmp_path_factory):
    """(row, path) for every row of the corpus, in a folder of their own."""
    folder = tmp_path_factory.mktemp("corpus")
    return [(row, corpus.write(row, folder)) for row in corpus.rows()]
