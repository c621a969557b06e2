# SPDX-License-Identifier: LGPL-2.1-or-later
"""A server to download from, a cold cache, and the program under test."""

import contextlib
import hashlib
import json
import os
import pathlib
import struct
import subprocess

import pytest

from authority import Authority
from server import Server, content

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("TVW_BUILD", ROOT / "build")).resolve()
PROGRAM = BUILD / "cli" / "tvw"
LONG = os.environ.get("TVW_LONG") == "1"


def safetensors(size, seed=1):
    """A checkpoint of about that many bytes."""
    header = json.dumps({"a": {"dtype": "U8", "shape": [size], "data_offsets": [0, size]}})
    data = (hashlib.sha256(bytes([seed])).digest() * (size // 32 + 1))[:size]
    return struct.pack("<Q", len(header)) + header.encode() + data


BODY = safetensors(200_000)
OTHER = safetensors(200_000, seed=2)


def digest(body):
    return hashlib.sha256(body).hexdigest()


class Cache:
    """A TORCH_HOME of the test's own, the descriptors in it, and tvw called with both."""

    def __init__(self, folder, certificate):
        self.home = folder / "torch"
        self.folder = self.home / "hub" / "checkpoints"
        self._descriptors = folder
        clean = {name: value for name, value in os.environ.items() if "proxy" not in name.lower()}
        self.environment = clean | {
            "TORCH_HOME": str(self.home),
            "SSL_CERT_FILE": str(certificate),
        }

    def descriptor(self, url, name="tiny", **more):
        """Weights that are fetched from `url`."""
        path = self._descriptors / f"{name}.json"
        entry = {"builder": "alexnet", "url": url, "transforms": {"preset": "OpticalFlow"}}
        path.write_text(json.dumps(entry | more))
        return path

    def put(self, name, body):
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / name).write_bytes(body)
        return self.folder / name

    def content(self):
        if not self.folder.exists():
            return {}
        content = {}
        for path in self.folder.iterdir():
            with contextlib.suppress(FileNotFoundError):
                content[path.name] = path.read_bytes()
        return content

    def command(self, *arguments):
        return [PROGRAM, *map(str, arguments)]

    def tvw(self, *arguments, check=True, env=None, timeout=120):
        result = subprocess.run(
            self.command(*arguments),
            capture_output=True,
            text=True,
            timeout=timeout,
            env=self.environment | (env or {}),
        )
        if check:
            assert result.returncode == 0, result.stderr
        return result

    def fetch(self, descriptor, *more, **keywords):
        """The one object that `tvw fetch --json` prints of a file."""
        result = self.tvw("fetch", descriptor, "--json", *more, check=False, **keywords)
        objects = [json.loads(line) for line in result.stdout.splitlines()]
        assert len(objects) == 1, (result.stdout, result.stderr)
        failed = objects[0]["outcome"] == "failed"
        assert result.returncode == int(failed)
        return objects[0]

    def start(self, descriptor, *more, env=None):
        return subprocess.Popen(
            self.command("fetch", descriptor, *more),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=self.environment | (env or {}),
        )


@pytest.fixture(scope="session")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("authority") / "ca")


@pytest.fixture(scope="session")
def session_server(authority):
    server = Server(authority.issue("localhost"))
    yield server
    server.stop()


@pytest.fixture
def server(session_server):
    session_server.answers.clear()
    session_server.requests.clear()
    return session_server


@pytest.fixture
def cache(tmp_path, authority):
    return Cache(tmp_path, authority.certificate)


@pytest.fixture
def published(server, cache):
    """publish(answer) serves a file whose name promises BODY; gives its descriptor."""

    def publish(answer=content(BODY), body=BODY, name="tiny"):
        path = f"/models/{name}-{digest(body)[:8]}.pth"
        server.answers[path] = answer
        return cache.descriptor(server.url(path), name)

    return publish


NAME = f"tiny-{digest(BODY)[:8]}.pth"
REMEMBERED = f"{digest(BODY)}  {NAME}\n".encode()
