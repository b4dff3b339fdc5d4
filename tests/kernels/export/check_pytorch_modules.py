"""What a network needs of an exported PyTorch file: derivatives of derivatives, torch.func, torch.compile and torch.export, and modules that find
their channels, take the place of others, load weights and are traced. argv[1] is a folder with exported/*.py; the classes are told apart by
what they have. What this PyTorch is too old for, or needs torchvision or timm, is left out and said.
"""
import copy
import functools
import importlib.util
import pathlib
import pickle
import sys

import torch
from torch import nn

from cases import Checks

torch.set_num_threads(1)
checks = Checks()
HAS_FUNC = hasattr(torch, "func")
HAS_COMPILE = HAS_FUNC and hasattr(torch, "compiler") and hasattr(torch.compiler, "is_compiling")


def load(name):
    spec = importlib.util.spec_from_file_location(name, pathlib.Path(sys.argv[1], "exported", name + ".py"))
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # for pickle
    spec.loader.exec_module(module)
    layer, function, plain = (getattr(module, n) for n in module.__all__[:3])
    return module, layer, function.apply, plain


def optional(name):
    try:
        return importlib.import_module(name)
    except ImportError:
        print(f"left out: {name} is not installed")
        return None


def close(got, expected, what, tolerance=1e-9):
    checks.true(got.shape == expected.shape and torch.allclose(got, expected, tolerance, tolerance), what)


def refused(work, kind, *words):
    try:
        work()
    except kind as error:
        checks.true(all(word in str(error) for word in words), f"the message lacks one of {words}: {error}")
    else:
        checks.true(False, f"nothing was refused that should name {words}")


def inputs_of(layer, shape=(5, 4)):
    generator = torch.Generator().manual_seed(1)
    betas = len(list(layer(4).parameters()))
    x = torch.randn(shape, dtype=torch.float64, generator=generator)
    return [x] + [0.5 + torch.rand(4, dtype=torch.float64, generator=generator) for _ in range(betas)]


def check_second_derivatives(name, layer, apply, plain):
    inputs = [t.requires_grad_() for t in inputs_of(layer)]
    checks.true(torch.autograd.gradcheck(apply, inputs, check_forward_ad=True), f"{name}: gradcheck")
    checks.true(torch.autograd.gradgradcheck(apply, inputs), f"{name}: gradgradcheck")
    blocks = zip(*(torch.autograd.functional.hessian(lambda *a: f(*a).square().sum(), tuple(inputs)) for f in (apply, plain)))
    for ours, right in blocks:
        for a, b in zip(ours, right):
            close(a, b, f"{name}: torch.autograd.functional.hessian")
    penalties = []  # the gradient of a gradient penalty by the betas and by x
    for f in (apply, plain):
        (dx,) = torch.autograd.grad(f(*inputs).square().sum(), inputs[0], create_graph=True)
        penalties.append(torch.autograd.grad(dx.square().sum(), inputs))
    for a, b in zip(*penalties):
        close(a, b, f"{name}: a gradient penalty")


def check_rows_of_blocks(name, layer, apply, plain):
    """An input of many rows is computed some rows at a time; betas have every shape that broadcasts."""
    generator = torch.Generator().manual_seed(2)
    for dtype, tolerance in ((torch.float64, 1e-9), (torch.bfloat16, 2.0**-7)):
        for shape, beta_shape in (((600, 4, 8, 8), (4, 1, 1)), ((600, 64, 4), (4,)), ((600, 256), (600, 1)), ((600, 256), (1, 256)), ((1, 256), (600, 1)), ((600, 256), ())):
            x = torch.randn(shape, generator=generator, dtype=torch.float64).to(dtype).requires_grad_()
            count = len(list(layer(4).parameters()))
            betas = [(0.5 + torch.rand(beta_shape, generator=generator, dtype=torch.float64)).requires_grad_() for _ in range(count)]
            y, right = apply(x, *betas), plain(x, *betas)
            close(y.double(), right.double(), f"{name}: values of {shape}, {beta_shape}, {dtype}", tolerance)
            upstream = torch.randn(y.shape, generator=generator, dtype=torch.float64).to(dtype)
            pairs = zip(torch.autograd.grad(y, (x, *betas), upstream), torch.autograd.grad(right, (x, *betas), upstream))
            for a, b in pairs:
                checks.true(a.dtype == b.dtype, f"{name}: {a.dtype}")
                close(a.double(), b.double(), f"{name}: gradients of {shape}, {beta_shape}, {dtype}", 20 * tolerance)


