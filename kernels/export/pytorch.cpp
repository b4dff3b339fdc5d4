#include <algorithm>

#include "kernels/export/python_parts.h"

namespace actsearch {
namespace {

constexpr std::string_view kBegin =
    R"py({{HEADER}}"""The activation {{FORMULA}} for PyTorch (1.13 or later; torch.func and torch.compile need 2.0).

{{CLASS}}(channels=None, axis=None)
    The module: {{MODULE_NOTE}}.
replace(model, nn.ReLU)
    Puts it in the place of a network's activations.
{{CLASS}}Function.apply(x{{BETAS}})
    The function with its own derivatives, also of higher order and for torch.func. For the backward pass it keeps
    {{KEPT_NOTE}}.
{{NAME}}(x{{BETAS}})
    The plain function, all of it differentiated by autograd. It keeps every intermediate value, and at a kink autograd chooses the slope.

Betas broadcast against x. Half precision is computed in single precision and rounded once.
"""
import contextlib

import torch
from torch import fx, nn
from torch.autograd import forward_ad
{{IMPORT}}
__all__ = ["{{CLASS}}", "{{CLASS}}Function", "{{NAME}}", "parameter_groups", "replace"]

)py";

// At a tie the slope goes to the second argument, as the formulas' own rules have it. What clamp does there differs from release to
// release.
constexpr std::string_view kMaximum = R"py(
def _maximum(a, b):  # NaN where an argument is; the slope at a tie is b's
    if not torch.is_tensor(a):
        return b.masked_fill(b < a, a)
    return torch.where((a > b) | (a != a), a, b) if torch.is_tensor(b) else nn.functional.threshold(a, b, b)

)py";
constexpr std::string_view kMinimum = R"py(
def _minimum(a, b):  # NaN where an argument is; the slope at a tie is b's
    if not torch.is_tensor(a):
        return b.masked_fill(b > a, a)
    return torch.where((a < b) | (a != a), a, b) if torch.is_tensor(b) else -nn.functional.threshold(-a, -b, -b)

)py";

constexpr std::string_view kFunctions = R"py(
def _precise(x):
    return x.float() if x.dtype in (torch.float16, torch.bfloat16) else x


def _is_compiling():
    return hasattr(torch, "compiler") and torch.compiler.is_compiling()


{{CODE}}

def {{NAME}}(x{{BETAS}}):
    u = _precise(x)
    return _value({{CAST}}).to(x.dtype)


def _slopes_of(kept, is_output{{BETAS}}):
    """dy/dx and dy/dbeta from what the forward pass kept. A beta that they do not depend on is None."""
    u = _precise(kept)
{{Y_AGAIN}}    return _slopes({{SLOPE_ARGUMENTS}})


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


def _products(ctx, dL_dy, kept{{BETAS}}):
    """dL/dx and dL/dbeta of each element; None where no gradient is asked for."""
    g = _precise(dL_dy)
    slopes = _slopes_of(kept, ctx.keeps_output{{BETAS}})
    return [g * slope if needed else None for slope, needed in zip(slopes, ctx.needs_input_grad)]


class {{CLASS}}Function(torch.autograd.Function):
    @staticmethod
    def forward(x{{BETAS}}):
        betas = ({{BETA_TUPLE}})
        rows = _rows(x, [beta.shape for beta in betas])
        if not rows:
            return {{NAME}}(x, *betas)
        y = torch.empty_like(x)
        for some_x, some_y in zip(x.split(rows), y.split(rows)):
            some_y.copy_({{NAME}}(some_x, *betas))
        return y

    @staticmethod
    def setup_context(ctx, inputs, output):
        {{UNPACKED}} = inputs
        ctx.inputs = [(t.shape, t.dtype) for t in inputs]
        ctx.shape = output.shape
        ctx.keeps_output = {{KEEPS_OUTPUT}}
{{SAVE}}
    @staticmethod
    def backward(ctx, dL_dy):
{{RESTORE}}        betas = ({{KEPT_TUPLE}})
        rows = _rows(dL_dy, [shape for shape, _ in ctx.inputs[1:]]) if ctx.inputs[0][0] == dL_dy.shape else 0
        if not rows:
            products = _products(ctx, dL_dy, kept, *betas)
            return tuple(None if p is None else p.sum_to_size(shape).to(dtype) for p, (shape, dtype) in zip(products, ctx.inputs))
        dL_dx = torch.empty_like(kept) if ctx.needs_input_grad[0] else None
        sums = [None] * {{BETA_COUNT}}
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
{{RESTORE_IN_JVP}}            slopes = _slopes_of(kept, ctx.keeps_output{{KEPT_BETAS}})
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
        return {{CLASS}}Function.apply(*moved), 0


class _CompiledFunction({{CLASS}}Function):  # torch.compile takes no function with a rule for jvp
    jvp = staticmethod(torch.autograd.Function.jvp)


if not hasattr(torch.autograd.Function, "setup_context"):  # PyTorch before 2.0

    def _forward_with_context(ctx, *inputs, _forward={{CLASS}}Function.forward):
        output = _forward(*inputs)
        {{CLASS}}Function.setup_context(ctx, inputs, output)
        return output

    {{CLASS}}Function.forward = staticmethod(_forward_with_context)


def _function(save_memory):
    if not save_memory:
        return {{NAME}}
    if _is_compiling():
        return _CompiledFunction.apply
    return {{NAME}} if torch.jit.is_tracing() else {{CLASS}}Function.apply

)py";

constexpr std::string_view kModule = R"py(
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
                f"{{CLASS}}: are the channels of an input of shape {tuple(x.shape)} along axis 1, as (N, C, L), or along the last, as "
                "(N, T, C)? Say {{CLASS}}(axis=1) or {{CLASS}}(axis=-1)"
            )
        return min(1, x.dim() - 1)
    if not -x.dim() <= axis < x.dim():
        raise ValueError(f"{{CLASS}}: an input of shape {tuple(x.shape)} has no axis {axis}")
    return axis % x.dim()


def _widths_differ(x, axis, widths):
    known = " or ".join(str(width) for width in widths)
    return (
        f"{{CLASS}}: betas are there for {known} channels, but axis {axis} of an input of shape {tuple(x.shape)} has {_size(x, axis)}. "
        "Which axis has the channels is said by {{CLASS}}(axis=...)"
    )


class {{CLASS}}(nn.Module):
    """y = {{FORMULA}}, with a learnable beta for each channel; betas start at 1.

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
        for k in range({{BETA_COUNT}}):
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
            for k in range({{BETA_COUNT}}):
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
            raise RuntimeError("{{CLASS}}: the number of channels is not known. Run the model once before it is traced, or say {{CLASS}}(channels)")
        betas = [[getattr(self, f"beta{k}{suffix}") for k in range({{BETA_COUNT}})] for suffix in self.suffixes.values()]
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
    ours = [m for m in model.modules() if isinstance(m, {{CLASS}})]
    if not all(m.suffixes for m in ours):
        raise RuntimeError("{{CLASS}}: the number of channels is not known. Run the model once before its optimiser is made, or say {{CLASS}}(channels)")
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
    """Puts {{CLASS}} in the place of every module of a kind, or of one of several, and gives the model back.

    axis      as of {{CLASS}}; None: it follows from the layer before each, where that is a convolution, a normalisation or linear
    example   an input of the model, or a tuple of its arguments: the model is run on it once, which finds the numbers of channels. Without it,
              run the model once before an optimiser is made
    Strictly loading weights that the network had before works: betas stay as they are. Calls like F.relu(x) are no modules and stay.
    """
    made = {}  # by the module that was there, which may have several places

