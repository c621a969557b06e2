#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Writes the files of data/ as C++ string literals: embed.py OUTPUT DATA_FOLDER FILE..."""

import pathlib
import sys

HEADER = """\
// Made by embed.py from the files of data/.
#include "weights/embedded.h"

#pragma GCC diagnostic ignored "-Woverlength-strings"

namespace tvw {
namespace {

constexpr EmbeddedFile kFiles[] = {
"""

FOOTER = """\
};

} // namespace

std::span<const EmbeddedFile> embedded_files() {
    return kFiles;
}

} // namespace tvw
"""


# Octal escapes of three digits cannot swallow what follows.
ESCAPES = {b: chr(b) if 0x20 <= b < 0x7F else f"\\{b:03o}" for b in range(256)}
ESCAPES |= {ord("\n"): "\\n", ord('"'): '\\"', ord("\\"): "\\\\"}


def literal(line):
    """One line of bytes as a literal."""
    return '"' + "".join(ESCAPES[b] for b in line) + '"'


def resolved(name):
    return pathlib.Path(name).resolve()


def main(output, root, *files):
    root = resolved(root)
    paths = {path.relative_to(root).as_posix(): path for path in map(resolved, files)}
    with open(output, "w", encoding="ascii") as out:
        out.write(HEADER)
        for name in sorted(paths):
            content = paths[name].read_bytes()
            lines = [literal(line) for line in content.splitlines(keepends=True)]
            text = "\n        ".join(lines or ['""'])
            out.write(f'    {{"{name}",\n     {{{text},\n      {len(content)}}}}},\n')
        out.write(FOOTER)


main(*sys.argv[1:])
