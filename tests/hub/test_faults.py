# SPDX-License-Identifier: LGPL-2.1-or-later
"""Broken servers, networks and disks: a clear error each, and the cache as it was."""

import contextlib
import json
import subprocess

import pytest

import server as answers
from authority import Authority
from conftest import BODY, BUILD, Cache, NAME, OTHER, digest
from server import Proxy, Server, content

FAULTS = {
    "not there": (answers.status(404), "not_found", "the server answered 404"),
    "gone": (answers.status(410), "not_found", "the server answered 410"),
    "server error": (answers.status(500), "io", "the server answered 500"),
    "shorter than announced": (answers.announced(BODY, len(BODY) + 5), "io", "5 bytes remaining"),
    "longer than announced": (answers.announced(BODY, len(BODY) - 5), "mismatch", digest(BODY)[:8]),
    "cut, length unknown": (answers.without_length(BODY[:-5]), "mismatch", digest(BODY[:-5])),
    "other bytes": (content(OTHER), "mismatch", digest(OTHER)),
    "empty": (content(b""), "mismatch", digest(b"")),
    "web page": (content(b"<html>log in</html>"), "mismatch", digest(BODY)[:8]),
    "reset": (answers.reset(BODY), "io", "cannot download"),
    "a byte now and then": (answers.trickle, "io", "Less than 1024 bytes/sec"),
    "silence": (answers.silence, "io", "Less than 1024 bytes/sec"),
}


@contextlib.contextmanager
def unchanged(cache):
    before = cache.content()
    yield
    assert cache.content() == before


@pytest.fixture(params=["cold", "damaged"])
def any_cache(request, cache):
    """Without the file, and with a wrong one under its name, which must survive."""
    cache.put("other.pth", OTHER)
    if request.param == "damaged":
        cache.put(NAME, BODY[:1000])
    return cache


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_named_and_changes_nothing(any_cache, published, server, fault):
    answer, kind, text = FAULTS[fault]
    descriptor = published(answer)
    with unchanged(any_cache):
        error = any_cache.fetch(descriptor, "--stall", 1)["error"]
    damaged = NAME in any_cache.content()
    assert text in error["message"] and f"/{NAME}" in error["message"]
    assert error["kind"] == ("mismatch" if damaged else kind)
    assert len(error["message"].splitlines()) <= 2
    if damaged:
        assert digest(BODY[:1000]) in error["message"]
    # The server is well again: so are we.
    published()
    assert any_cache.fetch(descriptor)["outcome"] == "fetched"


def test_a_redirect_is_followed(cache, published, server):
    server.answers["/elsewhere"] = content(BODY)
    assert cache.fetch(published(answers.redirect("/elsewhere")))["outcome"] == "fetched"


def test_a_redirect_to_http_is_refused(cache, published, server):
    descriptor = published(answers.redirect(server.url("/x").replace("https", "http")))
    with unchanged(cache):
        error = cache.fetch(descriptor)["error"]
    assert error["kind"] == "io" and "not https://" in error["message"]
    assert len(server.requests) == 1


def test_redirects_end(cache, published, server):
    descriptor = published(answers.redirect("/loop"))
    server.answers["/loop"] = answers.redirect("/loop")
    with unchanged(cache):
        error = cache.fetch(descriptor)["error"]
    assert error["kind"] == "io" and "5" in error["message"] and "redirect" in error["message"]
    assert len(server.requests) == 6


def test_an_endless_stream_ends_at_the_cap(cache, server):
    """The cap follows the size that the weights announce: 0.1 MiB, and generous slack."""
    path = f"/{NAME}"
    descriptor = cache.descriptor(server.url(path), meta={"_file_size": 0.1})
    server.answers[path] = answers.endless
    with unchanged(cache):
        error = cache.fetch(descriptor)["error"]
    assert error["kind"] == "mismatch" and "larger than the 16986931 bytes" in error["message"]
    server.answers[path] = answers.announced(BODY, 1 << 40)
    with unchanged(cache):
        assert "larger than" in cache.fetch(descriptor)["error"]["message"]


@pytest.fixture
def strange_server(authority, tmp_path):
    """strange_server(certificate) is one more server; gives a descriptor's address there."""
    servers = []

    def start(certificate):
        server = Server(certificate)
        servers.append(server)
        server.answers[f"/{NAME}"] = content(BODY)
        return server.url(f"/{NAME}")

    yield start
    for server in servers:
        server.stop()


