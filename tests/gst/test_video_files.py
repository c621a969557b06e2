# SPDX-License-Identifier: LGPL-2.1-or-later
"""tvw classify on video files: what it says when one cannot be classified."""

import json
import subprocess

import pytest

from conftest import BUILD, MODEL, TESTS, element_environment

VIDEO = "videotestsrc num-buffers=3 ! video/x-raw, width=48, height=40"
SOUND = "audiotestsrc num-buffers=3"


def make(file, pipeline):
    command = f"gst-launch-1.0 -q {pipeline} ! filesink location={file}"
    subprocess.run(command.split(), check=True, timeout=60)
    return file


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    return make(tmp_path_factory.mktemp("video") / "clip.webm", f"{VIDEO} ! vp8enc ! webmmux")


def classify(file, *options, **environment):
    return subprocess.run(
        [BUILD / "cli" / "tvw", "classify", "--json", "--weights", MODEL, *options, file],
        capture_output=True,
        text=True,
        timeout=60,
        env=element_environment(**environment),
    )


def error_of(file, *options, **environment):
    result = classify(file, *options, **environment)
    assert result.returncode == 1, result.stdout
    error = json.loads(result.stderr)["error"]
    assert error["message"].startswith(f"{file}: ")
    return error


def test_the_program_finds_the_plugin_that_was_built_with_it(clip, tmp_path):
    result = classify(clip, GST_PLUGIN_PATH="", GST_REGISTRY=str(tmp_path / "registry"))
    assert result.returncode == 0, result.stderr
    assert len(result.stdout.splitlines()) == 3


def test_sound_does_not_disturb(tmp_path):
    pipeline = f"matroskamux name=both {SOUND} ! both. {VIDEO} ! both. both."
    result = classify(make(tmp_path / "both.mkv", pipeline))
    assert result.returncode == 0, result.stderr
    assert len(result.stdout.splitlines()) == 3


def test_a_file_that_is_not_there_is_not_found(tmp_path):
    assert error_of(tmp_path / "nowhere.mp4")["kind"] == "not_found"


@pytest.mark.parametrize("content", [b"", b"no film at all"])
def test_a_file_of_no_known_format_is_corrupt(tmp_path, content):
    file = tmp_path / "broken.mp4"
    file.write_bytes(content)
    assert error_of(file)["kind"] == "corrupt_file"


@pytest.mark.parametrize("muxer", ["matroskamux", "wavenc"])
def test_a_file_without_video_says_so(tmp_path, muxer):
    error = error_of(make(tmp_path / "sound.mkv", f"{SOUND} ! {muxer}"))
    assert error["kind"] == "not_supported"
    assert "no video" in error["message"]


def test_a_missing_decoder_is_named(clip):
    error = error_of(clip, GST_PLUGIN_FEATURE_RANK="vp8dec:NONE,avdec_vp8:NONE")
    assert error["kind"] == "not_supported"
    assert "VP8 decoder" in error["message"]


def test_an_answer_that_is_no_number_is_an_error_as_with_a_picture(clip):
    error = error_of(clip, "--checkpoint", TESTS / "overflow.safetensors")
    assert error["kind"] == "mismatch"
    assert "NaN" in error["message"]


def test_a_damaged_checkpoint_keeps_its_kind_and_offset(clip, tmp_path):
    file = tmp_path / "garbage.pth"
    file.write_bytes(b"this is no checkpoint")
    error = error_of(clip, "--checkpoint", file)
    assert error["kind"] == "corrupt_file"
    assert "garbage.pth" in error["message"]
    assert isinstance(error["offset"], int)
