"""Activations for PyTorch. A formula is computed by the file that `actsearch export --to pytorch` writes, and by nothing else.

docs/export.md says what that file promises: precision, derivatives of every order, torch.compile, torch.func, tracing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Dict, Iterable, Optional, Tuple, Union

from actsearch import _exported
from actsearch._optional import needed
from actsearch.formula import Formula

needed("torch", "actsearch.torch", "torch")

from torch import nn  # noqa: E402

if TYPE_CHECKING:
    import torch

__all__ = ["Activation", "activation_class", "parameter_groups", "replace"]


def activation_class(formula: Union[str, Formula]) -> type:
    """The formula as a class of nn.Module, say for `activation_layer=` of a network: `activation_class("swish")(channels, axis=1)`."""
    formula = Formula(formula)
    return getattr(_exported.module("pytorch", formula), _exported.names(formula)[1])


def Activation(formula: Union[str, Formula], channels: Optional[int] = None, *, axis: Optional[int] = None, **options: Any) -> nn.Module:
    """The formula as a module, with a learnable beta for each channel; betas start at 1.

    channels   how many; None: as many as the first input has. Use the module once before its optimiser is made
    axis       the axis of the channels; None: 1, but an input of three axes is refused, which may be (N, C, L) or (N, T, C)
    options    as the exported class has them: several_widths, save_memory, device, dtype

    FormulaError, a ValueError, for what is no formula. Modules can be copied, pickled and compiled. State dictionaries have beta0, beta1, ….
    """
    return activation_class(formula)(channels, axis=axis, **options)


def replace(
    model: nn.Module,
    kind: Union[type, Tuple[type, ...]],
    formula: Union[str, Formula],
    *,
    axis: Optional[int] = None,
    example: Any = None,
) -> Dict[str, nn.Module]:
    """Puts the formula in the place of every module of a kind, or of several, and returns what was there: a module by its name.

    axis      as of Activation; None: it follows from the layer before each, where that is a convolution, a normalisation or linear
    example   an input of the model, or a tuple of its arguments: the model is run on it once, which finds the numbers of channels. Without
              it, run the model once before an optimiser is made

    ValueError where the model has no such module; calls like F.relu(x) are none. A module in several places stays one module.
    """
    if isinstance(model, kind):
        raise ValueError("the model is itself a module of this kind, and has no place to put another in: Activation(formula) makes one")
    replaced = {name: module for name, module in model.named_modules(remove_duplicate=False) if isinstance(module, kind)}
    _exported.module("pytorch", Formula(formula)).replace(model, kind, axis=axis, example=example)
    return replaced


def parameter_groups(model: nn.Module, weight_decay: float) -> list:
    """The parameters of a model for an optimiser: the betas of all its activations without weight decay, which would draw them to 0.

    RuntimeError where an activation does not know its channels yet: run the model once first.
    """
    ours = [module for module in model.modules() if _is_ours(module)]
    if not all(getattr(module, "suffixes", True) for module in ours):
        raise RuntimeError("the number of channels is not known: run the model once before, or say Activation(formula, channels)")
    betas = {id(parameter) for module in ours for parameter in module.parameters()}
    return [
        {"params": [p for p in model.parameters() if id(p) not in betas], "weight_decay": weight_decay},
        {"params": [p for p in model.parameters() if id(p) in betas], "weight_decay": 0.0},
    ]


def _is_ours(module: nn.Module) -> bool:
    return type(module).__module__.startswith(_exported.__name__ + ".")
