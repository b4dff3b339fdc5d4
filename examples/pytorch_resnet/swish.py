# y = x * sigmoid(beta * x)
#
# Study 1 (search, space core1, strategy random, seed 0), program commit 11e322d78a33.
# Trained under: vgg16-slim features=16-16-M-32-32-M-64-64-64-M-128-128-128-M-128-128-128-M dense=none dropout=0
#   convolution_bias=no initialisation=he batch_norm_momentum=0.9 batch_norm_epsilon=1e-05 epochs=3 batch=128
#   schedule=one-cycle peak=0.1 warmup=0.25 momentum=0.9 weight_decay=0.0005 decay_all=no flip=yes pad=0 normalise=yes
#   shuffle=yes validation=5000 precision=bf16 data=CIFAR-10, MD5 of the six files 198a341c0b3e8c2fa94b30e868b5cfd6
# Score: accuracy 77.15 %, n = 5, 95 % interval 76.88 to 77.41 % (Student's t over the seeds); rank 3 of the leaderboard
#   by lower bound.
# Learned: beta0 ended at 1.003, the mean over channels and seeds; here betas start at 1.
# Written by actsearch 0.1.0 (commit 962377e52e47), target pytorch.
#
# SPDX-License-Identifier: MIT
# Copyright (c) 2026 The actsearch authors. Free to use, change and pass on;
# keep these lines in copies of this file.
"""The activation x * sigmoid(beta * x) for PyTorch (1.13 or later; torch.func and torch.compile need 2.0).

Swish(channels=None, axis=None)
    The module: betas for each channel, starting at 1; both are found at the first use, or are to be said.
replace(model, nn.ReLU)
    Puts it in the place of a network's activations.
SwishFunction.apply(x, beta0)
    The function with its own derivatives, also of higher order and for torch.func. For the backward pass it keeps
    x and betas, and computes the rest again.
swish(x, beta0)
    The plain function, all of it differentiated by autograd. It keeps every intermediate value, and at a kink autograd chooses the slope.

Betas broadcast against x. Half precision is computed in single precision and rounded once.
"""
import contextlib

import torch
from torch import fx, nn
from torch.autograd import forward_ad
from torch.nn.parameter import UninitializedParameter

__all__ = ["Swish", "SwishFunction", "swish", "parameter_groups", "replace"]


def _precise(x):
    return x.float() if x.dtype in (torch.float16, torch.bfloat16) else x


def _is_compiling():
    return hasattr(torch, "compiler") and torch.compiler.is_compiling()


def _value(x, beta0):
    t0 = beta0 * x
    t1 = torch.sigmoid(t0)
    t2 = x * t1
    return t2


def _slopes(x, beta0):
    t0 = beta0 * x
    t1 = torch.sigmoid(t0)
    t2 = 1.0 - t1
    t3 = t1 * t2
    t4 = x * t3
    t5 = t4 * beta0
    t6 = t1 + t5
    t7 = t4 * x
    return t6, t7


def swish(x, beta0):
    u = _precise(x)
    return _value(u, beta0.to(u.dtype)).to(x.dtype)


def _slopes_of(kept, is_output, beta0):
    """dy/dx and dy/dbeta from what the forward pass kept. A beta that they do not depend on is None."""
    u = _precise(kept)
    return _slopes(u, beta0.to(u.dtype))


