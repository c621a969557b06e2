# SPDX-License-Identifier: LGPL-2.1-or-later
"""torch.hub and we share one cache: each finds what the other fetched."""

import io
import subprocess
import sys

import pytest
import torch
import torchvision
from safetensors.torch import load_file, save_file

from conftest import digest
from server import content

FETCH = """
import sys, torch
state = torch.hub.load_state_dict_from_url(sys.argv[1], check_hash=True, progress=False)
print(len(state))
"""


@pytest.fixture(scope="module")
def network():
    """A small network with random parameters, and its checkpoint as torch.save writes it."""
    torch.manual_seed(0)
    model = torchvision.models.squeezenet1_1(weights=None).eval()
    file = io.BytesIO()
    torch.save(model.state_dict(), file)
    return model, file.getvalue()


@pytest.fixture
def published(network, server, cache):
    _, body = network
    path = f"/models/squeezenet-{digest(body)[:8]}.pth"
    server.answers[path] = content(body)
    return server.url(path), cache.descriptor(
        server.url(path), name="squeezenet", builder="squeezenet1_1"
    )


def fetch_with_torch(cache, url):
    return subprocess.run(
        [sys.executable, "-c", FETCH, url], check=True, env=cache.environment, timeout=120
    )


def run(cache, descriptor, network, folder):
    """Our outputs for the network's, with the checkpoint of the cache."""
    picture = torch.rand(1, 3, 64, 64)
    save_file({"input": picture}, folder / "in.safetensors")
    cache.tvw(
        "run", "squeezenet1_1", "--weights", descriptor, "--input", folder / "in.safetensors",
        "--output", folder / "out.safetensors",
    )  # fmt: skip
    (output,) = load_file(folder / "out.safetensors").values()
    with torch.no_grad():
        torch.testing.assert_close(output, network[0](picture))


def test_what_torch_fetched_is_found(cache, published, server, network, tmp_path):
    url, descriptor = published
    fetch_with_torch(cache, url)
    assert len(server.requests) == 1
    run(cache, descriptor, network, tmp_path)
    assert cache.fetch(descriptor)["outcome"] == "present"
    assert len(server.requests) == 1


def test_what_we_fetched_is_found_by_torch(cache, published, server, network, tmp_path):
    url, descriptor = published
    run(cache, descriptor, network, tmp_path)
    assert len(server.requests) == 1
    fetch_with_torch(cache, url)
    assert len(server.requests) == 1


def test_a_damaged_file_is_replaced_before_it_runs(cache, published, server, network, tmp_path):
    """Damage that breaks the format, and damage in a parameter."""
    _, descriptor = published
    _, body = network
    for damaged in (body[:-1000], body[:100_000] + b"damage" + body[100_006:]):
        name = f"squeezenet-{digest(body)[:8]}.pth"
        (cache.folder / name).unlink(missing_ok=True)
        cache.put(name, damaged)
        run(cache, descriptor, network, tmp_path)
        assert (cache.folder / name).read_bytes() == body
        assert (cache.folder / f"{name}.corrupt").read_bytes() == damaged
    assert len(server.requests) == 2
