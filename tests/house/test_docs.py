# SPDX-License-Identifier: LGPL-2.1-or-later
"""The reference made from the public headers is complete and free of warnings."""

import re
import subprocess
import sys

from conftest import BUILD, ROOT, text_of

# Members that say by name and type what they are need no sentence; everything at namespace level
# (class, function, enumeration, alias) does.
EXPENDABLE = re.compile(r"Member .* of (struct|class) .* is not documented|parameters of member")


def warnings(tmp_path, extra=""):
    settings = text_of("docs/Doxyfile")
    settings += f"WARN_IF_UNDOCUMENTED = YES\nOUTPUT_DIRECTORY = {tmp_path}\n{extra}"
    result = subprocess.run(
        ["doxygen", "-"], cwd=ROOT, input=settings, capture_output=True, text=True
    )
    return [
        line
        for line in result.stderr.splitlines()
        if ("warning:" in line or "error:" in line) and not EXPENDABLE.search(line)
    ]


def test_public_headers_are_documented(tmp_path):
    generated = BUILD / "lib" / "include" / "tvw"
    assert sorted(path.name for path in generated.glob("*.h")) == ["models.h", "weights_enums.h"]
    assert warnings(tmp_path, f"INPUT += {generated}\n") == []
    assert "ResNet50_Weights" in (tmp_path / "html" / "namespacetvw.html").read_text()


def test_an_undocumented_function_is_found(tmp_path):
    header = tmp_path / "bad.h"
    header.write_text("/// Ours.\nnamespace tvw {\nint f(int a);\nstruct S { int a; };\n}\n")
    found = warnings(tmp_path, f"INPUT = {header}\n")
    assert len(found) == 2 and all("is not documented" in line for line in found)


def test_page_of_models_is_that_of_the_registry():
    made = subprocess.run(
        [sys.executable, ROOT / "tools" / "models_page.py"], capture_output=True, text=True, check=True
    )
    assert made.stdout == text_of("docs/models.md"), "run tools/models_page.py > docs/models.md"