def _rows(x, shapes):
    """How many rows of x to compute at a time, so that intermediate values stay in the cache of a CPU; 0 for all rows at once.

    The betas have these shapes; rows go apart only where betas are the same for each.
    """
    if _is_compiling() or torch.is_grad_enabled() or type(x) not in (torch.Tensor, nn.Parameter) or x.device.type != "cpu":
        return 0
    if x.dim() < 2 or any(len(s) >= x.dim() and s[-x.dim()] != 1 for s in shapes):
        return 0
    if any(len(s) > x.dim() or any(m not in (1, n) for m, n in zip(s[::-1], x.shape[::-1])) for s in shapes):
        return 0
    rows = max(1, 32768 * torch.get_num_threads() * x.shape[0] // max(1, x.numel()))
    return rows if rows < x.shape[0] else 0


if hasattr(forward_ad, "_set_fwd_grad_enabled"):
    # PyTorch computes tangents with forward mode off. It is on for those that torch.func takes of them, by values that have none of their own.
    _forward_mode = forward_ad._set_fwd_grad_enabled

    def _without_tangents(tensors):
        return [forward_ad.unpack_dual(t).primal for t in tensors]

else:  # PyTorch before 2.0
    _forward_mode = contextlib.nullcontext

    def _without_tangents(tensors):
        return tensors


def _products(ctx, dL_dy, kept, beta0):
    """dL/dx and dL/dbeta of each element; None where no gradient is asked for."""
    g = _precise(dL_dy)
    slopes = _slopes_of(kept, ctx.keeps_output, beta0)
    return [g * slope if needed else None for slope, needed in zip(slopes, ctx.needs_input_grad)]


class SwishFunction(torch.autograd.Function):
    @staticmethod
    def forward(x, beta0):
        betas = (beta0,)
        rows = _rows(x, [beta.shape for beta in betas])
        if not rows:
            return swish(x, *betas)
        y = torch.empty_like(x)
        for some_x, some_y in zip(x.split(rows), y.split(rows)):
            some_y.copy_(swish(some_x, *betas))
        return y

    @staticmethod
    def setup_context(ctx, inputs, output):
        x, beta0 = inputs
        ctx.inputs = [(t.shape, t.dtype) for t in inputs]
        ctx.shape = output.shape
        ctx.keeps_output = False
        ctx.save_for_backward(x, beta0)
        ctx.save_for_forward(x, beta0)

    @staticmethod
    def backward(ctx, dL_dy):
        kept, beta0 = ctx.saved_tensors
        betas = (beta0,)
        rows = _rows(dL_dy, [shape for shape, _ in ctx.inputs[1:]]) if ctx.inputs[0][0] == dL_dy.shape else 0
        if not rows:
            products = _products(ctx, dL_dy, kept, *betas)
            return tuple(None if p is None else p.sum_to_size(shape).to(dtype) for p, (shape, dtype) in zip(products, ctx.inputs))
        dL_dx = torch.empty_like(kept) if ctx.needs_input_grad[0] else None
        sums = [None] * 1
        for first, some_g, some_kept in zip(range(0, len(dL_dy), rows), dL_dy.split(rows), kept.split(rows)):
            product, *products = _products(ctx, some_g, some_kept, *betas)
            if product is not None:
                dL_dx[first : first + rows] = product
            for k, p in enumerate(products):
                if p is not None:
                    p = p.sum_to_size(ctx.inputs[1 + k][0])
                    sums[k] = p if sums[k] is None else sums[k] + p
        return (dL_dx, *(None if s is None else s.to(dtype) for s, (_, dtype) in zip(sums, ctx.inputs[1:])))

    @staticmethod
    def jvp(ctx, *tangents):
        kept = next(t for t in tangents if t is not None)
        with _forward_mode(True):
            kept, beta0 = _without_tangents(ctx.saved_tensors)
            slopes = _slopes_of(kept, ctx.keeps_output, beta0)
            terms = [_precise(t) * slope for t, slope in zip(tangents, slopes) if t is not None]
            return sum(terms[1:], terms[0]).expand(ctx.shape).to(ctx.inputs[0][1])

    @staticmethod
    def vmap(info, in_dims, *inputs):
        rank = max(t.dim() - (d is not None) for t, d in zip(inputs, in_dims))
        moved = []
        for t, d in zip(inputs, in_dims):
            if d is not None:
                t = t.movedim(d, 0)
                t = t.reshape(t.shape[:1] + (1,) * (rank + 1 - t.dim()) + t.shape[1:])
            moved.append(t)
        return SwishFunction.apply(*moved), 0


class _CompiledFunction(SwishFunction):  # torch.compile takes no function with a rule for jvp
    jvp = staticmethod(torch.autograd.Function.jvp)


if not hasattr(torch.autograd.Function, "setup_context"):  # PyTorch before 2.0

    def _forward_with_context(ctx, *inputs, _forward=SwishFunction.forward):
        output = _forward(*inputs)
        SwishFunction.setup_context(ctx, inputs, output)
        return output

    SwishFunction.forward = staticmethod(_forward_with_context)


def _function(save_memory):
    if not save_memory:
        return swish
    if _is_compiling():
        return _CompiledFunction.apply
    return swish if torch.jit.is_tracing() else SwishFunction.apply


@fx.wrap
def _activate(x, axis, save_memory, betas):
    """y by the betas of as many channels as the axis of x has; one step of a traced graph."""
    axis = _axis_of(x, axis)
    channels = _size(x, axis)
    own = next((some for some in betas if some[0].shape[0] == channels), None)
    if own is None:
        raise ValueError(_widths_differ(x, axis, [some[0].shape[0] for some in betas]))
    shape = (-1,) + (1,) * (x.dim() - 1 - axis)
    return _function(save_memory)(x, *(beta.view(shape) for beta in own))


def _size(x, axis):
    return int(x.shape[axis]) if torch.jit.is_tracing() else x.shape[axis]


def _axis_of(x, axis):
    if axis is None:
        if x.dim() == 3:
            raise ValueError(
                f"Swish: are the channels of an input of shape {tuple(x.shape)} along axis 1, as (N, C, L), or along the last, as "
                "(N, T, C)? Say Swish(axis=1) or Swish(axis=-1)"
            )
        return min(1, x.dim() - 1)
    if not -x.dim() <= axis < x.dim():
        raise ValueError(f"Swish: an input of shape {tuple(x.shape)} has no axis {axis}")
    return axis % x.dim()


def _widths_differ(x, axis, widths):
    known = " or ".join(str(width) for width in widths)
    return (
        f"Swish: betas are there for {known} channels, but axis {axis} of an input of shape {tuple(x.shape)} has {_size(x, axis)}. "
        "Which axis has the channels is said by Swish(axis=...)"
    )


class Swish(nn.Module):
    """y = x * sigmoid(beta * x), with a learnable beta for each channel; betas start at 1.

    channels      how many; None: as many as the first input has. Use the module once, or load weights, before it is traced or its optimiser made
    axis          the axis of the channels; None: 1, but an input (N, ?, ?) is refused, which may be (N, C, L) or (N, T, C)
    several_widths  each number of channels that occurs has its own betas, as replace() needs where a network uses one module in several places
    inplace       is there for networks that pass it, and not used
    save_memory   False: autograd differentiates the plain function
    """

    def __init__(self, channels=None, *, axis=None, several_widths=False, inplace=False, save_memory=True, device=None, dtype=None):
        super().__init__()
        self.axis = axis
        self.several_widths = several_widths
        self.save_memory = save_memory
        self.suffixes = {}  # of the names of betas, by their number of channels
        for k in range(1):
            self.register_parameter(f"beta{k}", UninitializedParameter(device=device, dtype=dtype))
        if channels is not None and not isinstance(channels, bool):  # nn.ReLU(True) means inplace
            self._add(channels, device)

    @property
    def channels(self):
        """How many, or a list where several_widths has met several; None before the first use."""
        widths = list(self.suffixes)
        return widths if len(widths) > 1 else widths[0] if widths else None

    def _add(self, channels, device):
        suffix = f"_{channels}" if self.suffixes else ""
        with torch.inference_mode(False), torch.no_grad():
            for k in range(1):
                first = getattr(self, f"beta{k}")
                if suffix:
                    beta = nn.Parameter(torch.ones(channels, device=first.device, dtype=first.dtype), first.requires_grad)
                    self.register_parameter(f"beta{k}{suffix}", beta)
                else:
                    first.materialize((channels,), device=device)
                    nn.init.ones_(first)
        self.suffixes[channels] = suffix

    def _prepare(self, x):
        axis = _axis_of(x, self.axis)
        channels = _size(x, axis)
        if channels not in self.suffixes:
            if self.suffixes and not self.several_widths:
                raise ValueError(_widths_differ(x, axis, self.suffixes))
            self._add(int(channels), x.device)

    def forward(self, x):
        if not isinstance(x, fx.Proxy):
            self._prepare(x)
        elif not self.suffixes:
            raise RuntimeError("Swish: the number of channels is not known. Run the model once before it is traced, or say Swish(channels)")
        betas = [[getattr(self, f"beta{k}{suffix}") for k in range(1)] for suffix in self.suffixes.values()]
        return _activate(x, self.axis, self.save_memory, betas)

    def extra_repr(self):
        return f"{self.channels}, axis={self.axis}, save_memory={self.save_memory}"

    def _save_to_state_dict(self, destination, prefix, keep_vars):
        if self.suffixes:  # before the first use there are no betas
            super()._save_to_state_dict(destination, prefix, keep_vars)

    def _load_from_state_dict(self, state_dict, prefix, *others):
        """Takes betas of any number of channels before the first use. Weights of a network that had no betas leave them as they are."""
        mine = {}
        for key, value in state_dict.items():
            k, _, channels = key[len(prefix) + 4 :].partition("_")
            if key.startswith(prefix + "beta") and k.isdigit() and (not channels or channels.isdigit()) and value.dim() == 1:
                if len(value) not in self.suffixes and (self.several_widths or not self.suffixes):
                    self._add(len(value), value.device if self.suffixes or value.device.type == "meta" else None)
                mine[f"{prefix}beta{k}{self.suffixes.get(len(value), '')}"] = value
        if mine:
            super()._load_from_state_dict(mine, prefix, *others)


def parameter_groups(model, weight_decay):
    """The parameters of a model for an optimiser: betas without weight decay, which would draw them to 0, all others with it.

    The search that found the formula trained betas so.
    """
    ours = [m for m in model.modules() if isinstance(m, Swish)]
    if not all(m.suffixes for m in ours):
        raise RuntimeError("Swish: the number of channels is not known. Run the model once before its optimiser is made, or say Swish(channels)")
    betas = {id(p) for m in ours for p in m.parameters()}
    return [
        {"params": [p for p in model.parameters() if id(p) not in betas], "weight_decay": weight_decay},
        {"params": [p for p in model.parameters() if id(p) in betas], "weight_decay": 0.0},
    ]


def _axis_after(module):
    """The axis of the channels of what a layer gives, by its kind; None where the kind does not say."""
    if isinstance(module, (nn.Linear, nn.LayerNorm)):
        return -1
    names = [kind.__name__ for kind in type(module).__mro__]
    return 1 if any(name.startswith(("Conv", "_Conv", "BatchNorm", "_BatchNorm", "GroupNorm", "InstanceNorm")) for name in names) else None


def replace(model, kind=nn.ReLU, axis=None, example=None):
    """Puts Swish in the place of every module of a kind, or of one of several, and gives the model back.

    axis      as of Swish; None: it follows from the layer before each, where that is a convolution, a normalisation or linear
    example   an input of the model, or a tuple of its arguments: the model is run on it once, which finds the numbers of channels. Without it,
              run the model once before an optimiser is made
    Strictly loading weights that the network had before works: betas stay as they are. Calls like F.relu(x) are no modules and stay.
    """
    made = {}  # by the module that was there, which may have several places

    def replacement(old, before):
        if id(old) not in made:
            made[id(old)] = Swish(axis=axis if axis is not None else before, several_widths=True).train(old.training)
        return made[id(old)]

    if isinstance(model, kind):
        return replacement(model, None)
    for parent in list(model.modules()):
        before = None
        for name, child in list(parent._modules.items()):
            if isinstance(child, kind):
                setattr(parent, name, replacement(child, before))
            elif child is not None:
                before = _axis_after(child) or before
    if not made:
        raise ValueError(f"Swish: the model has no module of {kind}. Functions that it calls, like F.relu, cannot be replaced so")
    if example is not None:
        was_training = [(m, m.training) for m in model.modules()]
        model.eval()
        try:
            with torch.no_grad():
                model(*example) if isinstance(example, tuple) else model(example)
        finally:
            for module, training in was_training:
                module.training = training
    return model