    def replacement(old, before):
        if id(old) not in made:
            made[id(old)] = {{CLASS}}(axis=axis if axis is not None else before, several_widths=True).train(old.training)
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
        raise ValueError(f"{{CLASS}}: the model has no module of {kind}. Functions that it calls, like F.relu, cannot be replaced so")
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
)py";

constexpr std::string_view kModuleWithoutParameters = R"py(
@fx.wrap
def _activate(x, save_memory):
    """y; one step of a traced graph."""
    return _function(save_memory)(x)


class {{CLASS}}(nn.Module):
    """y = {{FORMULA}}. It has no parameters: what is said of channels, as to activations that have betas, is not used, nor is inplace.

    save_memory=False differentiates the plain function instead.
    """

    def __init__(self, channels=None, *, axis=None, several_widths=False, inplace=False, save_memory=True, device=None, dtype=None):
        super().__init__()
        self.save_memory = save_memory

    def forward(self, x):
        return _activate(x, self.save_memory)


def parameter_groups(model, weight_decay):
    """The parameters of a model for an optimiser, as the same function of an activation with betas gives them: none is one here."""
    return [{"params": list(model.parameters()), "weight_decay": weight_decay}, {"params": [], "weight_decay": 0.0}]


def replace(model, kind=nn.ReLU, axis=None, example=None):
    """Puts {{CLASS}} in the place of every module of a kind, or of one of several, and gives the model back. axis and example are not used.

    Calls like F.relu(x) are no modules and stay.
    """
    if isinstance(model, kind):
        return {{CLASS}}()
    found = False
    for parent in list(model.modules()):
        for name, child in list(parent._modules.items()):
            if isinstance(child, kind):
                setattr(parent, name, {{CLASS}}().train(child.training))
                found = True
    if not found:
        raise ValueError(f"{{CLASS}}: the model has no module of {kind}. Functions that it calls, like F.relu, cannot be replaced so")
    return model
)py";

/// The lines of the function that keep values for the backward pass and take them back.
struct Keeping {
  std::string note, keeps_output, save, restore, restore_in_jvp, y_again, slope_arguments;
};

std::string restored(const std::string& first, const std::vector<std::string>& betas) {
  std::string names = first;
  for (const std::string& beta : betas) names += (names.empty() ? "" : ", ") + beta;
  return names;
}

