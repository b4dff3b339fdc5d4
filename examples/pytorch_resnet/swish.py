# y = x * sigmoid(beta * x)
#
# Study 1 (search, space core1, strategy random, seed 0), program commit 11e322d78a33.
# Trained under: vgg16-slim features=16-16-M-32-32-M-64-64-64-M-128-128-128-M-128-128-128-M dense=none dropout=0
#   convolution_bias=no initialisation=he batch_norm_momentum=0.9 batch_norm_epsilon=1e-05 epochs=3 batch=128
#   schedule=one-cycle peak=0.1 warmup=0.25 momentum=0.9 weight_decay=0.0005 decay_all=no flip=yes pad=0 normalise=yes
#   shuffle=yes validation=5000 precision=bf16 data=CIFAR-10, MD5 of the six files 198a341c0b3e8c2fa94b30e868b5cfd6
# Score: mean accuracy 77.15 %, n = 5, 95 % interval 76.88 to 77.41 % (Student's t over the seeds); rank 3 of the
#   leaderboard by lower bound.
# Learned: beta0 ended at 1.003, the mean over channels and seeds; here betas start at 1.
# Written by actsearch 0.1.0 (commit 953f07771392), target pytorch.
#
# SPDX-License-Identifier: MIT
# Copyright (c) 2026 The actsearch authors. Free to use, change and pass on;
# keep these lines in copies of this file.
"""The activation x * sigmoid(beta * x) for PyTorch (1.13 or later).

Swish(channels)
    The module: betas for each channel of dimension 1, starting at 1.
SwishFunction.apply(x, beta0)
    The function with its own derivative. For the backward pass it keeps x and betas, and computes the rest again.
swish(x, beta0)
    The plain function, which autograd differentiates as often as asked for. It keeps every intermediate value, and at a kink autograd
    chooses the slope.

Betas broadcast against x. Half precision is computed in single precision and rounded once.
"""
import torch
from torch import nn
from torch.autograd.function import once_differentiable

__all__ = ["Swish", "SwishFunction", "swish"]


def _precise(x):
    return x.float() if x.dtype in (torch.float16, torch.bfloat16) else x


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


class SwishFunction(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, beta0):
        u = _precise(x)
        y = _value(u, beta0.to(u.dtype)).to(x.dtype)
        ctx.inputs = [(t.shape, t.dtype) for t in (x, beta0)]
        ctx.save_for_backward(x, beta0)
        return y

    @staticmethod
    @once_differentiable
    def backward(ctx, dL_dy):
        x, beta0 = ctx.saved_tensors
        u = _precise(x)
        (dydx, dydbeta0) = _slopes(u, beta0.to(u.dtype))
        dL_dy = _precise(dL_dy)
        return tuple(
            (dL_dy * slope).sum_to_size(shape).to(dtype) if needed else None
            for slope, (shape, dtype), needed in zip((dydx, dydbeta0), ctx.inputs, ctx.needs_input_grad)
        )


class Swish(nn.Module):
    """y = x * sigmoid(beta * x), with a learnable beta for each channel of dimension 1; betas start at 1.

    save_memory=False differentiates the plain function instead, which second derivatives and torch.jit.trace need.
    """

    def __init__(self, channels, save_memory=True, device=None, dtype=None):
        super().__init__()
        self.channels = channels
        self.save_memory = save_memory
        self.beta0 = nn.Parameter(torch.ones(channels, device=device, dtype=dtype))

    def forward(self, x):
        shape = (-1,) + (1,) * (x.dim() - 2)
        function = SwishFunction.apply if self.save_memory else swish
        return function(x, self.beta0.view(shape))

    def extra_repr(self):
        return f"{self.channels}, save_memory={self.save_memory}"


def parameter_groups(model, weight_decay):
    """The parameters of a model for an optimiser: betas without weight decay, which would draw them to 0, all others with it.

    The search that found the formula trained betas so.
    """
    betas = {id(p) for m in model.modules() if isinstance(m, Swish) for p in m.parameters()}
    return [
        {"params": [p for p in model.parameters() if id(p) not in betas], "weight_decay": weight_decay},
        {"params": [p for p in model.parameters() if id(p) in betas], "weight_decay": 0.0},
    ]
