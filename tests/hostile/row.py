# SPDX-License-Identifier: LGPL-2.1-or-later
"""One file of the corpus, and what reading it must come to."""

import dataclasses

# Stands in a file under construction before the byte that the error must point to.
HERE = b"<<here>>"


@dataclasses.dataclass(frozen=True)
class Row:
    name: str
    data: bytes
    kind: str  # of the error; LOADS where there must be none
    part: str = ""  # of its message
    at: int | None = None  # the offset that it names, where the row knows


LOADS = "loads"


def row(name, data, kind, part="", at=None):
    """`at` may also be bytes: the last place where the file has them."""
    if HERE in data:
        at = data.index(HERE)
        data = data.replace(HERE, b"")
    elif isinstance(at, bytes):
        at = data.rindex(at)
    return Row(name, data, kind, part, at)


def corrupt(name, data, part, at=None):
    return row(name, data, "corrupt_file", part, at)


def unsupported(name, data, part, at=None):
    return row(name, data, "not_supported", part, at)


def mismatch(name, data, part, at=None):
    return row(name, data, "mismatch", part, at)


def loads(name, data):
    return Row(name, data.replace(HERE, b""), LOADS)