/// Betas that the backward pass reads; where it begins from y, those that y is computed with too, for half precision.
std::vector<std::string> kept_betas(const ExportedActivation& activation, Kept kept) {
  const bool from_output = kept == Kept::kOutput;
  const Reach slopes(activation.graph, activation.slopes(), from_output ? static_cast<std::int64_t>(activation.graph.y) : -1);
  const Reach value(activation.graph, {activation.graph.y});
  std::vector<std::string> names;
  for (std::size_t k = 0; k < activation.parameter_count(); ++k) {
    const int parameter = static_cast<int>(k);
    if (slopes.needs_parameter(parameter) || (from_output && value.needs_parameter(parameter))) names.push_back("beta" + std::to_string(k));
  }
  return names;
}

bool contains(const std::vector<std::string>& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

/// The parameters' names in order, those that are not kept as None.
std::string kept_or_none(const ExportedActivation& activation, std::string_view before, std::string_view after) {
  const std::vector<std::string> betas = kept_betas(activation, kept_by(activation));
  std::string text;
  for (const std::string& name : activation.parameter_names()) {
    text.append(before).append(contains(betas, name) ? name : "None").append(after);
  }
  return text;
}

Keeping keeping(const ExportedActivation& activation) {
  const Kept kept = kept_by(activation);
  const std::vector<std::string> betas = kept_betas(activation, kept);
  std::string arguments;  // of _value and _slopes after the first: a beta that is not kept is not read either
  for (const std::string& name : activation.parameter_names()) arguments += contains(betas, name) ? ", " + name + ".to(u.dtype)" : ", None";
  const std::string indent = "        ", and_betas = betas.empty() ? "" : " and betas";
  const auto targets = [](const std::string& names) { return names + (names.find(',') == std::string::npos ? "," : ""); };
  const auto taken = [&](const std::string& names) {
    return names.empty() ? std::string() : indent + targets(names) + " = ctx.saved_tensors\n";
  };
  const auto taken_in_jvp = [&](const std::string& names) {
    return names.empty() ? std::string() : indent + "    " + targets(names) + " = _without_tangents(ctx.saved_tensors)\n";
  };
  const auto saved = [&](const std::string& names) {
    if (names.empty()) return std::string();
    return indent + "ctx.save_for_backward(" + names + ")\n" + indent + "ctx.save_for_forward(" + names + ")\n";
  };
  switch (kept) {
    case Kept::kNothing: {
      const std::string names = restored("", betas);
      return {betas.empty() ? "nothing" : "betas alone",
              "False",
              saved(names),
              indent + "kept = dL_dy\n" + taken(names),
              taken_in_jvp(names),
              "",
              "None" + arguments};
    }
    case Kept::kInput: {
      const std::string names = restored("kept", betas);
      return {"x" + and_betas + ", and computes the rest again",
              "False",
              saved(restored("x", betas)),
              taken(names),
              taken_in_jvp(names),
              "",
              "u" + arguments};
    }
    case Kept::kOutput: {
      // An output that was rounded to half precision would spoil the slopes.
      const std::string names = restored("kept", betas);
      return {"y" + and_betas + ", in half precision x in place of y",
              "_precise(x) is x",
              saved(restored("output if ctx.keeps_output else x", betas)),
              taken(names),
              taken_in_jvp(names),
              "    y = u if is_output else _value(u" + arguments + ")\n",
              "y" + arguments};
    }
  }
  throw std::logic_error("pytorch: no such way to keep values");
}

}  // namespace

std::string to_pytorch(const ExportedActivation& activation) {
  auto words = python_words(activation, torch_language(), "torch.full_like(x, #)", "# + torch.zeros_like(x)");
  const bool has_betas = activation.parameter_count() > 0;
  const Keeping keep = keeping(activation);
  words.insert(words.end(),
               {{"MODULE_NOTE", has_betas ? "betas for each channel, starting at 1; both are found at the first use, or are to be said"
                                          : "it has no parameters"},
                {"IMPORT", has_betas ? "from torch.nn.parameter import UninitializedParameter\n" : ""},
                {"KEPT_NOTE", keep.note},
                {"KEEPS_OUTPUT", keep.keeps_output},
                {"SAVE", keep.save},
                {"UNPACKED", has_betas ? "x" + for_each_beta(activation, ", beta#", "") : "(x,)"},
                {"RESTORE", keep.restore},
                {"RESTORE_IN_JVP", keep.restore_in_jvp},
                {"Y_AGAIN", keep.y_again},
                {"SLOPE_ARGUMENTS", keep.slope_arguments},
                {"KEPT_BETAS", kept_or_none(activation, ", ", "")},
                {"KEPT_TUPLE", kept_or_none(activation, "", ",")},
                {"BETA_TUPLE", for_each_beta(activation, "beta#,", " ")},
                {"BETA_COUNT", std::to_string(activation.parameter_count())},
                {"CAST", "u" + for_each_beta(activation, ", beta#.to(u.dtype)", "")}});
  std::string text(kBegin);
  const std::string code = filled("{{CODE}}", words);
  if (code.find("_maximum(") != std::string::npos) text += kMaximum;
  if (code.find("_minimum(") != std::string::npos) text += kMinimum;
  return filled(text + std::string(kFunctions) + std::string(has_betas ? kModule : kModuleWithoutParameters), words);
}

}  // namespace actsearch
