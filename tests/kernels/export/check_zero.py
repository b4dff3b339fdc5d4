"""Value, slope and second derivative at 0 of smooth functions that are written with maxima and magnitudes: check_zero.py FOLDER TARGET. zero.json
lists the formulas with what is right; a second derivative that jumps is null.
"""
import importlib.util
import json
import os
import pathlib
import sys

os.environ["KERAS_BACKEND"] = "jax"

from cases import Checks

checks = Checks()
folder, target = pathlib.Path(sys.argv[1]), sys.argv[2]


def load(record):
    spec = importlib.util.spec_from_file_location(record["name"], folder / "exported" / (record["name"] + ".py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def compare(record, got, tolerance, what):
    for name, value in zip(("y", "slope", "curvature"), got):
        if record[name] is not None:
            checks.near(float(value), record[name], tolerance, f"{target}, {what}: {name} of {record['formula']} at 0")


def check_pytorch(record):
    import torch

    module = load(record)
    layer = getattr(module, record["class"])
    ways = {"function": getattr(module, record["class"] + "Function").apply, "module": layer(), "plain": layer(save_memory=False)}
    for dtype, tolerance in ((torch.float64, 1e-12), (torch.float32, 1e-6)):
        for way, function in ways.items():
            for zero in (0.0, -0.0):
                x = torch.full((2, 3), zero, dtype=dtype, requires_grad=True)
                y = function(x)
                (slope,) = torch.autograd.grad(y.sum(), x, create_graph=True)
                # That of a line may be a constant, not connected to x.
                curvature = torch.autograd.grad(slope.sum(), x)[0] if slope.requires_grad else torch.zeros_like(x)
                # The plain function differentiates sinc's quotient.
                got = (y[0, 0], slope[0, 0], curvature[0, 0])[: 2 if way == "plain" and "sinc" in record["formula"] else 3]
                compare(record, got, tolerance, f"{way}, {dtype}")
    if hasattr(torch, "func"):
        x = torch.zeros((), dtype=torch.float64)
        curvature = torch.func.hessian(ways["function"])(x)
        compare(record, (ways["function"](x), torch.func.grad(ways["function"])(x), curvature), 1e-12, "torch.func")


def check_jax(record):
    import jax

    jax.config.update("jax_enable_x64", True)
    jax.config.update("jax_platforms", "cpu")
    import jax.numpy as jnp

    module = load(record)
    function, plain = getattr(module, record["name"]), getattr(module, record["name"] + "_plain")
    ways = {
        "grad": (function, jax.grad(function), jax.grad(jax.grad(function))),
        "compiled": (jax.jit(function), jax.jit(jax.grad(function)), jax.jit(jax.grad(jax.grad(function)))),
        "hessian": (plain, jax.jacfwd(plain), jax.hessian(plain)),
        "forward": (plain, jax.jacfwd(plain), jax.jacfwd(jax.jacfwd(plain))),
    }
    for dtype, tolerance in ((jnp.float64, 1e-12), (jnp.float32, 1e-6)):
        for way, functions in ways.items():
            compare(record, [f(jnp.zeros((), dtype)) for f in functions], tolerance, f"{way}, {dtype.__name__}")


def check_keras(record):
    import jax

    jax.config.update("jax_platforms", "cpu")
    import jax.numpy as jnp

    module = load(record)
    layer = getattr(module, record["class"])()
    layer.build((1,))
    for way, f in (("function", getattr(module, record["name"])), ("layer", lambda x: layer.stateless_call([], [], x[None])[0][0])):
        functions = (f, jax.grad(f), jax.grad(jax.grad(f)))
        compare(record, [f(jnp.zeros((), jnp.float32)) for f in functions], 1e-6, way)


def check_onnx(record):
    import numpy as np
    import onnxruntime

    for suffix in ("", ".inline"):
        session = onnxruntime.InferenceSession(str(folder / "exported" / (record["name"] + suffix + ".onnx")), providers=["CPUExecutionProvider"])
        y, slope = session.run(["y", "dydx"], {"x": np.zeros((1, 3), np.float32)})
        compare(record, (y[0, 0], slope[0, 0]), 1e-6, "model" + suffix)


for record in json.loads((folder / "zero.json").read_text()):
    globals()["check_" + target](record)
checks.finish()
