# SPDX-License-Identifier: LGPL-2.1-or-later
"""peer_model.py ENGINE MODEL.onnx INPUT N,C,H,W OUTPUT THREADS PRECISION: one network on ONNX Runtime ("ort")
or OpenVINO ("openvino") for models.py, which speaks to it as to run_model: after "ready" a line
"run COUNT" is answered by the median seconds of COUNT runs, after one that does not count."""

import statistics
import sys
import time

import numpy


def onnx_runtime(model, threads, _precision):
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    return lambda x: session.run(None, {"input": x})[0]


def openvino(model, threads, precision):
    import openvino

    settings = {
        "INFERENCE_NUM_THREADS": threads,
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_PRECISION_HINT": {"fp32": "f32", "bf16": "bf16"}[precision],
    }
    request = openvino.Core().compile_model(model, "CPU", settings).create_infer_request()

    def run(x):
        request.infer({0: x}, share_inputs=True)
        return request.get_output_tensor(0).data

    return run


def timed(run, x):
    begin = time.perf_counter()
    run(x)
    return time.perf_counter() - begin


def main(engine, model, source, shape, target, threads, precision):
    run = {"ort": onnx_runtime, "openvino": openvino}[engine](model, int(threads), precision)
    x = numpy.fromfile(source, "<f4").reshape([int(size) for size in shape.split(",")])
    run(x).tofile(target)
    print("ready", flush=True)
    for line in sys.stdin:
        run(x)
        print(statistics.median(timed(run, x) for _ in range(int(line.split()[1]))), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
