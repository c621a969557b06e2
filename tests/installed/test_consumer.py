# SPDX-License-Identifier: LGPL-2.1-or-later
"""A project outside the tree builds and runs against what is installed, with Meson and with CMake."""

import re
import shutil
import subprocess

import pytest

from conftest import BUILD, ROOT, output

CONSUMER = ROOT / "tests" / "consumer"
NAMES = """\
swin_b
swin_s
swin_t
swin_v2_b
swin_v2_s
swin_v2_t
ResNet50_Weights.IMAGENET1K_V1
ResNet50_Weights.IMAGENET1K_V2
ImageClassification(
    crop_size=[224]
    resize_size=[232]
    mean=[0.485, 0.456, 0.406]
    std=[0.229, 0.224, 0.225]
    interpolation=InterpolationMode.BILINEAR
)
"""
MODEL = "resnet18: 11689512 parameters, output 2x1000\n"


def configure(system, source, build, installed, *arguments):
    commands = {
        "meson": ["meson", "setup", build, source],
        "cmake": ["cmake", "-G", "Ninja", "-S", source, "-B", build]
        + [f"-DCMAKE_PREFIX_PATH={installed.prefix}"],
    }
    output(*commands[system], *arguments, env=installed.environment())


@pytest.fixture(scope="module", params=["meson", "cmake"])
def consumer(request, installed, tmp_path_factory):
    """The build folder of a copy that stands far from our source."""
    if shutil.which(request.param) is None:
        pytest.skip(f"{request.param} is not installed")
    folder = tmp_path_factory.mktemp(request.param)
    source = shutil.copytree(CONSUMER, folder / "source")
    configure(request.param, source, folder / "build", installed)
    output("ninja", "-C", folder / "build", env=installed.environment())
    return folder / "build"


def test_a_program_of_the_core_runs(consumer, installed):
    assert output(consumer / "names", env=installed.environment()) == NAMES


def test_a_program_with_a_model_runs(consumer, installed):
    assert output(consumer / "model", env=installed.environment()) == MODEL


def test_a_program_of_the_core_does_not_link_torch(consumer):
    assert not re.search("torch|c10", output("readelf", "-d", consumer / "names"))
    assert re.search("torch", output("readelf", "-d", consumer / "model"))


def test_only_installed_headers_and_libraries_are_used(consumer, installed):
    headers = re.findall(r"^ +(/.*/tvw/\w+\.h)$", output("ninja", "-C", consumer, "-t", "deps"), re.M)
    libraries = re.findall(r"libtvw\S* => (\S+)", output("ldd", consumer / "model"))
    assert headers and libraries
    for path in headers + libraries:
        assert path.startswith(str(installed.prefix)), path
    commands = output("ninja", "-C", consumer, "-t", "commands")
    commands = commands.replace(installed.options["torch_prefix"], "")
    assert str(ROOT) not in commands and str(BUILD) not in commands


def test_the_installed_program_runs_where_it_is(installed):
    assert "resnet50\n" in output(installed.program, "list", env=installed.environment())
    libraries = re.findall(r"libtvw\S* => (\S+)", output("ldd", installed.program))
    assert libraries and all(path.startswith(str(installed.prefix)) for path in libraries)


def test_no_installed_file_names_the_source(installed):
    """The folder with LibTorch is what the builder asked for."""
    files = [path for path in installed.prefix.rglob("*") if path.is_file()]
    assert len(files) > 20
    for path in files:
        content = path.read_bytes().replace(installed.options["torch_prefix"].encode(), b"")
        assert str(ROOT).encode() not in content and str(BUILD).encode() not in content, path


def test_pkg_config_takes_another_torch(installed):
    command = ["pkg-config", "--cflags", "--libs", "--define-variable=torch_prefix=/opt/other"]
    flags = output(*command, "tvw", env=installed.environment()).split()
    assert flags[flags.index("-idirafter") + 1] == "/opt/other/include"
    assert {"-L/opt/other/lib", "-Wl,-rpath,/opt/other/lib", "-ltvw", "-ltvw-core"} <= set(flags)


def test_pkg_config_of_the_core_knows_no_torch(installed):
    flags = output("pkg-config", "--cflags", "--libs", "tvw-core", env=installed.environment())
    assert "-ltvw-core" in flags and not re.search("torch|c10|-ltvw ", flags)


@pytest.fixture
def cmake_finds(installed, tmp_path):
    """Whether find_package(NAME ARGUMENTS) succeeds, and with what message it does not."""
    if shutil.which("cmake") is None:
        pytest.skip("cmake is not installed")

    def find(arguments, *options, name="tvw"):
        (tmp_path / "CMakeLists.txt").write_text(
            "cmake_minimum_required(VERSION 3.18)\nproject(probe CXX)\n"
            f"find_package({name} {arguments} REQUIRED)\n"
        )
        result = subprocess.run(
            ["cmake", "-S", tmp_path, "-B", tmp_path / "build", *options]
            + [f"-DCMAKE_PREFIX_PATH={installed.prefix}"],
            capture_output=True,
            text=True,
        )
        return result.returncode == 0, result.stderr

    return find


def test_cmake_compares_versions(cmake_finds):
    assert cmake_finds("0.1")[0] and cmake_finds("0.1.0 EXACT")[0]
    assert not cmake_finds("0.2")[0] and not cmake_finds("0.0.9")[0] and not cmake_finds("1")[0]


def test_cmake_says_what_is_missing(cmake_finds):
    nowhere = "-DTVW_TORCH_PREFIX=/nowhere"
    found, message = cmake_finds("COMPONENTS core tvw", nowhere)
    assert not found and 'no LibTorch in "/nowhere"' in message
    assert "no LibTorch" in cmake_finds("", nowhere)[1]
    assert 'no component "cuda"' in cmake_finds("COMPONENTS cuda")[1]
    assert cmake_finds("COMPONENTS core", nowhere)[0]
    assert cmake_finds("COMPONENTS core", nowhere, name="Tvw")[0]


def test_a_subproject_answers_both_dependencies(installed, tmp_path):
    """Configured and compiled only: linking would build the library a second time."""
    shutil.copytree(CONSUMER, tmp_path / "source")
    subprojects = tmp_path / "source" / "subprojects"
    subprojects.mkdir()
    (subprojects / "tvw").symlink_to(ROOT)
    (subprojects / "tvw.wrap").write_text(
        "[wrap-file]\ndirectory = tvw\n[provide]\ndependency_names = tvw, tvw-core\n"
    )
    build = tmp_path / "build"
    prefix = f"-Dtvw:torch_prefix={installed.options['torch_prefix']}"
    configure("meson", tmp_path / "source", build, installed, "--force-fallback-for=tvw", prefix)
    targets = ["names.p/names.cpp.o", "model.p/model.cpp.o"]
    output("ninja", "-C", build, *targets)
    headers = output("ninja", "-C", build, "-t", "deps", *targets)
    assert "subprojects/tvw/lib/include/tvw/weights_enums.h" in headers
    assert str(installed.prefix) not in headers
