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


def literal(line):
    """One line of bytes as a literal; octal escapes always have three digits."""
    plain = range(0x20, 0x7F)
    escaped = (chr(b) if b in plain and b not in b'"\\' else f"\\{b:03o}" for b in line)
    return '"' + "".join(escaped) + '"'


def main(output, root, *files):
    names = {pathlib.Path(name).relative_to(root).as_posix(): name for name in files}
    with open(output, "w", encoding="ascii") as out:
        out.write(HEADER)
        for name in sorted(names):
            content = pathlib.Path(names[name]).read_bytes()
            lines = [literal(line) for line in content.splitlines(keepends=True)]
            text = "\n        ".join(lines or ['""'])
            out.write(f'    {{"{name}",\n     {{{text},\n      {len(content)}}}}},\n')
        out.write(FOOTER)


main(*sys.argv[1:])
