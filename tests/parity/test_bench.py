# SPDX-License-Identifier: LGPL-2.1-or-later
"""What `tvw bench` and `tvw profile` report, and how they refuse."""

import re

import oracle
import pytest
import torch
from conftest import descriptor
from torchvision.models import get_model_weights

SMALL = "mobilenet_v3_small"
QUICK = ["--rounds", 2, "--threads", oracle.THREADS]
KEYS = ["model", "batch", "threads", "backend", "precision", "processor", "median_ms", "min_ms"]
COMMANDS = ["bench", "profile"]


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    """A descriptor with its checkpoint, for images of 64²."""
    folder = tmp_path_factory.mktemp("bench")
    torch.save(oracle.calibrated(SMALL, 0).state_dict(), folder / "model.pth")
    (folder / "small.json").write_text(descriptor(SMALL, 64))
    return folder / "small.json"


def heading(text):
    """Model, batch, size and threads as the first line tells them."""
    return re.match(r"(\S+), batch (\d+), (\d+×\d+), (\d+) threads?, backend (\S+)\n", text).groups()


def test_bench_reports_json_in_this_order(tvw):
    result = tvw("bench", SMALL, "--batch", 2, "--backend", "reference", *QUICK, "--json")
    report = tvw.json("bench", SMALL, "--batch", 2, "--backend", "reference", *QUICK)
    assert result.stdout.count("\n") == 1
    assert list(report) == KEYS
    assert list(report.values())[:4] == [SMALL, 2, oracle.THREADS, "reference"]
    assert report["processor"] and 0 < report["min_ms"] <= report["median_ms"]


def test_bench_says_the_same_as_text(tvw):
    text = tvw("bench", SMALL, "--size", "64,96", "--batch", 3, *QUICK).stdout
    assert heading(text) == (SMALL, "3", "64×96", str(oracle.THREADS), "auto")
    for name in ("median", "minimum"):
        line = re.search(rf"^{name} +([\d.]+) ms +([\d.]+) images/s +[\d.]+ GFLOP/s$", text, re.M)
        milliseconds, speed = map(float, line.groups())
        assert speed == pytest.approx(3000 / milliseconds, rel=0.02)


@pytest.mark.parametrize("builder", [SMALL, "googlenet", "shufflenet_v2_x0_5", "efficientnet_b0"])
def test_operations_are_those_of_torchvisions_metadata(tvw, builder):
    """Which counts a multiplication with its addition as one, and does so at the DEFAULT's size."""
    weights = get_model_weights(builder).DEFAULT
    text = tvw("bench", builder, "--rounds", 1, "--warmup", 0).stdout
    size = weights.transforms().crop_size[0]
    assert heading(text)[2] == f"{size}×{size}"
    counted = float(re.search(r"([\d.]+) GFLOP each", text)[1])
    assert counted == pytest.approx(2 * weights.meta["_ops"], rel=0.02, abs=0.002)


def test_a_descriptor_is_loaded_and_gives_the_size(tvw, file):
    text = tvw("bench", file, *QUICK).stdout
    assert heading(text)[:3] == ("small", "1", "64×64")
    assert tvw.json("bench", file, *QUICK)["model"] == "small"
    (file.parent / "none.json").write_text(descriptor(SMALL, 64).replace("model.pth", "none.pth"))
    assert "none.pth" in tvw.error("bench", file.parent / "none.json")["message"]


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize(
    ("arguments", "kind", "text"),
    [
        (["resnet5"], "not_found", "resnet50"),
        (["ResNet50_Weights.IMAGENET1K_V9"], "not_found", "IMAGENET1K_V2"),
        (["ResNet50_Weights.DEFAULT"], "not_found", "resnet50-11ad3fa6.pth"),
        (["fasterrcnn_resnet50_fpn"], "not_supported", "not yet built"),
        (["vit_b_16", "--size", "100"], "invalid_argument", "100"),
        (["inception_v3", "--size", "20"], "invalid_argument", "inception_v3"),
        (["resnet18", "--backend", "fast"], "invalid_argument", "reference"),
    ],
)
def test_mistakes_are_told_before_anything_runs(tvw, tmp_path, command, arguments, kind, text):
    error = tvw.error(command, *arguments, env={"TORCH_HOME": str(tmp_path)})
    assert (error["kind"], text in error["message"]) == (kind, True), error


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("option", ["--rounds", "--batch", "--size"])
def test_nothing_is_measured_of_none(tvw, command, option):
    result = tvw(command, SMALL, option, 0, check=False)
    assert result.returncode == 2 and option in result.stderr