def refused(cache, url):
    with unchanged(cache):
        error = cache.fetch(cache.descriptor(url))["error"]
    assert error["kind"] == "io" and "SSL_CERT_FILE" in error["message"]
    return error["message"]


def test_an_expired_certificate_is_refused(cache, authority, strange_server):
    expired = authority.issue("expired", end="20200102000000Z")
    assert "expired" in refused(cache, strange_server(expired))


def test_a_certificate_for_another_host_is_refused(cache, authority, strange_server):
    other = authority.issue("other", host="example.org")
    assert "localhost" in refused(cache, strange_server(other))


def test_a_certificate_of_an_unknown_authority_is_refused(cache, strange_server, tmp_path):
    stranger = Authority(tmp_path / "stranger").issue("localhost")
    assert "certificate" in refused(cache, strange_server(stranger))


def test_authorities_come_from_the_environment(cache, published, authority, tmp_path):
    descriptor = published()
    del cache.environment["SSL_CERT_FILE"]
    refused(cache, json.loads(descriptor.read_text())["url"])
    folder = tmp_path / "authorities"
    folder.mkdir()
    (folder / "ours.pem").write_bytes(authority.certificate.read_bytes())
    subprocess.run(["openssl", "rehash", folder], check=True)
    assert cache.fetch(descriptor, env={"SSL_CERT_DIR": str(folder)})["outcome"] == "fetched"


def test_nobody_listens(cache):
    with unchanged(cache):
        error = cache.fetch(cache.descriptor(f"https://localhost:1/{NAME}"))["error"]
    assert error["kind"] == "io" and "connect" in error["message"].lower()


@pytest.fixture
def proxy():
    proxy = Proxy()
    yield proxy
    proxy.stop()


def test_a_proxy_is_used_where_the_environment_says_so(cache, published, server, proxy):
    descriptor = published()
    assert cache.fetch(descriptor, env={"https_proxy": proxy.url})["outcome"] == "fetched"
    assert proxy.targets == [f"localhost:{server.server_port}"]
    (cache.folder / NAME).unlink()
    env = {"https_proxy": proxy.url, "no_proxy": "localhost"}
    assert cache.fetch(descriptor, env=env)["outcome"] == "fetched"
    assert len(proxy.targets) == 1


# Disks.


def failing(call):
    """The environment of a program for which the disk is full in this call."""
    return {
        "LD_PRELOAD": str(BUILD / "tests" / "support" / "libfail_disk.so"),
        "TVW_TEST_FAIL": call,
    }


@pytest.mark.parametrize("call", ["write", "fsync", "rename"])
def test_a_failing_disk_is_named_and_changes_nothing(any_cache, published, call):
    descriptor = published()
    with unchanged(any_cache):
        message = any_cache.fetch(descriptor, env=failing(call))["error"]["message"]
    assert "No space left on device" in message and NAME in message
    assert any_cache.fetch(descriptor)["outcome"] == "fetched"


@pytest.fixture
def small_disk(tmp_path):
    """100 KB; needs the right to mount."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=100k", "none", folder]
    if subprocess.run(mount, capture_output=True).returncode != 0:
        pytest.skip("mounting is not allowed here")
    yield folder
    subprocess.run(["umount", folder], check=True)


def test_a_full_disk_is_named_and_changes_nothing(small_disk, authority, published):
    cache = Cache(small_disk, authority.certificate)
    cache.put("other.pth", b"other")
    with unchanged(cache):
        error = cache.fetch(published())["error"]
    assert error["kind"] == "io" and "No space left on device" in error["message"]


def test_a_folder_that_cannot_be_written_is_named(cache, published):
    cache.home.parent.mkdir(exist_ok=True)
    cache.home.write_bytes(b"not a folder")
    error = cache.fetch(published())["error"]
    assert error["kind"] == "io" and str(cache.home) in error["message"]


def test_a_cache_that_cannot_be_written_can_be_read(cache, published):
    """Nothing is remembered then, and nobody minds."""
    cache.put(NAME, BODY)
    assert cache.fetch(published(), env=failing("write"))["outcome"] == "present"
    assert cache.content() == {NAME: BODY}
