"""actsearch.Formula."""

from __future__ import annotations

import math
import pickle
import xml.etree.ElementTree as ElementTree

import pytest

import actsearch
from actsearch import Formula


def sigmoid(x):
    return 1 / (1 + math.exp(-x))


def test_a_formula_prints_what_it_read():
    assert str(Formula("x*sigmoid( beta*x )")) == "x * sigmoid(beta * x)"
    assert repr(Formula("relu")) == "Formula('max(x, 0)')"
    assert Formula(Formula("tanh(x)")).text == "tanh(x)"


def test_a_wrong_formula_says_where_it_is_wrong():
    with pytest.raises(actsearch.FormulaError, match="column 12"):
        Formula("x * sin((x)")
    with pytest.raises(ValueError):
        Formula("swishh")
    with pytest.raises(ValueError):
        Formula("")
    with pytest.raises(TypeError):
        Formula(3)


def test_formulas_are_equal_where_they_are_one_function():
    assert Formula("max(0, x)") == Formula("relu")
    assert hash(Formula("max(0, x)")) == hash(Formula("relu"))
    assert Formula("min(max(x, 0), 6)") != Formula("relu")
    assert Formula("beta0 * x + beta1") == Formula("beta1 * x + beta0")
    assert Formula("relu") != "max(x, 0)"
    assert Formula("max(0, x)").name == "relu"
    assert Formula("min(max(x, 0), 6)").name is None


def test_the_canonical_form_is_what_a_search_trains():
    assert Formula("max(0, x) + 0 * x").canonical().text == "max(x, 0)"
    with pytest.raises(ValueError, match="constant"):
        Formula("x - x").canonical()
    assert Formula("x - x").refused is not None
    assert Formula("relu").refused is None


def test_values_of_a_number_a_list_and_betas():
    swish = Formula("x * sigmoid(beta * x)")
    assert swish.parameters == 1
    assert swish(1.0) == pytest.approx(sigmoid(1), rel=1e-12)
    assert swish(1, 2) == pytest.approx(sigmoid(2), rel=1e-12)
    assert swish([-1.0, 0, 3.5], 0.5) == pytest.approx([x * sigmoid(0.5 * x) for x in (-1.0, 0, 3.5)], rel=1e-12)
    assert swish([]) == []
    with pytest.raises(ValueError, match="1 beta"):
        swish(1.0, 2.0, 3.0)
    with pytest.raises(TypeError):
        swish("1.0")


def test_values_of_numpy_arrays_keep_their_shape():
    numpy = pytest.importorskip("numpy")
    x = numpy.linspace(-3, 3, 24, dtype=numpy.float32).reshape(2, 3, 4)
    y = Formula("x * tanh(x)")(x.transpose(2, 0, 1))
    assert y.shape == (4, 2, 3) and y.dtype == numpy.float64
    numpy.testing.assert_allclose(y, (x.astype(float) * numpy.tanh(x.astype(float))).transpose(2, 0, 1), rtol=1e-12)
    assert Formula("x^2")(numpy.float32(3)) == 9


def test_derivatives_are_formulas_with_the_same_betas():
    formula = Formula("beta0 * x * sigmoid(beta1 * x)")
    h = 1e-6
    for x in (-2.0, 0.3, 1.7):
        difference = (formula(x + h, 0.7, 1.3) - formula(x - h, 0.7, 1.3)) / (2 * h)
        assert formula.derivative()(x, 0.7, 1.3) == pytest.approx(difference, rel=1e-6)
        assert formula.slope(x, 0.7, 1.3) == pytest.approx(difference, rel=1e-6)
        by_second = (formula(x, 0.7, 1.3 + h) - formula(x, 0.7, 1.3 - h)) / (2 * h)
        assert formula.derivative("beta1")(x, 0.7, 1.3) == pytest.approx(by_second, rel=1e-6)
        # by beta0 the derivative has no beta0, and still takes both
        assert formula.derivative("beta0")(x, 0.7, 1.3) == pytest.approx(x * sigmoid(1.3 * x), rel=1e-12)
        second = (formula.slope(x + h, 0.7, 1.3) - formula.slope(x - h, 0.7, 1.3)) / (2 * h)
        assert formula.derivative().derivative()(x, 0.7, 1.3) == pytest.approx(second, rel=1e-5)
    assert "beta1" in formula.derivative("beta0").text and "beta0" not in formula.derivative("beta0").text
    assert Formula("x + beta").derivative().derivative("beta")(1.0) == 0
    with pytest.raises(ValueError, match="beta7"):
        formula.derivative("beta7")
    with pytest.raises(ValueError, match="by x"):
        formula.derivative("y")


def test_the_slope_at_zero_is_that_of_training():
    assert Formula("relu").slope(0.0) == 0
    assert Formula("log(1 + exp(x))").slope(0.0) == pytest.approx(0.5)


def test_latex_mathml_and_pictures_are_well_formed():
    swish = Formula("x * sigmoid(beta * x)")
    assert "beta" in swish.latex()
    assert ElementTree.fromstring(swish.mathml()).tag.endswith("math")
    assert ElementTree.fromstring(swish.svg(range=(-4, 4), beta=[2])).tag.endswith("svg")
    html = swish._repr_html_()
    assert "<math" in html and "data:image/svg+xml;base64," in html
    assert "there is nothing to draw" in Formula("log(-1 - x^2)")._repr_html_()
    for wrong in ((1, 1), (5, -5), (0, float("nan")), (0, float("inf"))):
        with pytest.raises(ValueError, match="range"):
            swish.svg(range=wrong)
    with pytest.raises(ValueError, match="beta"):
        swish.svg(beta=[1, 2])


def test_export_is_that_of_the_program():
    assert "class Swish(nn.Module)" in Formula("swish").export("pytorch")
    assert "double activation_mine(" in Formula("tanh(x)").export("c", name="mine")
    assert isinstance(Formula("relu").export("onnx"), bytes)
    with pytest.raises(ValueError, match="pytorch, jax"):
        Formula("relu").export("fortran")


def test_formulas_survive_pickling():
    for formula in (Formula("x * sin(x)"), Formula("beta0 * sin(beta1 * x)").derivative("beta0")):
        again = pickle.loads(pickle.dumps(formula))
        assert again.text == formula.text and again.parameters == formula.parameters and again == formula
