# SPDX-License-Identifier: LGPL-2.1-or-later
"""Images a second on a GPU, against PyTorch, torch.compile and, if installed, ONNX Runtime and
TensorRT; before that, microseconds that frames take to become a model's input.

    python3 tests/gpu/bench.py BUILD

tests/gpu.sh calls it. Of networks everything is measured as a caller sees it: images in the host's memory in,
answers in the host's memory out. Engines take turns, so that a GPU that slows down slows all; of
each the median of all turns counts. All have the same parameters, and their answers are compared
first. In fp32 nobody uses TF32."""

import io
import json
import pathlib
import statistics
import subprocess
import sys
import time
from functools import partial

import torch
from networks import NETWORKS
from program import Program, save

BATCHES = (1, 8, 64)
PRECISIONS = {"fp32": torch.float32, "fp16": torch.float16}
TOLERANCES = {"fp32": 1e-3, "fp16": 5e-2}
ROUNDS = 50
TURNS = 3


class Tvw:
    def __init__(self, program, builder, file, precision, batch, _model):
        self.program = program
        self.file = file
        self.options = ("--device", "cuda", "--precision", precision)
        self.builder, self.batch = builder, batch

    def answer(self, image):
        return self.program.run(self.builder, image, "--checkpoint", self.file, *self.options)

    def turn(self):
        # Speed does not depend on the parameters, so it draws its own.
        extra = ("--batch", self.batch, "--rounds", ROUNDS)
        return self.program.milliseconds(self.builder, *self.options, *extra)


class Torch:
    compiled = False

    def __init__(self, _program, _builder, _file, precision, batch, model):
        self.dtype = PRECISIONS[precision]
        self.model = model.to("cuda", self.dtype, memory_format=torch.channels_last)
        if self.compiled:
            self.model = torch.compile(self.model, mode="reduce-overhead")
        self.image = torch.randn(batch, 3, 224, 224).pin_memory()

    @torch.inference_mode()
    def answer(self, image):
        x = image.to("cuda", non_blocking=True).to(self.dtype, memory_format=torch.channels_last)
        return self.model(x).float().cpu()

    def turn(self):
        for _ in range(5):
            self.answer(self.image)
        times = []
        for _ in range(ROUNDS):
            begin = time.perf_counter()
            self.answer(self.image)
            times.append(1e3 * (time.perf_counter() - begin))
        return statistics.median(times)


class Compiled(Torch):
    compiled = True


def onnx_bytes(model, example):
    file = io.BytesIO()
    torch.onnx.export(model.to("cuda", example.dtype), (example,), file, dynamo=False)
    return file.getvalue()


class OnnxRuntime(Torch):
    def __init__(self, _program, _builder, _file, precision, batch, model):
        import onnxruntime

        if "CUDAExecutionProvider" not in onnxruntime.get_available_providers():
            raise ImportError("this ONNX Runtime has no CUDA")
        self.dtype = PRECISIONS[precision]
        self.image = torch.randn(batch, 3, 224, 224)
        self.session = onnxruntime.InferenceSession(
            onnx_bytes(model, self.image.to("cuda", self.dtype)),
            providers=[("CUDAExecutionProvider", {"use_tf32": 0})],
        )
        if "CUDAExecutionProvider" not in self.session.get_providers():
            raise ImportError("ONNX Runtime's CUDA does not load")

    def answer(self, image):
        name = self.session.get_inputs()[0].name
        return torch.from_numpy(self.session.run(None, {name: image.to(self.dtype).numpy()})[0])


class TensorRt(Torch):
    """Of the types in the ONNX file, without TF32; batches have one size."""

    def __init__(self, _program, _builder, _file, precision, batch, model):
        import tensorrt

        self.dtype = PRECISIONS[precision]
        self.image = torch.randn(batch, 3, 224, 224).pin_memory()
        self.input = self.image.to("cuda", self.dtype)
        logger = tensorrt.Logger(tensorrt.Logger.ERROR)
        builder = tensorrt.Builder(logger)
        typed = 1 << int(tensorrt.NetworkDefinitionCreationFlag.STRONGLY_TYPED)
        network = builder.create_network(typed)
        parser = tensorrt.OnnxParser(network, logger)
        if not parser.parse(onnx_bytes(model, self.input)):
            raise RuntimeError(f"TensorRT cannot read it: {parser.get_error(0)}")
        config = builder.create_builder_config()
        config.clear_flag(tensorrt.BuilderFlag.TF32)
        plan = builder.build_serialized_network(network, config)
        self.engine = tensorrt.Runtime(logger).deserialize_cuda_engine(plan)
        self.context = self.engine.create_execution_context()
        self.output = torch.empty(batch, 1000, device="cuda", dtype=self.dtype)
        for i, tensor in enumerate((self.input, self.output)):
            self.context.set_tensor_address(self.engine.get_tensor_name(i), tensor.data_ptr())
        self.stream = torch.cuda.Stream()

    def answer(self, image):
        with torch.cuda.stream(self.stream):
            self.input.copy_(image.to("cuda", non_blocking=True))
            self.context.execute_async_v3(self.stream.cuda_stream)
            return self.output.float().cpu()


