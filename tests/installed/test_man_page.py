# SPDX-License-Identifier: LGPL-2.1-or-later
"""The manual page is well formed and says what the program's own --help says."""

import re
import shutil
import subprocess

import pytest

from conftest import output

COMMON = {"help", "json", "verbose"}


@pytest.fixture(scope="module")
def page(installed):
    return installed.folder("mandir") / "man1" / "tvw.1"


@pytest.fixture(scope="module")
def commands(installed):
    """Options by command, as the program tells them: "cache list" is one command."""

    def ask(*path):
        text = output(installed.program, *path, "--help")
        beneath = re.search(r"^Subcommands:\n((?:  .*\n)+)", text, re.M)
        if beneath:
            names = re.findall(r"^  ([a-z]\S*)", beneath[1], re.M)
            return {name: value for each in names for name, value in ask(*path, each).items()}
        return {" ".join(path): set(re.findall(r"^  (?:-h,)?--([a-z-]+)", text, re.M))}

    return ask()


def documented(text):
    """The same from the source of the page."""
    text = re.search(r"^\.SH COMMANDS\n(.*?)^\.SH ", text, re.M | re.S)[1].replace("\\-", "-")
    sections = re.split(r"^\.SS tvw ((?:[a-z]+(?: |$))+).*\n", text, flags=re.M)[1:]
    return {
        name.strip(): set(re.findall(r"^\.TP\n\.BI? --([a-z-]+)", section, re.M))
        for name, section in zip(sections[::2], sections[1::2])
    }


def test_the_page_has_every_command_and_option_and_no_other(page, commands):
    expected = {name: options - COMMON for name, options in commands.items()}
    assert documented(page.read_text()) == expected
    assert all(COMMON <= options for options in commands.values())


def test_a_missing_option_would_be_found(page):
    text = page.read_text()
    without = text.replace(".B \\-\\-dot\n", ".B dot\n")
    assert without != text and "dot" not in documented(without)["graph"]


@pytest.mark.parametrize(
    "tool", [["mandoc", "-T", "lint", "-W", "warning"], ["groff", "-man", "-ww", "-z", "-Tutf8"]]
)
def test_the_page_is_well_formed(page, tool):
    if shutil.which(tool[0]) is None:
        pytest.skip(f"{tool[0]} is not installed")
    result = subprocess.run([*tool, page], capture_output=True, text=True)
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")


def test_the_page_names_the_environment(page):
    text = page.read_text()
    for name in ["TORCH_HOME", "XDG_CACHE_HOME", "TVW_OFFLINE", "TVW_MIRROR", "TVW_WEIGHTS_PATH"]:
        assert f"\n.B {name}\n" in text
    assert "https_proxy" in text and "SSL_CERT_FILE" in text