def check_func(name, layer, apply, plain):
    from torch.func import functional_call, grad, hessian, jacfwd, jacrev, vmap

    inputs = inputs_of(layer)
    every = tuple(range(len(inputs)))

    def loss(*a):
        return apply(*a).square().sum()

    def right_loss(*a):
        return plain(*a).square().sum()

    right = torch.autograd.functional.hessian(right_loss, tuple(inputs))
    twice = {"hessian": hessian, "rev of rev": lambda f, n: jacrev(jacrev(f, n), n), "rev of fwd": lambda f, n: jacrev(jacfwd(f, n), n),
             "fwd of fwd": lambda f, n: jacfwd(jacfwd(f, n), n)}
    for what, transformation in twice.items():
        for ours, others in zip(transformation(loss, every)(*inputs), right):
            for a, b in zip(ours, others):
                close(a, b, f"{name}: torch.func, {what}")
    each = vmap(grad(loss, every), (0,) + (None,) * (len(inputs) - 1))(*inputs)
    for i in range(len(inputs[0])):
        for a, b in zip(each, grad(right_loss, every)(inputs[0][i], *inputs[1:])):
            close(a[i], b, f"{name}: vmap of grad")
    if len(inputs) > 1:
        many = [torch.rand(7, 4, dtype=torch.float64) for _ in inputs[1:]]
        y = vmap(lambda *betas: apply(inputs[0], *betas))(*many)
        for i in range(7):
            close(y[i], plain(inputs[0], *(beta[i] for beta in many)), f"{name}: vmap over betas")
    net = nn.Sequential(nn.Conv2d(3, 4, 3), layer(4), nn.Flatten(), nn.Linear(16, 2)).double()
    parameters, images = dict(net.named_parameters()), torch.randn(6, 3, 4, 4).double()

    def loss_of(p, image):
        return functional_call(net, p, (image[None],)).square().sum()

    samples = vmap(grad(loss_of), (None, 0))(parameters, images)
    for i in range(6):
        for a, b in zip(samples.values(), torch.autograd.grad(loss_of(parameters, images[i]), list(parameters.values()))):
            close(a[i], b, f"{name}: gradients of each sample")


def check_compiled(name, layer):
    net = nn.Sequential(nn.Conv2d(3, 4, 3), layer(4), nn.Flatten(), nn.Linear(16, 2)).double()
    images = torch.randn(6, 3, 4, 4).double()
    results = []
    for f in (net, torch.compile(net, fullgraph=True, backend="aot_eager")):
        net.zero_grad()
        y = f(images)
        y.square().sum().backward()
        results.append([y] + [p.grad.clone() for p in net.parameters()])
    for a, b in zip(*results):
        close(a, b, f"{name}: torch.compile")
    for strict in (True, False):
        close(torch.export.export(net, (images,), strict=strict).module()(images), results[0][0], f"{name}: torch.export, strict={strict}")


def check_channels(name, module, layer):
    refused(lambda: layer()(torch.ones(2, 8, 8)), ValueError, "(2, 8, 8)", "axis=1", "axis=-1")
    refused(lambda: layer(8)(torch.ones(2, 8, 8)), ValueError, "(2, 8, 8)", "axis=-1")
    refused(lambda: layer(4)(torch.ones(2, 8, 6, 6)), ValueError, "(2, 8, 6, 6)", "4 channels", "axis")
    refused(lambda: layer(axis=4)(torch.ones(2, 8, 6, 6)), ValueError, "(2, 8, 6, 6)", "axis 4")
    for axis, shape, channels in ((-1, (2, 5, 8), 8), (1, (2, 5, 8), 5), (None, (2, 3), 3), (None, (2, 3, 4, 5), 3), (-1, (2, 3, 4, 5), 5), (-3, (2, 3, 4, 5), 3)):
        found = layer(axis=axis)
        x = torch.randn(shape)
        y = found(x)
        checks.true(found.channels == channels and found.beta0.shape == (channels,), f"{name}: {found.channels} channels of {shape} along {axis}")
        checks.true(bool((found.beta0 == 1).all()), f"{name}: betas found at the first use begin at 1")
        with torch.no_grad():
            for p in found.parameters():
                p[0] = 3.0
        changed = (found(x) != y).nonzero()[:, axis if axis is not None else 1]
        checks.true(len(changed) > 0 and bool((changed == 0).all()), f"{name}: a beta along {axis} of {shape} belongs to its channel")
    found = layer()
    optimiser = torch.optim.SGD(found.parameters(), lr=0.1)
    found(torch.randn(4, 3)).sum().backward()
    optimiser.step()
    checks.true(not bool((found.beta0 == 1).any()), f"{name}: an optimiser that was made before the first use has the betas")
    refused(lambda: module.parameter_groups(nn.Sequential(layer()), 0.1), RuntimeError, "Run the model once")
    loaded = layer()
    loaded.load_state_dict(found.state_dict())
    checks.true(torch.equal(loaded.beta0, found.beta0), f"{name}: weights are loaded before the first use")
    checks.true(layer().state_dict() == {}, f"{name}: before the first use there is nothing to save")


