# SPDX-License-Identifier: LGPL-2.1-or-later
"""How long networks take, against ONNX Runtime and OpenVINO.

    python3 -m venv .deps/peers
    .deps/peers/bin/pip install onnx matplotlib numpy openvino onnxruntime
    ninja -C build cli/tvw tests/bench/run_model
    .deps/peers/bin/python tests/bench/models.py --help

Networks come from torchvision, in the environment that tests/run.sh makes (.deps/oracle); what was
exported is kept in build/bench until it is removed.

Each engine has a process of its own, which sleeps while another is measured. They take turns in
random order; a turn is a run that does not count and a burst of some that do, of which the median
is taken. All outputs are compared with PyTorch's float32 first. With --precision bf16, ONNX Runtime
stays at float32, since it has nothing else for these CPUs. --start measures something else: a fresh
process that classifies one picture, from a checkpoint in the page cache."""

import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import time

import numpy
from turns import cpu_name, in_turns

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
BUILD = pathlib.Path(os.environ.get("TVW_BUILD", ROOT / "build"))
ORACLE = ROOT / ".deps" / "oracle" / "bin" / "python"
MODELS = (
    "resnet50 alexnet convnext_tiny densenet121 efficientnet_b0 efficientnet_v2_s googlenet"
    " inception_v3 maxvit_t mnasnet1_0 mobilenet_v2 mobilenet_v3_large regnet_y_800mf"
    " shufflenet_v2_x1_0 squeezenet1_1 swin_t vgg16 vit_b_16"
).split()
STARTED = ["mobilenet_v3_large", "resnet50"]
PEERS = {"ort": "ONNX Runtime", "openvino": "OpenVINO"}
ENGINES = {"tvw": "tvw", **PEERS}
TOLERANCE = {"fp32": 1e-3, "bf16": 0.1}  # of the largest output
BURST_SECONDS = 0.25
PAUSE_SECONDS = 0.02  # until threads that wait for more work have gone to sleep

CLASSIFY_IN_PYTHON = """
import sys, torch, torchvision
builder, checkpoint, picture, threads = sys.argv[1:]
torch.set_num_threads(int(threads))
model = torchvision.models.get_model(builder, weights=None).eval()
model.load_state_dict(torch.load(checkpoint, weights_only=True))
transforms = torchvision.models.get_model_weights(builder).DEFAULT.transforms()
image = transforms(torchvision.io.decode_image(picture)).unsqueeze(0)
with torch.inference_mode():
    print(model(image).softmax(1).topk(5))
"""


