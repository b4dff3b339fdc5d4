"""Every exported JAX file: the function with its own derivative in every precision, under jit and vmap, and the Flax module."""
import math

import jax

jax.config.update("jax_enable_x64", True)  # before any array is made
jax.config.update("jax_platforms", "cpu")
import jax.numpy as jnp
import numpy as np

from cases import Checks, cases

checks = Checks()

# fp16 and bf16: half a unit in the last place of 1, half the smallest denormal, and the largest number. XLA takes bf16 denormals for 0.
HALVES = ((jnp.float16, 2.0**-11, 2.0**-25, 65504.0), (jnp.bfloat16, 2.0**-8, 2.0**-126, 3.3e38))


def rows(y, gradients):
    """[y, dy/dx, …] of each point."""
    columns = [np.asarray(column, np.float64).tolist() for column in (y, *gradients)]
    return [list(row) for row in zip(*columns)]


def differentiated(function, case, dtype):
    inputs = [jnp.asarray(column, dtype) for column in (case.x, *case.beta)]
    y, backward = jax.vjp(function, *inputs)
    checks.true(y.dtype == dtype and y.shape == inputs[0].shape, f"jax: {case.formula}: {y.dtype} {y.shape} of {dtype}")
    return rows(y, backward(jnp.ones_like(y)))


def check_module(case, module):
    """Per channel over 2-d and 4-d input: gradients of betas summed over what shares them."""
    channels = len(case.x)
    layer = getattr(module, case.class_name)()
    for shape in ((2, channels), (2, 3, 2, channels)):
        x = jnp.broadcast_to(jnp.asarray(case.x, jnp.float64), shape)
        tree = layer.init(jax.random.PRNGKey(0), x)
        started = tree.get("params", {})
        checks.true(
            sorted(started) == [f"beta{k}" for k in range(case.parameters)] and all(p.shape == (channels,) and bool((p == 1).all()) for p in started.values()),
            f"jax: {case.formula}: parameters {started}",
        )
        params = {f"beta{k}": jnp.asarray(beta, jnp.float64) for k, beta in enumerate(case.beta)}
        y, backward = jax.vjp(lambda p, x: layer.apply({"params": p}, x), params, x)
        slopes, dydx = backward(jnp.ones_like(y))
        copies = x.size // channels
        first = (0,) * (len(shape) - 1)
        betas = [slopes[f"beta{k}"] / copies for k in range(case.parameters)]
        checks.points(case, rows(y[first], [dydx[first], *betas]), "double", f"jax, module of {shape}")
    if case.parameters:
        mask = module.decay_mask({"dense": {"kernel": 1, "bias": 2}, "activation": params})
        expected = {"dense": {"kernel": True, "bias": True}, "activation": {name: False for name in params}}
        checks.true(mask == expected, f"jax: {case.formula}: {mask}")


def check_transformations(case, function):
    """jit and vmap of the gradient give what it gives without. At NaN the value alone is compared: XLA takes a comparison times a value as a
    choice, so that a slope whose factor is 0 is 0 there."""
    inputs = [jnp.asarray(column, jnp.float64) for column in (case.x, *case.beta)]
    every = tuple(range(len(inputs)))
    mapped = jax.jit(jax.vmap(jax.value_and_grad(function, every)))
    y, gradients = mapped(*inputs)
    results = [row if not math.isnan(x) else [row[0], *values[1:]] for x, row, values in zip(case.x, rows(y, gradients), case.values)]
    checks.points(case, results, "double", "jax, jit of vmap of grad")


def check_second_derivatives(case, module):
    """Betas as plain numbers, and forward mode, by which second derivatives are taken too."""
    smooth = [i for i, b in enumerate(case.bounds["double"]) if b is not None and 0.05 < abs(case.x[i]) < 4 and max(map(abs, case.values[i])) < 1e3]
    if not smooth:
        return
    function, plain = getattr(module, case.name), getattr(module, case.name + "_plain")
    x, *betas = (jnp.asarray([column[i] for i in smooth], jnp.float64) for column in (case.x, *case.beta))
    tangents = [jnp.full_like(x, 0.5 + k) for k in range(1 + case.parameters)]
    y, tangent = jax.jvp(plain, (x, *betas), tuple(tangents))
    for row, i in enumerate(smooth):
        what, slopes, bounds = f"jax: {case.formula} at {case.x[i]}", case.values[i][1:], case.bounds["double"][i]
        checks.near(float(y[row]), case.values[i][0], bounds[0], f"{what}, the value of jvp")
        expected = sum((0.5 + k) * slope for k, slope in enumerate(slopes))
        checks.near(float(tangent[row]), expected, sum((0.5 + k) * b for k, b in enumerate(bounds[1:])) + 1e-12, f"{what}, jvp")
    numbers = [1.5] * case.parameters
    right = jax.vmap(jax.grad(module._value), (0,) + (None,) * case.parameters)(x, *map(jnp.asarray, numbers))
    kept = jax.grad(jax.checkpoint(lambda x: function(x, *numbers).sum()))(x)
    _, linear = jax.linearize(lambda x: plain(x, *numbers), x)
    if "sinc" in case.formula:  # whose quotient is differentiated in these
        return
    compare(kept, right, f"jax: {case.formula}: checkpoint with betas as numbers")
    compare(linear(jnp.full_like(x, 2.0)), 2 * right, f"jax: {case.formula}: linearize with betas as numbers")
    every = tuple(range(1 + case.parameters))
    hessian = jax.vmap(jax.hessian(module._value, every))(x, *betas)
    for transformation in (jax.hessian, lambda f, n: jax.jacfwd(jax.jacfwd(f, n), n), lambda f, n: jax.jacrev(jax.jacrev(f, n), n)):
        for row, right_row in zip(jax.vmap(transformation(plain, every))(x, *betas), hessian):
            for a, b in zip(row, right_row):
                compare(a, b, f"jax: {case.formula}: hessian")


def compare(got, expected, what):
    near = jnp.abs(got - expected) <= 1e-7 * (1 + jnp.abs(expected))
    checks.true(bool(near.all()), f"{what}: {got} instead of {expected}")


for number, case in enumerate(cases()):
    module = case.load()
    function = getattr(module, case.name)
    checks.points(case, differentiated(function, case, jnp.float64), "double", "jax, double")
    single = differentiated(function, case, jnp.float32)
    checks.points(case, single, "single", "jax, single")
    checks.far(case, [row[0] for row in single], "jax")
    for dtype, rounding, tiny, largest in HALVES:
        checks.halves(case, differentiated(function, case, dtype), rounding, tiny, largest, f"jax, {dtype.__name__}")
    if number % 8 == 0:  # compiling takes its time
        check_module(case, module)
        check_transformations(case, function)
    if number % 40 == 0:
        check_second_derivatives(case, module)
checks.finish()
