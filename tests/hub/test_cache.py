# SPDX-License-Identifier: LGPL-2.1-or-later
"""tvw cache: what is there, whether it is right, and what may go."""

import json
import os
import time

from conftest import BODY, NAME, OTHER, digest

RESNET = "resnet50-11ad3fa6.pth"
LONG_AGO = time.time() - 2 * 3600


def lines(cache, command):
    result = cache.tvw("cache", command, "--json", check=False)
    objects = [json.loads(line) for line in result.stdout.splitlines()]
    return {os.path.basename(each["file"]): each for each in objects}, result.returncode


def put_leftovers(cache):
    """Files that may go, and files that look like it."""
    old = [
        f"{NAME}.0123abcd.part",
        f"{NAME}.sha256.0123abcd.part",
        f"{NAME}.0123456789abcdef0123456789abcdef.partial",
        f"{NAME}.lock",
    ]
    for name in old:
        path = cache.put(name, b"old")
        os.utime(path, (LONG_AGO, LONG_AGO))
    cache.put(f"{NAME}.corrupt", b"wrong")
    cache.put("gone.pth.sha256", b"of a file that is gone")
    kept = {
        NAME: BODY,
        f"{NAME}.sha256": b"stays",
        f"{NAME}.0123abce.part": b"young",
        "some.part": b"no name of ours",
        "notes.txt": b"the user's",
    }
    for name, body in kept.items():
        cache.put(name, body)
    return {*old, f"{NAME}.corrupt", "gone.pth.sha256"}, kept


def test_list_names_files_sizes_and_weights(cache):
    cache.put(RESNET, b"12345")
    cache.put(NAME, BODY)
    files, status = lines(cache, "list")
    assert status == 0 and list(files) == [RESNET, NAME]
    assert files[RESNET] == {
        "file": str(cache.folder / RESNET),
        "kind": "checkpoint",
        "bytes": 5,
        "weights": ["ResNet50_Weights.IMAGENET1K_V2"],
    }
    assert files[NAME]["weights"] == []
    text = cache.tvw("cache", "list").stdout
    assert "ResNet50_Weights.IMAGENET1K_V2" in text and "2 files, 0.2 MB" in text


def test_list_of_no_cache_is_empty(cache):
    assert lines(cache, "list") == ({}, 0)
    assert "0 files" in cache.tvw("cache", "list").stdout
    assert not cache.home.exists()


def test_list_tells_leftovers_from_the_rest(cache):
    leftovers, kept = put_leftovers(cache)
    files, _ = lines(cache, "list")
    assert {name for name, file in files.items() if file["kind"] == "leftover"} == leftovers
    unfinished = {name for name, file in files.items() if file["kind"] == "unfinished"}
    assert unfinished == {f"{NAME}.0123abce.part"}
    assert f"{NAME}.sha256" not in files and "notes.txt" in files


def test_prune_removes_leftovers_only(cache):
    leftovers, kept = put_leftovers(cache)
    result = cache.tvw("cache", "prune").stdout
    assert cache.content() == kept
    assert all(f"removed {name} " in result for name in leftovers)
    assert "6 leftovers removed, 39 bytes" in result
    assert lines(cache, "prune") == ({}, 0)


def test_verify_names_what_is_wrong(cache):
    cache.put(NAME, BODY)
    cache.put(RESNET, BODY)
    cache.put("plain.pth", BODY)
    cache.put("changed.pth", OTHER)
    cache.put("changed.pth.sha256", f"{digest(BODY)}  changed.pth\n".encode())
    before = cache.content()
    files, status = lines(cache, "verify")
    assert status == 1
    assert {name for name, file in files.items() if file["error"]} == {RESNET, "changed.pth"}
    assert files[NAME]["digest"] == files["plain.pth"]["digest"] == digest(BODY)
    message = files[RESNET]["error"]["message"]
    assert digest(BODY) in message and "11ad3fa6" in message
    assert digest(BODY) in files["changed.pth"]["error"]["message"]
    result = cache.tvw("cache", "verify", check=False)
    assert result.returncode == 1 and result.stdout.endswith("2 right, 2 wrong\n")
    assert cache.content() == before


def test_a_right_cache_is_verified(cache):
    cache.put(NAME, BODY)
    assert cache.tvw("cache", "verify").stdout == f"right  {NAME}\n1 right, 0 wrong\n"