class Child:
    """A process that holds one network and answers a line with a line."""

    def __init__(self, command):
        self.process = subprocess.Popen(
            [str(part) for part in command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.read()

    def read(self):
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self.process.args[0]} ended with status {self.process.wait()}")
        return line.strip()

    def ask(self, question):
        self.process.stdin.write(question + "\n")
        self.process.stdin.flush()
        return float(self.read())

    def turn(self, count):
        time.sleep(PAUSE_SECONDS)
        return self.ask(f"run {count}")

    def peak_memory(self):
        """MB that were resident at most."""
        with open(f"/proc/{self.process.pid}/status") as status:
            line = next(line for line in status if line.startswith("VmHWM"))
        return int(line.split()[1]) * 1024 / 1e6

    def end(self):
        self.process.stdin.close()
        self.process.wait()


def exported(name, options):
    """The folder with the network as all of them read it."""
    folder = BUILD / "bench" / name / f"batch{options.batch}-size{options.size or 'default'}"
    if not (folder / "shape").exists():
        folder.mkdir(parents=True, exist_ok=True)
        export = [ORACLE, HERE / "export_model.py", name, str(options.batch), str(options.size), folder]
        subprocess.run(export, check=True, cwd=HERE, stdout=subprocess.DEVNULL)
    return folder


def start(engine, name, folder, options):
    rest = [folder / "input.f32", (folder / "shape").read_text(), folder / f"{engine}.f32", options.threads]
    if engine == "tvw":
        program = BUILD / "tests" / "bench" / "run_model"
        return Child([program, name, folder / "model.pth", *rest, options.backend, options.precision])
    command = [sys.executable, HERE / "peer_model.py", engine, folder / "model.onnx"]
    return Child([*command, *rest, options.precision])


def difference(folder, engine):
    """Of an engine's output from PyTorch's, relative to the largest."""
    expected = numpy.fromfile(folder / "expected.f32", "<f4")
    actual = numpy.fromfile(folder / f"{engine}.f32", "<f4")
    if actual.shape != expected.shape or not numpy.isfinite(actual).all():
        return float("inf")
    return float(abs(actual - expected).max() / abs(expected).max())


def burst_length(children):
    """Runs in a turn, the same for all: enough to take some time, few enough to take turns often."""
    slowest = max(child.ask("run 1") for child in children.values())
    return min(max(round(BURST_SECONDS / slowest), 3), 30)


def measure(name, options):
    folder = exported(name, options)
    children = {engine: start(engine, name, folder, options) for engine in ENGINES}
    try:
        count = burst_length(children)
        turns = {engine: lambda child=child: child.turn(count) for engine, child in children.items()}
        seconds = in_turns(turns, options.rounds)
        peak = children["tvw"].ask("peak")
        operations = children["tvw"].ask("operations")
        memory = {engine: child.peak_memory() for engine, child in children.items()}
    finally:
        for child in children.values():
            child.end()
    result = {
        "model": name,
        "runs_in_a_turn": count,
        "median_ms": {engine: statistics.median(times) * 1e3 for engine, times in seconds.items()},
        "min_ms": {engine: min(times) * 1e3 for engine, times in seconds.items()},
        "difference": {engine: difference(folder, engine) for engine in ENGINES},
        "peak_memory_mb": memory,
        "peak_gflops": peak / 1e9,
    }
    median = result["median_ms"]
    result["gflops"] = operations / median["tvw"] / 1e6
    result["ratio"] = {peer: median["tvw"] / median[peer] for peer in PEERS}
    result["ratio"]["faster"] = max(result["ratio"].values())
    return result


def print_heading(options):
    print(
        f"{cpu_name()}, {options.threads} threads, batch {options.batch}, {options.rounds} rounds,"
        f" backend {options.backend}, {options.precision}\n"
        "milliseconds: median (minimum); ratios of medians\n"
    )
    columns = "".join(f"{title:>18}" for title in ENGINES.values())
    print(
        f"{'':20}{columns}{'/ORT':>8}{'/OV':>6}{'/faster':>9}{'GFLOP/s':>9}{'of peak':>9}"
        f"{'MB: tvw, ORT, OV':>20}"
    )


def print_row(result, tolerance):
    median, least, ratio = result["median_ms"], result["min_ms"], result["ratio"]
    times = "".join(f"{median[engine]:9.2f} ({least[engine]:6.2f})" for engine in ENGINES)
    memory = "".join(f"{result['peak_memory_mb'][engine]:6.0f}" for engine in ENGINES)
    share = 100 * result["gflops"] / result["peak_gflops"]
    print(
        f"{result['model']:20}{times}{ratio['ort']:8.2f}{ratio['openvino']:6.2f}"
        f"{ratio['faster']:9.2f}{result['gflops']:9.1f}{share:7.0f} %{memory:>21}",
        flush=True,
    )
    for engine, value in result["difference"].items():
        if not value <= tolerance:
            print(f"    {ENGINES[engine]} is off PyTorch's output by {value:.1e} of the largest")


def plot(results, title, path):
    """Ratios to both peers, a group of bars for each network, the slowest of ours on top."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    ordered = sorted(results, key=lambda result: result["ratio"]["faster"])
    rows = numpy.arange(len(ordered))
    figure, axes = pyplot.subplots(figsize=(9, 1.6 + 0.42 * len(ordered)), layout="constrained")
    for offset, (peer, label) in zip((-0.2, 0.2), PEERS.items()):
        ratios = [result["ratio"][peer] for result in ordered]
        bars = axes.barh(rows + offset, ratios, 0.38, label=f"tvw / {label}")
        axes.bar_label(bars, fmt="%.2f", padding=-24, fontsize=8, color="white")
    axes.axvline(1, color="black", linewidth=1)
    axes.set_yticks(rows, [result["model"] for result in ordered])
    axes.set_xlabel("time of tvw / time of the other (left of the line: tvw is faster)")
    axes.set_title(title, fontsize=10)
    axes.margins(y=0.01)
    axes.legend(loc="lower right")
    figure.savefig(path, dpi=150)


def started(command):
    """Seconds and MB of a process from its start to its end."""
    begin = time.perf_counter()
    process = subprocess.Popen([str(part) for part in command], stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if status != 0:
        raise RuntimeError(f"{command[0]} ended with status {status}")
    return time.perf_counter() - begin, usage.ru_maxrss * 1024 / 1e6


def measure_start(name, options):
    """From nothing to the first prediction, in C++ and in Python."""
    folder = exported(name, options)
    commands = {
        "tvw": [BUILD / "cli" / "tvw", "classify", "--weights", folder / "model.json"]
        + ["--threads", options.threads, folder / "picture.png"],
        "Python": [ORACLE, "-c", CLASSIFY_IN_PYTHON, name, folder / "model.pth"]
        + [folder / "picture.png", options.threads],
    }
    memory = {}

    def turn(way):
        seconds, memory[way] = started(commands[way])
        return seconds

    for way in commands:
        turn(way)  # brings every file into the page cache
    seconds = in_turns({way: lambda way=way: turn(way) for way in commands}, options.rounds)
    return {
        "model": name,
        "median_s": {way: statistics.median(times) for way, times in seconds.items()},
        "min_s": {way: min(times) for way, times in seconds.items()},
        "peak_memory_mb": memory,
    }


def print_start(result):
    for way, median in result["median_s"].items():
        print(
            f"{result['model']:20}{way:8}{median:8.3f} s ({result['min_s'][way]:.3f} s)"
            f"{result['peak_memory_mb'][way]:8.0f} MB",
            flush=True,
        )


def parse():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("models", nargs="*", metavar="model", help="builders; without any, " + " ".join(MODELS))
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--rounds", type=int, help="turns of each; 15, and 5 with --start")
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--size", type=int, default=0, help="side of the images; 0: the model's own")
    parser.add_argument("--backend", default="auto", help="of tvw")
    parser.add_argument("--precision", default="fp32", choices=list(TOLERANCE))
    parser.add_argument("--json", metavar="FILE", help="write what was measured")
    parser.add_argument("--plot", metavar="FILE.png", help="draw the ratios")
    parser.add_argument("--start", action="store_true", help="measure fresh processes instead")
    options = parser.parse_args()
    options.models = options.models or (STARTED if options.start else MODELS)
    options.rounds = options.rounds or (5 if options.start else 15)
    return options


def compare_start(options):
    print(f"{cpu_name()}, {options.threads} threads, {options.rounds} rounds: median (minimum)")
    results = []
    for name in options.models:
        results.append(measure_start(name, options))
        print_start(results[-1])
    return {"start": results}


def compare(options):
    print_heading(options)
    results = []
    for name in options.models:
        results.append(measure(name, options))
        print_row(results[-1], TOLERANCE[options.precision])
    mean = statistics.geometric_mean([result["ratio"]["faster"] for result in results])
    print(f"\ngeometric mean of the ratios to the faster peer: {mean:.3f} ({len(results)} models)")
    if options.plot:
        title = (
            f"{cpu_name()}, {options.threads} threads, batch {options.batch}, {options.precision};"
            f" geometric mean {mean:.2f}"
        )
        plot(results, title, options.plot)
    return {"models": results, "geometric_mean": mean}


def main():
    options = parse()
    results = compare_start(options) if options.start else compare(options)
    if options.json:
        kept = ("threads", "batch", "rounds", "backend", "precision")
        settings = {key: getattr(options, key) for key in kept}
        text = json.dumps({"cpu": cpu_name(), **settings, **results}, indent=1)
        pathlib.Path(options.json).write_text(text + "\n")
    differences = [d for result in results.get("models", []) for d in result["difference"].values()]
    sys.exit(0 if all(d <= TOLERANCE[options.precision] for d in differences) else 1)


if __name__ == "__main__":
    main()