class Bottleneck(nn.Module):
    """One ReLU in three places of two widths, as in torchvision's."""

    def __init__(self):
        super().__init__()
        self.conv1, self.conv2, self.conv3 = nn.Conv2d(8, 4, 1), nn.Conv2d(4, 4, 3, padding=1), nn.Conv2d(4, 8, 1)
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x):
        out = self.relu(self.conv2(self.relu(self.conv1(x))))
        return self.relu(self.conv3(out) + x)


def check_replacement(name, module, layer, make, x, kind=nn.ReLU):
    """Weights from before load strictly; betas of each width; saved, loaded, copied, pickled and traced it is the same network."""
    model = make()
    before = copy.deepcopy(model.state_dict())
    checks.true(module.replace(model, kind) is model, f"{name}: replace gives the model back")
    checks.true(not any(isinstance(m, kind) for m in model.modules()), f"{name}: modules are left")
    model.load_state_dict(before, strict=True)
    model.eval()(x)
    model.load_state_dict(before, strict=True)
    for p in module.parameter_groups(model, 0.1)[1]["params"]:
        nn.init.uniform_(p, 0.5, 1.5)
    y = model(x)
    again = module.replace(make(), kind).eval()
    again.load_state_dict(model.state_dict(), strict=True)
    checks.true(torch.equal(again(x), y), f"{name}: loaded before the first use")
    again = module.replace(make(), kind, example=x).eval()
    again.load_state_dict(model.state_dict(), strict=True)
    checks.true(torch.equal(copy.deepcopy(again)(x), y), f"{name}: loaded after an example, and copied")
    checks.true(torch.equal(pickle.loads(pickle.dumps(again))(x), y) if make is not Bottleneck else True, f"{name}: pickled")
    checks.true(torch.equal(torch.fx.symbolic_trace(model)(x), y), f"{name}: traced by torch.fx")
    return model


def check_replacements(name, module, layer):
    x = torch.randn(2, 8, 6, 6)
    model = check_replacement(name, module, layer, Bottleneck, x)
    if "beta0" in dict(model.relu.named_parameters()):
        checks.true(model.relu.channels == [4, 8], f"{name}: {model.relu.channels} channels in a bottleneck")
        refused(lambda: torch.fx.symbolic_trace(module.replace(Bottleneck())), RuntimeError, "Run the model once")
        tokens = module.replace(nn.Sequential(nn.Linear(6, 6), nn.GELU()), nn.GELU)
        checks.true(tokens[1].axis == -1, f"{name}: after a linear layer channels are last")
        tokens(torch.randn(2, 6, 6))
    refused(lambda: module.replace(nn.Linear(2, 2)), ValueError, "no module", "F.relu")
    torchvision = optional("torchvision")
    if torchvision is not None:
        from torchvision.models.feature_extraction import create_feature_extractor

        image = torch.randn(1, 3, 64, 64)
        for make in (torchvision.models.resnet18, torchvision.models.resnet50):
            model = check_replacement(name, module, layer, functools.partial(make, num_classes=10), image)
            features = create_feature_extractor(model, {"layer2": "stage"})(image)["stage"]
            checks.true(features.shape[2:] == (8, 8), f"{name}: {features.shape} of a feature extractor")
        block = torchvision.ops.Conv2dNormActivation(3, 8, activation_layer=layer, inplace=True)
        checks.true(block(image).shape == (1, 8, 64, 64), f"{name}: activation_layer= with inplace=")
    timm = optional("timm")
    if timm is not None:
        for kind, act_layer in (("resnet18", layer), ("convnext_atto", functools.partial(layer, axis=-1))):
            model = timm.create_model(kind, act_layer=act_layer, num_classes=10)
            checks.true(any(isinstance(m, layer) for m in model.modules()) and model(torch.randn(2, 3, 64, 64)).shape == (2, 10), f"{name}: {kind} of timm")


for file in sorted(pathlib.Path(sys.argv[1], "exported").glob("*.py")):
    name = file.stem
    module, layer, apply, plain = load(name)
    check_rows_of_blocks(name, layer, apply, plain)
    if "relu" not in name:  # whose second derivatives have kinks
        check_second_derivatives(name, layer, apply, plain)
        if HAS_FUNC:
            check_func(name, layer, apply, plain)
    if HAS_COMPILE:
        check_compiled(name, layer)
    if name in ("swish", "swish1"):
        check_replacements(name, module, layer)
    if name == "swish":
        check_channels(name, module, layer)
        traced = torch.jit.trace(nn.Sequential(layer(4)), torch.ones(2, 4))
        checks.true(traced(torch.ones(3, 4)).shape == (3, 4), "swish: torch.jit.trace")
if not HAS_COMPILE:
    print(f"left out: PyTorch {torch.__version__} has no torch.func or torch.compile")
checks.finish()