def test_profile_refuses_a_backend_that_does_not_measure(tvw):
    error = tvw.error("profile", SMALL, "--backend", "reference", *QUICK)
    assert error["kind"] == "not_supported" and '"auto"' in error["message"]


@pytest.fixture(scope="module")
def profiled(tvw):
    report = tvw.json("profile", SMALL, "--dot", *QUICK)
    assert report["nodes"]
    return report


def test_profile_has_every_node_that_runs(tvw, profiled):
    graph = tvw("graph", SMALL, "--passes").stdout
    names = re.findall(r"^  %(\S+) = ", graph, re.M)
    measured = [node["node"] for node in profiled["nodes"]]
    assert len(set(measured)) == len(measured) and set(measured) <= set(names)
    for node in profiled["nodes"]:
        assert node["op"] and node["kernel"] and node["shape"] and node["median_ms"] >= 0
    operations = sum(node["operations"] for node in profiled["nodes"])
    assert operations == pytest.approx(2e9 * get_model_weights(SMALL).DEFAULT.meta["_ops"], rel=0.05)


def test_graph_says_what_computes_each_node(tvw, profiled):
    report = tvw.json("graph", SMALL, "--passes", "--input-shape", "1,3,64,64")
    listed = {node["node"]: node["kernel"] for node in report["kernels"]}
    assert set(listed) == {node["node"] for node in profiled["nodes"]}
    assert "kernels" not in tvw.json("graph", SMALL)
    text = tvw("graph", SMALL, "--passes", "--input-shape", "1,3,64,64").stdout
    table = text[text.index("\nnode ") + 1 :].splitlines()
    assert [line.split()[0] for line in table[1:]] == list(listed)
    assert all(kernel in line for kernel, line in zip(listed.values(), table[1:]))


def test_profile_sorts_and_sums(profiled):
    times = [node["median_ms"] for node in profiled["nodes"]]
    assert times == sorted(times, reverse=True)
    assert profiled["total_ms"] == pytest.approx(sum(times))
    for table in (profiled["nodes"], profiled["by_op"], profiled["by_kernel"]):
        assert sum(row["share"] for row in table) == pytest.approx(1)
    for table in (profiled["by_op"], profiled["by_kernel"]):
        assert sum(row["nodes"] for row in table) == len(times)


def test_profile_draws_the_graph(profiled):
    slowest = profiled["nodes"][0]
    picture = profiled["graph"]
    assert picture.startswith(f'digraph "{SMALL}"')
    line = next(line for line in picture.splitlines() if f'label="{slowest["node"]}\\n' in line)
    assert slowest["kernel"].replace('"', '\\"') in line and " ms, " in line
    assert 'fillcolor="0.000 1.000 1.000"' in line


def test_profile_lists_as_many_nodes_as_asked_for(tvw, profiled):
    text = tvw("profile", SMALL, "--top", 3, *QUICK).stdout
    heading(text)
    rows = text.split("\n\n")[1].splitlines()
    assert rows[0].split()[:4] == ["node", "op", "result", "kernel"] and len(rows) == 1 + 3 + 1
    assert rows[-1] == f"… and {len(profiled['nodes']) - 3} more, --top 0 shows all"
    every = tvw("profile", SMALL, "--top", 0, *QUICK).stdout.split("\n\n")[1].splitlines()
    assert len(every) == 1 + len(profiled["nodes"])
