# SPDX-License-Identifier: LGPL-2.1-or-later
"""Rules that every file of the project keeps."""

import re
import shutil
import subprocess

import pytest

from conftest import ROOT, output, project_files, text_of

CODE = (".h", ".cpp", ".c", ".cu", ".py", ".sh", ".toml")
MAX_LINES = 600
# Put together so that this file keeps its own rules.
UNFINISHED = re.compile(r"\b(" + "|".join(["TO" + "DO", "FIX" + "ME", "X" * 3]) + r")\b")
MACHINE_PATH = re.compile(r"(?<![\w.~])/(work|home|root)/\w")


def complaints(name, text):
    """What one text file has or lacks."""
    result = []
    if name.endswith(CODE):
        head = text.splitlines()[:3]
        if not any("SPDX-License-Identifier: LGPL-2.1-or-later" in line for line in head):
            result.append(f"{name}: no SPDX line on top")
        if len(text.splitlines()) >= MAX_LINES:
            result.append(f"{name}: {MAX_LINES} lines or more")
    if UNFINISHED.search(text):
        result.append(f"{name}: unfinished: {UNFINISHED.search(text)[0]}")
    if MACHINE_PATH.search(text):
        result.append(f"{name}: path of a machine: {MACHINE_PATH.search(text)[0]}")
    if text and not text.endswith("\n"):
        result.append(f"{name}: no line feed at the end")
    return result


def text_files():
    for name in project_files():
        try:
            yield name, text_of(name)
        except UnicodeDecodeError:
            continue


def test_every_file_keeps_the_rules():
    assert [line for name, text in text_files() for line in complaints(name, text)] == []


SPDX = "// SPDX-License-Identifier: LGPL-2.1-or-later\n"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("lib/a.cpp", "int a;\n"),
        ("lib/a.cpp", SPDX + "int a;\n" * MAX_LINES),
        ("lib/a.cpp", SPDX + "// TO" + "DO: more\n"),
        ("README.md", "see /ho" + "me/me/x\n"),
        ("README.md", "no line feed"),
    ],
)
def test_a_broken_rule_is_found(name, text):
    assert len(complaints(name, text)) == 1


def test_readme_names_both_commands():
    readme = text_of("README.md")
    assert "./setup.sh" in readme and "./examples/demo.sh" in readme


def test_links_between_documents_lead_somewhere():
    link = re.compile(r"\]\((?!\w+:|#)([^)#\s]+)")
    broken = [
        f"{name}: {target}"
        for name in project_files(".md")
        for target in link.findall(text_of(name))
        if not (ROOT / name).parent.joinpath(target).exists()
    ]
    assert broken == []


def quoted_packages(script):
    """Debian packages and Python requirements that a script installs."""
    script = re.sub(r"^\s*#.*\n", "", script, flags=re.MULTILINE)
    names = set()
    for block in re.findall(r"packages\+?=\(([^)]*)\)", script):
        lines = [line.split("#")[0] for line in block.splitlines()]
        names.update(" ".join(lines).split())
    for call in re.findall(r"^\s*install_packages ([^\"$\n]+)$", script, re.MULTILINE):
        names.update(call.split())
    names.update(re.findall(r"^material (\S+)", script, re.MULTILINE))
    for call in re.findall(r"make_environment (\"(?:[^\n]*\\\n)*[^\n]*)", script):
        words = call.replace("\\\n", " ").replace('"', " ").split()[1:]
        names.update(re.split("[=<>~]", word)[0] for word in words if word[0] not in "-$")
    return names


def used_dependencies():
    """Names under which the build files and scripts ask for other projects."""
    names = set()
    for file in project_files("meson.build"):
        names.update(re.findall(r"(?:dependency|find_library)\('([^']+)'", text_of(file)))
    for file in project_files(".sh"):
        names.update(quoted_packages(text_of(file)))
    return names - {"threads", "dl", "tvw", "tvw-core"}


def test_every_dependency_is_in_third_party():
    listed = set(re.findall(r"`([^`\s]+)`", text_of("THIRD_PARTY.md")))
    assert used_dependencies() - listed == set()


def test_installed_packages_are_read_from_scripts():
    script = (
        '# make_environment DIR WORD...\npackages=(\n  # a comment\n  g++ meson\n)\npackages+=(libx-dev)\n'
        'install_packages doxygen\ninstall_packages "${packages[@]}"\n'
        'make_environment "$dir/x" --no-deps \\\n    "a-b==1.*" torch\n'
    )
    assert quoted_packages(script) == {"g++", "meson", "libx-dev", "doxygen", "a-b", "torch"}


def format_complaints(path):
    return subprocess.run(
        ["clang-format", "--dry-run", "-Werror", path], cwd=ROOT, capture_output=True, text=True
    ).stderr


@pytest.fixture(scope="session")
def clang_format():
    version = re.search(r"version (\d+)", output("clang-format", "--version"))[1]
    if version != "14":
        pytest.skip(f"the project is formatted by clang-format 14, here is {version}")


def test_sources_are_formatted(clang_format):
    files = project_files(".h", ".cpp", ".c", ".cu")
    result = subprocess.run(
        ["clang-format", "--dry-run", "-Werror", *files], cwd=ROOT, capture_output=True, text=True
    )
    assert result.returncode == 0, result.stderr


def test_unformatted_source_is_found(clang_format, tmp_path):
    shutil.copy(ROOT / ".clang-format", tmp_path)
    (tmp_path / "a.cpp").write_text("int  a ;\n")
    assert format_complaints(tmp_path / "a.cpp")
