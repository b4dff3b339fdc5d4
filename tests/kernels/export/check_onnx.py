"""Every exported ONNX model in ONNX Runtime, on the CPU in single precision, with local functions and inlined. ONNX's own checker and its
conversion to other opsets are asked too, where they are installed, and the conversion to fp16 of onnxconverter-common.
"""
import itertools
import math

import numpy as np
import onnxruntime

from cases import Checks, cases

try:
    import onnx
    import onnx.version_converter
except ImportError:
    onnx = None
try:
    from onnxconverter_common import float16
except ImportError:
    float16 = None
    print("left out: onnxconverter-common is not installed")

checks = Checks()


def session_of(model):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 4
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def check_conversions(case, file, inputs, outputs):
    """To newer opsets nothing changes; in fp16 what is left are its roundings, here where no value of it is large."""
    model = onnx.load(file)
    for node in model.graph.node:
        checks.true(node.name != "", f"onnx: {case.formula}: a node without a name")
    names = [node.name for node in model.graph.node]
    checks.true(len(set(names)) == len(names), f"onnx: {case.formula}: two nodes of one name")
    for version in (18, 20, 22):
        converted = onnx.version_converter.convert_version(model, version)
        onnx.checker.check_model(converted, full_check=True)
        again = session_of(converted.SerializeToString()).run(None, inputs)
        checks.true(all(np.array_equal(a, b, equal_nan=True) for a, b in zip(outputs, again)), f"onnx: {case.formula} in opset {version}")
    if float16 is None:
        return
    for keep in (False, True):
        half = float16.convert_float_to_float16(onnx.load(file), keep_io_types=keep)
        onnx.checker.check_model(half, full_check=True)
        again = session_of(half.SerializeToString()).run(None, {k: v if keep else v.astype(np.float16) for k, v in inputs.items()})
        for a, b in zip(outputs, again):
            checks.true(a.shape == b.shape and b.dtype == (np.float32 if keep else np.float16), f"onnx: {case.formula} in fp16")
            if case.formula in ("x * sigmoid(beta * x)", "max(x, 0)", "softplus(x)"):
                near = np.abs(inputs["x"]) < 5
                checks.true(bool((np.abs(a - b.astype(np.float32)) < 0.01)[near].all()), f"onnx: {case.formula} in fp16: {b}")


for (number, case), suffix in itertools.product(enumerate(cases()), ("", ".inline")):
    file = str(case.path) + suffix + ".onnx"
    if onnx is not None:
        onnx.checker.check_model(onnx.load(file), full_check=True)
    session = session_of(file)
    # ONNX leaves open what becomes of NaN in Max and Min: that point is replaced.
    x = [0.5 if math.isnan(v) else v for v in case.x]
    inputs = {"x": np.array([x, x], np.float32)}
    for k in range(case.parameters):
        inputs[f"beta{k}"] = np.array(case.beta[k], np.float32)
    outputs = session.run(["y", "dydx"] + [f"dydbeta{k}" for k in range(case.parameters)], inputs)
    if suffix and onnx is not None and (number % 8 == 0 or case.formula in ("x * sigmoid(beta * x)", "max(x, 0)", "softplus(x)")):
        check_conversions(case, file, inputs, outputs)
    for output in outputs:
        checks.true(output.shape == (2, len(x)), f"onnx: {case.formula}: a result of shape {output.shape}")
    if all(output.shape == (2, len(x)) for output in outputs):
        results = [[float(output[1, i]) for output in outputs] for i in range(len(x))]
        for i, v in enumerate(case.x):
            if math.isnan(v):
                results[i] = case.values[i]
        checks.points(case, results, "single", "onnx")
        if "sigmoid" not in case.formula:  # ONNX Runtime's Sigmoid is accurate absolutely, to 1e-7
            checks.far(case, [row[0] for row in results], "onnx")
checks.finish()