ENGINES = {
    "tvw": Tvw,
    "torch": Torch,
    "torch.compile": Compiled,
    "onnxruntime": OnnxRuntime,
    "tensorrt": TensorRt,
}


def attempt(name, call):
    """What an engine answers, or nothing and why: where it is not installed or does not take the
    network."""
    try:
        return call()
    except Exception as problem:  # noqa: BLE001 - of other people's engines anything may come
        if name == "tvw":
            raise
        print(f"{name} is left out: {str(problem).splitlines()[0]}")
        return None


def calibrated(builder):
    """With statistics of batch norm that keep numbers in the range of float16."""
    torch.manual_seed(1)
    model = NETWORKS[builder]().to("cuda").train()
    with torch.no_grad():
        for _ in range(20):
            model(torch.randn(16, 3, 224, 224, device="cuda"))
    return model.eval()


def check(engines, precision, batch):
    """Leaves out who answers something else than tvw; True if tvw is like PyTorch."""
    image = torch.randn(batch, 3, 224, 224)
    answers = {}
    for name, engine in list(engines.items()):
        answer = attempt(name, lambda engine=engine: engine.answer(image).double())
        if answer is None:
            del engines[name]
        else:
            answers[name] = answer
    reference = answers["torch"]
    errors = {
        name: ((answer - reference).abs().max() / reference.abs().max()).item()
        for name, answer in answers.items()
    }
    return errors, errors["tvw"] <= TOLERANCES[precision]


def measure(program, builder, file, precision, batch, state):
    engines = {}
    for name in ENGINES:
        model = NETWORKS[builder]().eval()
        model.load_state_dict(state)
        call = partial(ENGINES[name], program, builder, file, precision, batch, model)
        engine = attempt(name, call)
        if engine:
            engines[name] = engine
    errors, good = check(engines, precision, batch)
    times = {name: [] for name in engines}
    for _ in range(TURNS):
        for name, engine in engines.items():
            times[name].append(engine.turn())
    speeds = {name: 1e3 * batch / statistics.median(values) for name, values in times.items()}
    return {"images_per_second": speeds, "errors": errors, "good": good}


def measure_frames(build):
    """Rows of frame_speed, with the part of what the bound allows that is reached."""
    command = pathlib.Path(build) / "tests" / "gpu" / "frame_speed"
    lines = subprocess.run([command], check=True, capture_output=True, text=True).stdout
    print("microseconds a frame to a model's input of 224x224: waiting for each batch, and queued")
    print(f"{'frames in':10}{'format':7}{'size':>11}{'mode':>7}{'batch':>6}"
          f"{'waiting':>10}{'queued':>10}{'bound':>10}{'share':>8}")
    rows = []
    for row in map(json.loads, lines.splitlines()):
        row["share"] = row["bound_us"] / row["us_queued"]
        rows.append(row)
        size = f"{row['width']}x{row['height']}"
        print(f"{row['frames']:10}{row['format']:7}{size:>11}{row['mode']:>7}{row['batch']:6}"
              f"{row['us']:10.1f}{row['us_queued']:10.1f}{row['bound_us']:10.1f}"
              f"{100 * row['share']:7.0f}%")
    return rows


def main():
    program = Program(sys.argv[1])
    frames = measure_frames(sys.argv[1])
    # As exact as tvw's fp32: PyTorch's convolutions use TF32 unless told otherwise.
    torch.backends.cudnn.allow_tf32 = False
    torch.backends.cuda.matmul.allow_tf32 = False
    print(f"{torch.cuda.get_device_name()}, torch {torch.__version__}, images a second")
    print(f"{'':20}{'':6}{'batch':>6}" + "".join(f"{name:>15}" for name in ENGINES))
    report, failed = [], 0
    for builder in NETWORKS:
        state = calibrated(builder).cpu().state_dict()
        file = program.folder / f"{builder}.safetensors"
        save(file, state)
        for precision in PRECISIONS:
            for batch in BATCHES:
                row = measure(program, builder, file, precision, batch, state)
                report.append({"builder": builder, "precision": precision, "batch": batch, **row})
                speeds = row["images_per_second"]
                columns = "".join(
                    f"{speeds[name]:15.1f}" if name in speeds else f"{'–':>15}" for name in ENGINES
                )
                mark = "" if row["good"] else f"  differs by {row['errors']['tvw']:.1e}"
                print(f"{builder:20}{precision:6}{batch:6}{columns}{mark}", flush=True)
                failed += not row["good"]
    result = {"gpu": torch.cuda.get_device_name(), "frames": frames, "rows": report}
    text = json.dumps(result, indent=1)
    (program.folder / "bench.json").write_text(text + "\n")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
