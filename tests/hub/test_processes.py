# SPDX-License-Identifier: LGPL-2.1-or-later
"""Many processes, killed ones and stopped ones: what is in the cache is complete, and goes on."""

import os
import random
import signal
import time

from conftest import BODY, LONG, NAME, REMEMBERED, Cache
from server import slow_content

LONG_AGO = time.time() - 2 * 3600


DAMAGED = BODY[:-1]


def assert_sound(cache, before=BODY):
    """Under a name that anybody reads is what was there before, or the right thing."""
    for name, body in cache.content().items():
        if name == NAME:
            assert body in (BODY, before)
        elif name == NAME + ".sha256":
            assert body == REMEMBERED
        elif name == NAME + ".corrupt":
            assert body == DAMAGED
        else:
            assert name == NAME + ".lock" or name.endswith(".part"), name


def wait_for(condition, seconds=20):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def size(path):
    """0 too where a download has just put the file in place."""
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def partial(cache):
    return [path for path in cache.folder.glob("*.part") if size(path) > 0]


def test_killed_downloads_leave_nothing_wrong(cache, published):
    """kill -9 at random moments, from before the first byte until after the last."""
    draw = random.Random(4)
    descriptor = published(slow_content(BODY, 0.05, chunks=10))
    start = time.monotonic()
    cache.fetch(descriptor)
    duration = time.monotonic() - start
    finished = started = 0
    for round in range(1000 if LONG else 200):
        (cache.folder / NAME).unlink(missing_ok=True)
        if round % 4 == 0:
            cache.put(NAME, DAMAGED)
        process = cache.start(descriptor)
        time.sleep(draw.uniform(0, 1.5 * duration))
        started += bool(partial(cache))
        process.send_signal(signal.SIGKILL)
        finished += process.wait() == 0
        assert_sound(cache, DAMAGED if round % 4 == 0 else BODY)
        if round % 20 == 0:
            # Whatever is there loads, or is fetched at once: no lock is left held.
            begin = time.monotonic()
            assert cache.fetch(descriptor)["outcome"] in ("fetched", "present")
            assert time.monotonic() - begin < 10
            cache.tvw("cache", "verify")
        for path in cache.folder.glob("*.part"):
            os.utime(path, (LONG_AGO, LONG_AGO))
    print(f"{finished} finished, {started} were killed with bytes in a partial file")
    assert started > 20, "killing always came too early or too late and proves nothing"
    # The next download tidies up.
    (cache.folder / NAME).unlink(missing_ok=True)
    assert cache.fetch(descriptor)["outcome"] == "fetched"
    assert cache.content().keys() == {NAME, NAME + ".sha256", NAME + ".corrupt"}


def test_many_processes_share_one_download(cache, published, server):
    descriptor = published(slow_content(BODY, 1))
    processes = [cache.start(descriptor) for _ in range(50)]
    assert [process.wait(120) for process in processes] == [0] * 50
    assert cache.content() == {NAME: BODY, NAME + ".sha256": REMEMBERED}
    # A courtesy: a process that came while the lock was given back may download on its own.
    assert len(server.requests) <= 5


def test_a_stopped_process_stops_nobody(cache, published, server):
    descriptor = published(slow_content(BODY, 2))
    stopped = cache.start(descriptor)
    wait_for(lambda: partial(cache))
    stopped.send_signal(signal.SIGSTOP)
    try:
        published()
        begin = time.monotonic()
        assert cache.fetch(descriptor, "--stall", 1)["outcome"] == "fetched"
        assert 1 <= time.monotonic() - begin < 10
        assert len(server.requests) == 2
    finally:
        stopped.send_signal(signal.SIGCONT)
    # It goes on with what it has, or has to give up; either way the file is right.
    stopped.wait(60)
    assert_sound(cache)


def test_waiting_shows_the_progress_of_who_downloads(cache, published):
    descriptor = published(slow_content(BODY, 1.5))
    first = cache.start(descriptor)
    wait_for(lambda: partial(cache))
    result = cache.tvw("fetch", descriptor)
    assert first.wait(20) == 0
    assert f"{NAME}: 0.2 MB" in result.stderr


def test_a_damaged_file_is_healed_by_many_at_once(cache, published):
    descriptor = published(slow_content(BODY, 0.3))
    cache.put(NAME, DAMAGED)
    processes = [cache.start(descriptor) for _ in range(8)]
    assert [process.wait(60) for process in processes] == [0] * 8
    content = cache.content()
    assert content.pop(NAME + ".corrupt") in (DAMAGED, BODY)
    assert content == {NAME: BODY, NAME + ".sha256": REMEMBERED}


def test_only_abandoned_partial_files_are_removed(cache, published):
    old = cache.put(f"{NAME}.0123abcd.part", b"old")
    os.utime(old, (LONG_AGO, LONG_AGO))
    young = cache.put(f"{NAME}.0123abce.part", b"young")
    other = cache.put("other.pth.0123abcd.part", b"another name's")
    os.utime(other, (LONG_AGO, LONG_AGO))
    cache.fetch(published())
    assert not old.exists() and young.exists() and other.exists()


def test_a_lock_that_nobody_may_open_is_no_obstacle(cache, published):
    """Nor is one where a lock cannot be."""
    cache.folder.mkdir(parents=True)
    (cache.folder / f"{NAME}.lock").mkdir()
    assert cache.fetch(published())["outcome"] == "fetched"


def test_links_are_not_followed_for_the_lock(cache, published, tmp_path):
    target = tmp_path / "target"
    cache.folder.mkdir(parents=True)
    (cache.folder / f"{NAME}.lock").symlink_to(target)
    assert cache.fetch(published())["outcome"] == "fetched"
    assert not target.exists()


def test_many_cold_caches(tmp_path, authority, published):
    """100 of them with --long."""
    descriptor = published(slow_content(BODY, 0.1))
    for number in range(100 if LONG else 2):
        cache = Cache(tmp_path / str(number), authority.certificate)
        processes = [cache.start(descriptor) for _ in range(50 if LONG else 10)]
        assert [process.wait(120) for process in processes] == [0] * len(processes)
        assert cache.content() == {NAME: BODY, NAME + ".sha256": REMEMBERED}
