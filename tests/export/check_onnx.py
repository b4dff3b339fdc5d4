"""Every exported ONNX model in ONNX Runtime, on the CPU in single precision. ONNX's own checker is asked too, where it is installed."""
import math

import numpy as np
import onnxruntime

from cases import Checks, cases

try:
    import onnx
except ImportError:
    onnx = None

checks = Checks()
for case in cases():
    file = str(case.path) + ".onnx"
    if onnx is not None:
        onnx.checker.check_model(onnx.load(file), full_check=True)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
    # ONNX leaves open what becomes of NaN in Max and Min: that point is replaced.
    x = [0.5 if math.isnan(v) else v for v in case.x]
    inputs = {"x": np.array([x, x], np.float32)}
    for k in range(case.parameters):
        inputs[f"beta{k}"] = np.array(case.beta[k], np.float32)
    outputs = session.run(["y", "dydx"] + [f"dydbeta{k}" for k in range(case.parameters)], inputs)
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
