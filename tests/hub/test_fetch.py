# SPDX-License-Identifier: LGPL-2.1-or-later
"""What tvw fetch brings, where it puts it, and what it does with what is there."""

import json
import os
import signal
import subprocess
import time

from conftest import BODY, NAME, OTHER, REMEMBERED, digest
from server import content, slow_content, trickle, without_length, status

COMPLETE = {NAME: BODY, NAME + ".sha256": REMEMBERED}


def test_a_file_is_fetched_verified_and_remembered(cache, published, server):
    descriptor = published()
    report = cache.fetch(descriptor)
    assert report == {
        "weights": "tiny",
        "file": str(cache.folder / NAME),
        "outcome": "fetched",
        "bytes": len(BODY),
        "license": None,
        "error": None,
    }
    assert cache.content() == COMPLETE
    assert (cache.folder / NAME).stat().st_mode & 0o777 == 0o444 & ~current_umask()
    for folder in (cache.home, cache.home / "hub", cache.folder):
        assert folder.stat().st_mode & 0o777 == 0o700
    # sha256sum understands what is remembered.
    subprocess.run(["sha256sum", "-c", NAME + ".sha256"], cwd=cache.folder, check=True)
    assert cache.fetch(descriptor)["outcome"] == "present"
    assert len(server.requests) == 1


def current_umask():
    mask = os.umask(0)
    os.umask(mask)
    return mask


def test_a_file_of_unannounced_length_is_fetched(cache, published):
    assert cache.fetch(published(without_length(BODY)))["outcome"] == "fetched"
    assert cache.content() == COMPLETE


def test_a_damaged_file_is_fetched_again_and_moved_aside(cache, published):
    damaged = BODY[:-1] + b"\0"
    cache.put(NAME, damaged)
    assert cache.fetch(published())["outcome"] == "fetched"
    assert cache.content() == COMPLETE | {NAME + ".corrupt": damaged}


def test_a_damaged_file_stays_where_the_new_one_is_no_better(cache, published):
    damaged = BODY[:-1] + b"\0"
    cache.put(NAME, damaged)
    error = cache.fetch(published(content(OTHER)))["error"]
    assert error["kind"] == "mismatch"
    for part in (digest(damaged), digest(OTHER), digest(BODY)[:8]):
        assert part in error["message"]
    assert cache.content() == {NAME: damaged}
    error = cache.fetch(published(status(500)))["error"]
    assert digest(damaged) in error["message"] and "answered 500" in error["message"]
    assert cache.content() == {NAME: damaged}


def test_the_first_digest_seen_is_remembered(cache, server):
    """A name without digest: what was right once must stay."""
    server.answers["/plain.pth"] = content(BODY)
    descriptor = cache.descriptor(server.url("/plain.pth"))
    cache.fetch(descriptor)
    os.chmod(cache.folder / "plain.pth", 0o644)
    cache.put("plain.pth", OTHER)
    assert cache.fetch(descriptor)["outcome"] == "fetched"
    assert cache.content()["plain.pth"] == BODY
    # A file that was removed is forgotten: the server may have a new one by then.
    (cache.folder / "plain.pth").unlink()
    server.answers["/plain.pth"] = content(OTHER)
    assert cache.fetch(descriptor)["outcome"] == "fetched"
    assert cache.content()["plain.pth"] == OTHER
    assert cache.content()["plain.pth.sha256"].decode().startswith(digest(OTHER))


def test_a_changed_file_on_the_server_does_not_replace_a_right_one(cache, server):
    server.answers["/plain.pth"] = content(BODY)
    descriptor = cache.descriptor(server.url("/plain.pth"))
    cache.fetch(descriptor)
    server.answers["/plain.pth"] = content(OTHER)
    assert cache.fetch(descriptor)["outcome"] == "present"


def test_the_descriptors_own_digest_counts_more_than_the_name(cache, server):
    """Published names have been wrong before."""
    path = "/tiny-00000000.pth"
    server.answers[path] = content(BODY)
    descriptor = cache.descriptor(server.url(path), sha256=digest(BODY))
    assert cache.fetch(descriptor)["outcome"] == "fetched"
    error = cache.fetch(cache.descriptor(server.url("/x/tiny-00000001.pth")))["error"]
    assert error["kind"] == "not_found"


def test_a_query_belongs_to_the_address_and_not_to_the_name(cache, server):
    path = f"/{NAME}?download=1"
    server.answers[path] = content(BODY)
    assert cache.fetch(cache.descriptor(server.url(path)))["outcome"] == "fetched"
    assert cache.content() == COMPLETE


def test_a_local_checkpoint_is_verified_and_never_fetched(cache, tmp_path):
    (tmp_path / "mine.pth").write_bytes(BODY)
    entry = {"builder": "alexnet", "checkpoint": "mine.pth", "sha256": digest(BODY)}
    descriptor = tmp_path / "mine.json"
    descriptor.write_text(json.dumps(entry | {"transforms": {"preset": "OpticalFlow"}}))
    assert cache.fetch(descriptor)["outcome"] == "present"
    (tmp_path / "mine.pth").write_bytes(OTHER)
    error = cache.fetch(descriptor)["error"]
    assert error["kind"] == "mismatch" and "descriptor" in error["message"]
    assert not list(tmp_path.glob("mine.pth.*"))


