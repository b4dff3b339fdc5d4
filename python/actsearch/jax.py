"""Activations for JAX. A formula is computed by the file that `actsearch export --to jax` writes, and by nothing else.

docs/export.md says what that file promises.
"""

from __future__ import annotations

from typing import Any, Callable, Union

from actsearch import _exported
from actsearch._optional import needed
from actsearch.formula import Formula

needed("jax", "actsearch.jax", "jax")

__all__ = ["Activation", "activation_class", "function"]


def function(formula: Union[str, Formula]) -> Callable:
    """The formula as a pure function of x and the betas, with its own derivative: `function("swish")(x, beta)`.

    It is for grad, vjp, jit, vmap and checkpoint. Betas are arrays or numbers, and broadcast against x.
    """
    formula = Formula(formula)
    return getattr(_exported.module("jax", formula), _exported.names(formula)[0])


def activation_class(formula: Union[str, Formula]) -> type:
    """The formula as a class of Flax modules (linen). ImportError where Flax is not installed."""
    needed("flax", "a Flax module of actsearch.jax (without Flax: actsearch.jax.function)", "flax")
    formula = Formula(formula)
    return getattr(_exported.module("jax", formula), _exported.names(formula)[1])


def Activation(formula: Union[str, Formula], **options: Any) -> Any:
    """The formula as a Flax module (linen), with a learnable beta for each channel of the last axis; betas start at 1.

    `options` are those of every Flax module, such as name. ImportError where Flax is not installed.
    """
    return activation_class(formula)(**options)
