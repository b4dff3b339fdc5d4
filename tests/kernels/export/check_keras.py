"""Every exported Keras file on the JAX backend: the function with its own derivative, and the layer."""
import os
import tempfile

os.environ["KERAS_BACKEND"] = "jax"
import jax

jax.config.update("jax_platforms", "cpu")
import jax.numpy as jnp
import keras
import numpy as np

from cases import Checks, cases

checks = Checks()


def rows(y, gradients):
    columns = [np.asarray(column, np.float64).tolist() for column in (y, *gradients)]
    return [list(row) for row in zip(*columns)]


def check_layer(case, module):
    """Per channel of either axis: gradients of betas summed over what shares them; saved and loaded, it is the same layer."""
    channels = len(case.x)
    for axis, shape in ((-1, (2, 3, channels)), (1, (2, channels, 3))):
        layer = getattr(module, case.class_name)(**({"axis": axis} if case.parameters else {}))
        layer.build(shape)
        names = [w.name for w in layer.trainable_weights]
        checks.true(names == [f"beta{k}" for k in range(case.parameters)], f"keras: {case.formula}: weights {names}")
        checks.true(all(bool((np.asarray(w) == 1).all()) for w in layer.weights), f"keras: {case.formula}: betas do not start at 1")
        column = np.asarray(case.x, np.float32)
        x = jnp.asarray(np.broadcast_to(column if axis == -1 else column[:, None], shape))
        betas = [jnp.asarray(beta, jnp.float32) for beta in case.beta]
        y, backward = jax.vjp(lambda betas, x: layer.stateless_call(betas, [], x)[0], betas, x)
        slopes, dydx = backward(jnp.ones_like(y))
        first = (0, 0) if axis == -1 else (0, slice(None), 0)
        results = rows(y[first], [dydx[first], *[slope / 6 for slope in slopes]])
        checks.points(case, results, "single", f"keras, layer along {axis}")
        again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(layer))
        checks.true(again.get_config() == layer.get_config(), f"keras: {case.formula}: a layer of its own configuration differs")


def check_half(case, module):
    """Computed in single precision, rounded once."""
    for name, rounding, tiny, largest in (("float16", 2.0**-11, 2.0**-25, 65504.0), ("bfloat16", 2.0**-8, 2.0**-126, 3.3e38)):
        layer = getattr(module, case.class_name)(dtype="mixed_" + name)
        layer.build((1, len(case.x)))
        for weight, beta in zip(layer.weights, case.beta):
            weight.assign(beta)
        y = layer(np.asarray([case.x], np.float32))
        checks.true(keras.backend.standardize_dtype(y.dtype) == name, f"keras: {case.formula}: {y.dtype} of {name}")
        values = [[float(v)] for v in np.asarray(y[0], np.float32)]
        alone = [[v[0]] for v in case.values]
        case.values, everything = alone, case.values
        checks.halves(case, values, rounding, tiny, largest, f"keras, {name}")
        case.values = everything


def check_saving(case, module):
    """As the activation of another layer it survives saving and loading, with the layer beside it."""
    function = getattr(module, case.name)
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, activation=function), getattr(module, case.class_name)()])
    x = np.linspace(-1, 1, 8, dtype=np.float32).reshape(2, 4)
    with tempfile.TemporaryDirectory() as folder:
        model.save(folder + "/model.keras")
        again = keras.models.load_model(folder + "/model.keras")
    checks.true(again.layers[0].activation is function, f"keras: {case.formula}: Dense has another activation after loading")
    checks.true(np.array_equal(again(x), model(x), equal_nan=True), f"keras: {case.formula}: another value after loading")
    betas = [1.0] * case.parameters
    checks.true(np.array_equal(function(x), function(x, *betas), equal_nan=True), f"keras: {case.formula}: betas are 1 where they are not said")
    half = function(x.astype(np.float16))
    checks.true(keras.backend.standardize_dtype(half.dtype) == "float16", f"keras: {case.formula}: {half.dtype} of float16")


for number, case in enumerate(cases()):
    module = case.load()
    inputs = [jnp.asarray(column, jnp.float32) for column in (case.x, *case.beta)]
    y, backward = jax.vjp(getattr(module, case.name), *inputs)
    checks.points(case, rows(y, backward(jnp.ones_like(y))), "single", "keras, function")
    checks.far(case, np.asarray(y, np.float64).tolist(), "keras")
    if number % 8 == 0:
        check_layer(case, module)
        check_half(case, module)
    if number % 32 == 0:
        check_saving(case, module)
checks.finish()