def test_a_mirror_replaces_all_before_the_name(cache, server):
    server.answers[f"/mirror/deep/{NAME}"] = content(BODY)
    descriptor = cache.descriptor(f"https://nowhere.invalid/models/{NAME}")
    for folder in ("/mirror/deep", "/mirror/deep/"):
        env = {"TVW_MIRROR": server.url(folder)}
        assert cache.fetch(descriptor, env=env)["outcome"] == "fetched"
        assert server.requests == [f"/mirror/deep/{NAME}"]
        server.requests.clear()
        for path in cache.folder.iterdir():
            path.unlink()


def test_a_mirror_must_be_https(cache, published, server):
    error = cache.fetch(published(), env={"TVW_MIRROR": "http://localhost/"})["error"]
    assert error["kind"] == "invalid_argument"
    assert "TVW_MIRROR" in error["message"] and "https://" in error["message"]
    assert server.requests == [] and cache.content() == {}


def test_passwords_in_addresses_stay_out_of_messages(cache, published, server):
    mirror = server.url("/none").replace("//", "//me:secret@")
    message = cache.fetch(published(), env={"TVW_MIRROR": mirror})["error"]["message"]
    assert "secret" not in message and server.url("/none/") in message


def test_offline_opens_no_socket(cache, published, server):
    descriptor = published()
    error = cache.fetch(descriptor, env={"TVW_OFFLINE": "1"})["error"]
    assert error["kind"] == "not_found" and str(cache.folder / NAME) in error["message"]
    assert server.requests == [] and not cache.home.exists()
    cache.fetch(descriptor)
    assert cache.fetch(descriptor, env={"TVW_OFFLINE": "1"})["outcome"] == "present"
    assert len(server.requests) == 1


def test_several_are_fetched_at_once_and_summed_up(cache, published, server):
    names = ("a", "b", "c")
    descriptors = [published(slow_content(BODY, 0.5), name=name) for name in names]
    bad = cache.descriptor(server.url("/none.pth"), "bad")
    result = cache.tvw("fetch", *descriptors, bad, descriptors[0], check=False)
    assert result.returncode == 1
    assert result.stdout.splitlines()[-1] == "3 fetched (0.6 MB), 0 already there, 1 failed"
    assert result.stderr.count("tvw: bad: ") == 1 and "answered 404" in result.stderr
    assert "3 files" in result.stderr or "4 files" in result.stderr
    assert len(server.requests) == 4
    result = cache.tvw("fetch", *descriptors)
    assert result.stdout.splitlines()[-1] == "0 fetched (0.0 MB), 3 already there, 0 failed"
    assert result.stderr == ""


def test_progress_is_told_in_lines(cache, published):
    lines = cache.tvw("fetch", published(slow_content(BODY, 1))).stderr.splitlines()
    assert 4 <= len(lines) <= 12
    assert all(line.startswith(f"{NAME}: ") for line in lines)
    assert "% of 0.2 MB" in lines[0] and "MB/s" in lines[-1]


def test_ctrl_c_leaves_nothing(cache, published, server):
    # Processes that a script starts in the background inherit that it is ignored.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    process = cache.start(published(trickle))
    wait_for(lambda: cache.content().keys() - {NAME + ".lock"})
    process.send_signal(signal.SIGINT)
    assert process.wait(10) == -signal.SIGINT
    assert cache.content() == {}


def wait_for(condition, seconds=20):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_what_to_fetch_must_be_said_once(cache):
    for arguments in ([], ["resnet50", "--all-default"], ["resnet50", "--module", "video"]):
        assert "--all-default" in cache.tvw("fetch", *arguments, check=False).stderr


def test_models_and_defaults_are_chosen_from_the_registry(cache):
    offline = {"TVW_OFFLINE": "1"}

    def names(*arguments):
        result = cache.tvw("fetch", "--json", *arguments, check=False, env=offline)
        return [json.loads(line)["weights"] for line in result.stdout.splitlines()]

    assert names("--model", "resnet50") == [
        "ResNet50_Weights.IMAGENET1K_V1",
        "ResNet50_Weights.IMAGENET1K_V2",
    ]
    assert names("--all-default", "--module", "optical_flow") == [
        "Raft_Large_Weights.C_T_SKHT_V2",
        "Raft_Small_Weights.C_T_V2",
    ]
    assert len(names("--all-default")) == 121


def test_a_licence_is_printed(cache):
    weights = "ViT_B_16_Weights.IMAGENET1K_SWAG_E2E_V1"
    shown = json.loads(cache.tvw("show", weights, "--json").stdout)["meta"]["license"]
    assert shown in cache.tvw("show", weights).stdout
    report = cache.fetch(weights, env={"TVW_OFFLINE": "1"})
    assert report["license"] == shown


def test_classify_fetches_what_is_missing(cache, published, server, tmp_path):
    """The file is no network, which is found out after it was fetched."""
    (tmp_path / "a.png").write_bytes(b"")
    descriptor = published()
    entry = json.loads(descriptor.read_text())
    entry["transforms"] = {"preset": "ImageClassification", "crop_size": 8}
    descriptor.write_text(json.dumps(entry))
    result = cache.tvw("classify", "--weights", descriptor, tmp_path / "a.png", check=False)
    assert result.returncode == 1
    assert cache.content() == COMPLETE and len(server.requests) == 1
