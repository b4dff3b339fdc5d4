"""actsearch.torch: the exported file as modules."""

from __future__ import annotations

import copy
import io
import pickle
import types

import pytest

torch = pytest.importorskip("torch", reason="PyTorch is not installed: scripts/setup.sh --with-torch")

import actsearch  # noqa: E402
from actsearch import Answer, Formula  # noqa: E402
from actsearch.torch import Activation, activation_class, parameter_groups, replace  # noqa: E402
from conftest import make_study  # noqa: E402

nn = torch.nn


def test_an_activation_computes_its_formula_and_learns_beta():
    torch.manual_seed(0)
    x = torch.randn(4, 3, 5, 5, dtype=torch.float64, requires_grad=True)
    module = Activation("x * sigmoid(beta * x)", axis=1, dtype=torch.float64)
    y = module(x)
    torch.testing.assert_close(y, x * torch.sigmoid(x))
    assert module.beta0.shape == (3,)
    y.sum().backward()
    s = torch.sigmoid(x.detach())
    torch.testing.assert_close(module.beta0.grad, (x.detach() ** 2 * s * (1 - s)).sum((0, 2, 3)))


def test_the_text_is_that_of_the_export():
    formula = Formula("x * sin(beta * x)")
    written = types.ModuleType("written")
    exec(formula.export("pytorch"), written.__dict__)
    x = torch.randn(16, 4)
    ours, theirs = Activation(formula, 4), getattr(written, activation_class(formula).__name__)(4)
    assert torch.equal(ours(x), theirs(x))
    assert list(ours.state_dict()) == list(theirs.state_dict()) == ["beta0"]


def test_one_formula_is_one_class():
    assert activation_class("swish") is activation_class(Formula("x * sigmoid(beta * x)"))
    assert activation_class("swish").__name__ == "Swish"
    with pytest.raises(actsearch.FormulaError):
        Activation("swishh")


def test_modules_are_copied_pickled_and_saved():
    module = Activation("x * sin(beta * x)", 4, axis=-1)
    x = torch.randn(3, 4)
    saved = io.BytesIO()
    torch.save(module, saved)
    saved.seek(0)
    options = {"weights_only": False} if "weights_only" in torch.load.__code__.co_varnames else {}
    for again in (copy.deepcopy(module), pickle.loads(pickle.dumps(module)), torch.load(saved, **options)):
        assert type(again) is type(module) and torch.equal(again(x), module(x))


def test_modules_are_traced_and_compiled():
    x = torch.randn(3, 4)
    module = Activation("x * sin(beta * x)", 4, axis=-1)
    torch.testing.assert_close(torch.jit.trace(module, x)(x), module(x))
    if hasattr(torch, "compile"):
        torch.testing.assert_close(torch.compile(module, backend="eager", fullgraph=True)(x), module(x))


def network():
    shared = nn.ReLU()
    inner = nn.Sequential(nn.Conv2d(4, 6, 3), shared, nn.Flatten(), nn.Linear(24, 5), shared)
    return nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), inner, nn.Tanh())


def test_replace_returns_what_was_there():
    model = network()
    before = dict(model.named_modules(remove_duplicate=False))
    replaced = replace(model, nn.ReLU, "swish", example=torch.randn(2, 1, 6, 6))
    assert set(replaced) == {"1", "2.1", "2.4"}
    assert all(replaced[name] is before[name] for name in replaced)
    assert type(model[1]).__name__ == "Swish" and model[2][1] is model[2][4] and type(model[3]) is nn.Tanh
    assert {tuple(p.shape) for name, p in model.named_parameters() if "beta" in name} == {(4,), (6,), (5,)}
    with_betas, without = parameter_groups(model, 1e-4)
    assert len(without["params"]) == 3 and without["weight_decay"] == 0 and len(with_betas["params"]) == 6


def test_replace_says_what_it_cannot_do():
    with pytest.raises(ValueError, match="no module"):
        replace(network(), nn.GELU, "swish")
    with pytest.raises(ValueError, match="itself"):
        replace(nn.ReLU(), nn.ReLU, "swish")
    model = network()
    with pytest.raises(ValueError):
        replace(model, nn.ReLU, "x +")
    assert type(model[1]) is nn.ReLU
    replace(model, (nn.ReLU, nn.Tanh), "x * sin(beta * x)")
    with pytest.raises(RuntimeError, match="once"):
        parameter_groups(model, 0.1)


def test_a_study_trains_networks(tmp_path):
    """Two spirals, a network of one hidden layer, three functions: the whole of the loop on real training."""
    torch.manual_seed(0)
    angle = torch.linspace(0.5, 6, 100)
    spiral = torch.stack([angle * torch.cos(angle), angle * torch.sin(angle)], 1) / 6
    x, labels = torch.cat([spiral, -spiral]), torch.cat([torch.zeros(100), torch.ones(100)])
    study = make_study(tmp_path / "spirals.db", conditions="two spirals", epochs=3, formulas=["relu", "sin(x)"])
    for trial in study.ask(3):
        with trial:
            torch.manual_seed(trial.seed)
            model = nn.Sequential(nn.Linear(2, 32), trial.torch()(32, axis=1), nn.Linear(32, 1))
            optimiser = torch.optim.Adam(parameter_groups(model, 0.0), 0.02)
            for epoch in range(1, trial.epochs + 1):
                for _ in range(20):
                    loss = nn.functional.binary_cross_entropy_with_logits(model(x)[:, 0], labels)
                    optimiser.zero_grad()
                    loss.backward()
                    optimiser.step()
                accuracy = ((model(x)[:, 0] > 0) == (labels > 0)).float().mean()
                assert trial.report(epoch, train_loss=loss, accuracy=accuracy) is Answer.GO_ON
            assert trial.tell(accuracy) is Answer.STORED
    assert len(study.leaderboard()) == 3 and study.best().score > 0.55
