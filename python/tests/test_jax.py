"""actsearch.jax: the exported file as functions and Flax modules."""

from __future__ import annotations

import pytest

jax = pytest.importorskip("jax", reason="JAX is not installed: scripts/setup.sh --with-frameworks")

import numpy  # noqa: E402

import actsearch.jax  # noqa: E402
from actsearch import Formula  # noqa: E402
from conftest import make_study  # noqa: E402


def test_a_function_computes_its_formula_and_its_slope():
    formula = Formula("x * sigmoid(beta * x)")
    function = actsearch.jax.function(formula)
    x = numpy.linspace(-3, 3, 13, dtype=numpy.float32)
    numpy.testing.assert_allclose(function(x, 0.5), formula(x, 0.5), rtol=1e-5, atol=1e-6)
    slopes = jax.vmap(jax.grad(lambda at: function(at, 0.5)))(x)
    numpy.testing.assert_allclose(slopes, formula.slope(x, 0.5), rtol=1e-5, atol=1e-6)


def test_a_trial_gives_a_flax_module(tmp_path):
    pytest.importorskip("flax", reason="Flax is not installed: scripts/setup.sh --with-frameworks")
    study = make_study(tmp_path / "own.db", formulas=["swish"])
    trial = next(trial for trial in study.ask(3) if trial.name == "swish")
    module = trial.jax()()
    x = numpy.ones((2, 5), dtype=numpy.float32)
    parameters = module.init(jax.random.PRNGKey(0), x)
    assert parameters["params"]["beta0"].shape == (5,)
    numpy.testing.assert_allclose(module.apply(parameters, x), trial.formula(x), rtol=1e-6)
    assert type(actsearch.jax.Activation("swish")) is trial.jax()
