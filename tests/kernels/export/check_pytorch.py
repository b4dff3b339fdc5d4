"""Every exported PyTorch file: the function with its own derivative, the plain function under autograd, and the module."""
import math

import torch

from cases import Checks, cases

torch.set_num_threads(1)
checks = Checks()

# fp16 and bf16: half a unit in the last place of 1, half the smallest denormal, and the largest number.
HALVES = ((torch.float16, 2.0**-11, 2.0**-25, 65504.0), (torch.bfloat16, 2.0**-8, 2.0**-134, 3.3e38))
# Autograd differentiates each primitive, our rules each function, so their roundings differ.
AUTOGRAD_FACTOR = 16


def tensors(case, dtype):
    x = torch.tensor(case.x, dtype=dtype, requires_grad=True)
    return x, [torch.tensor(beta, dtype=dtype, requires_grad=True) for beta in case.beta]


def rows(y, *gradients):
    """[y, dy/dx, …] of each point."""
    columns = [y.detach().double().tolist()] + [g.double().tolist() for g in gradients]
    return [list(row) for row in zip(*columns)]


def differentiated(function, case, dtype):
    x, betas = tensors(case, dtype)
    y = function(x, *betas)
    checks.true(y.dtype == dtype and y.shape == x.shape, f"pytorch: {case.formula}: {y.dtype} {tuple(y.shape)} of {dtype}")
    if not y.requires_grad:  # the plain function of a constant
        return rows(y, *[torch.zeros_like(t) for t in (x, *betas)])
    gradients = torch.autograd.grad(y, (x, *betas), torch.ones_like(y), allow_unused=True)
    return rows(y, *[torch.zeros_like(x) if g is None else g for g in gradients])


def check_gradients_by_differences(case, function):
    """gradcheck in double, off the kinks: its differences have an error of 1e-12 f''' / 6 and 1e-10 |f|."""
    smooth = [i for i, b in enumerate(case.bounds["double"]) if b is not None and 0.05 < abs(case.x[i]) < 4 and max(map(abs, case.values[i])) < 1e3]
    if not smooth:
        return
    scale = 1 + max(max(map(abs, case.values[i])) for i in smooth)
    inputs = [torch.tensor([column[i] for i in smooth], dtype=torch.float64, requires_grad=True) for column in (case.x, *case.beta)]
    right = torch.autograd.gradcheck(function, inputs, eps=1e-6, atol=1e-6 * scale, rtol=1e-5, raise_exception=False)
    checks.true(right, f"pytorch: gradcheck of {case.formula} fails")


def check_module(case, module):
    """Per channel over 2-d and 4-d input: values as the function's, gradients of betas summed over what shares them."""
    channels = len(case.x)
    for save_memory in (True, False):
        layer = getattr(module, case.class_name)(channels, save_memory=save_memory).double()
        parameters = dict(layer.named_parameters())
        checks.true(list(parameters) == [f"beta{k}" for k in range(case.parameters)], f"pytorch: {case.formula}: parameters {list(parameters)}")
        checks.true(all(p.shape == (channels,) and bool((p == 1).all()) for p in parameters.values()), f"pytorch: {case.formula}: betas do not start at 1")
        with torch.no_grad():
            for k, p in enumerate(parameters.values()):
                p.copy_(torch.tensor(case.beta[k], dtype=torch.float64))
        for shape in ((2, channels), (2, channels, 3, 2)):
            x = torch.tensor(case.x, dtype=torch.float64).view((1, channels) + (1,) * (len(shape) - 2)).expand(shape).clone().requires_grad_()
            y = layer(x)
            copies = x.numel() // channels
            if not y.requires_grad:
                continue
            gradients = torch.autograd.grad(y, (x, *parameters.values()), torch.ones_like(y), allow_unused=True)
            first = (0, slice(None)) + (0,) * (len(shape) - 2)
            gradients = [torch.zeros_like(t) if g is None else g for g, t in zip(gradients, (x, *parameters.values()))]
            results = rows(y[first], gradients[0][first], *[g / copies for g in gradients[1:]])
            if not save_memory:
                results = without_kinks(case, results)
            checks.points(case, results, "double", f"pytorch, module of {shape}", 1.0 if save_memory else AUTOGRAD_FACTOR)


def without_kinks(case, results):
    """Where autograd may differ the value alone is compared: with sinc, whose quotient it differentiates, which cancels near 0."""
    return [row if "sinc" not in case.formula else [row[0], *values[1:]] for row, values in zip(results, case.values)]


def check_curvature_at_zero(case, plain):
    """Of smooth functions that are computed with a maximum or a magnitude."""
    curvature = {"softplus(x)": 0.25, "x * sigmoid(x)": 0.5, "x * tanh(softplus(x))": 0.64}.get(case.formula)
    if curvature is None:
        return
    x = torch.zeros(1, dtype=torch.float64, requires_grad=True)
    (slope,) = torch.autograd.grad(plain(x), x, create_graph=True)
    (second,) = torch.autograd.grad(slope, x)
    checks.near(second.item(), curvature, 1e-12, f"pytorch, plain: {case.formula}'s second derivative at 0")


for number, case in enumerate(cases()):
    module = case.load()
    function = getattr(module, case.class_name + "Function").apply
    plain = getattr(module, case.name)
    checks.points(case, differentiated(function, case, torch.float64), "double", "pytorch, function, double")
    single = differentiated(function, case, torch.float32)
    checks.points(case, single, "single", "pytorch, function, single")
    checks.far(case, [row[0] for row in single], "pytorch")
    checks.points(case, without_kinks(case, differentiated(plain, case, torch.float64)), "double", "pytorch, plain", AUTOGRAD_FACTOR)
    for dtype, rounding, tiny, largest in HALVES:
        checks.halves(case, differentiated(function, case, dtype), rounding, tiny, largest, f"pytorch, {dtype}")
    check_gradients_by_differences(case, function)
    check_curvature_at_zero(case, plain)
    check_module(case, module)
    if case.parameters:
        model = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), getattr(module, case.class_name)(4))
        groups = module.parameter_groups(model, 0.1)
        sizes = [len(g["params"]) for g in groups]
        checks.true(sizes == [2, case.parameters] and groups[1]["weight_decay"] == 0, f"pytorch: {case.formula}: groups of {sizes}")
    elif number % 16 == 0:
        traced = torch.jit.trace(getattr(module, case.class_name)(save_memory=False), torch.ones(2, 3))
        checks.true(traced(torch.zeros(1, 3)).shape == (1, 3), f"pytorch: {case.formula} cannot be traced")
checks.finish()
