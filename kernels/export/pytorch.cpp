#include "kernels/export/python_parts.h"

namespace actsearch {
namespace {

constexpr std::string_view kBegin = R"({{HEADER}}"""The activation {{FORMULA}} for PyTorch (1.13 or later).

{{CLASS}}(channels)
    The module: {{MODULE_NOTE}}.
{{CLASS}}Function.apply(x{{BETAS}})
    The function with its own derivative. For the backward pass it keeps {{KEPT_NOTE}}.
{{NAME}}(x{{BETAS}})
    The plain function, which autograd differentiates as often as asked for. It keeps every intermediate value, and at a kink autograd
    chooses the slope.

Betas broadcast against x. Half precision is computed in single precision and rounded once.
"""
import torch
from torch import nn
from torch.autograd.function import once_differentiable

__all__ = ["{{CLASS}}", "{{CLASS}}Function", "{{NAME}}"]

)";

// At a tie the slope goes to the second argument, as the formulas' own rules have it. What clamp does there differs from release to
// release.
constexpr std::string_view kMaximum = R"(
def _maximum(a, b):  # NaN where an argument is; the slope at a tie is b's
    if not torch.is_tensor(a):
        return b.masked_fill(b < a, a)
    return torch.where((a > b) | (a != a), a, b) if torch.is_tensor(b) else nn.functional.threshold(a, b, b)

)";
constexpr std::string_view kMinimum = R"(
def _minimum(a, b):  # NaN where an argument is; the slope at a tie is b's
    if not torch.is_tensor(a):
        return b.masked_fill(b > a, a)
    return torch.where((a < b) | (a != a), a, b) if torch.is_tensor(b) else -nn.functional.threshold(-a, -b, -b)

)";

constexpr std::string_view kFunctions = R"(
def _precise(x):
    return x.float() if x.dtype in (torch.float16, torch.bfloat16) else x


{{CODE}}

def {{NAME}}(x{{BETAS}}):
    u = _precise(x)
    return _value({{CAST}}).to(x.dtype)


class {{CLASS}}Function(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x{{BETAS}}):
        u = _precise(x)
        y = _value({{CAST}}).to(x.dtype)
        ctx.inputs = [(t.shape, t.dtype) for t in ({{INPUTS}})]
{{SAVE}}        return y

    @staticmethod
    @once_differentiable
    def backward(ctx, dL_dy):
{{RESTORE}}        {{SLOPES}} = _slopes({{SLOPE_ARGUMENTS}})
        dL_dy = _precise(dL_dy)
        return tuple(
            (dL_dy * slope).sum_to_size(shape).to(dtype) if needed else None
            for slope, (shape, dtype), needed in zip({{SLOPES}}, ctx.inputs, ctx.needs_input_grad)
        )

)";

constexpr std::string_view kModule = R"(
class {{CLASS}}(nn.Module):
    """y = {{FORMULA}}, with a learnable beta for each channel of dimension 1; betas start at 1.

    save_memory=False differentiates the plain function instead, which second derivatives and torch.jit.trace need.
    """

    def __init__(self, channels, save_memory=True, device=None, dtype=None):
        super().__init__()
        self.channels = channels
        self.save_memory = save_memory
{{PARAMETERS}}
    def forward(self, x):
        shape = (-1,) + (1,) * (x.dim() - 2)
        function = {{CLASS}}Function.apply if self.save_memory else {{NAME}}
        return function(x, {{VIEWS}})

    def extra_repr(self):
        return f"{self.channels}, save_memory={self.save_memory}"


def parameter_groups(model, weight_decay):
    """The parameters of a model for an optimiser: betas without weight decay, which would draw them to 0, all others with it.

    The search that found the formula trained betas so.
    """
    betas = {id(p) for m in model.modules() if isinstance(m, {{CLASS}}) for p in m.parameters()}
    return [
        {"params": [p for p in model.parameters() if id(p) not in betas], "weight_decay": weight_decay},
        {"params": [p for p in model.parameters() if id(p) in betas], "weight_decay": 0.0},
    ]
)";

constexpr std::string_view kModuleWithoutParameters = R"(
class {{CLASS}}(nn.Module):
    """y = {{FORMULA}}. It has no parameters: channels may be given, as to activations that have, and is not used.

    save_memory=False differentiates the plain function instead, which second derivatives and torch.jit.trace need.
    """

    def __init__(self, channels=None, save_memory=True):
        super().__init__()
        self.save_memory = save_memory

    def forward(self, x):
        return {{CLASS}}Function.apply(x) if self.save_memory else {{NAME}}(x)
)";

/// The lines of the function that keep values for the backward pass and take them back.
struct Keeping {
  std::string note, save, restore, slope_arguments;
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

Keeping keeping(const ExportedActivation& activation) {
  const Kept kept = kept_by(activation);
  const std::vector<std::string> betas = kept_betas(activation, kept);
  std::string arguments;  // of _value and _slopes after the first: a beta that is not kept is not read either
  for (const std::string& name : activation.parameter_names()) {
    bool is_kept = false;
    for (const std::string& beta : betas) is_kept = is_kept || beta == name;
    arguments += is_kept ? ", " + name + ".to(u.dtype)" : ", None";
  }
  const std::string indent = "        ", and_betas = betas.empty() ? "" : " and betas";
  const auto taken = [&](const std::string& names) {
    return names.empty() ? std::string() : indent + names + (names.find(',') == std::string::npos ? "," : "") + " = ctx.saved_tensors\n";
  };
  const auto saved = [&](const std::string& names) {
    return names.empty() ? std::string() : indent + "ctx.save_for_backward(" + names + ")\n";
  };
  switch (kept) {
    case Kept::kNothing: {
      const std::string names = restored("", betas);
      return {betas.empty() ? "nothing" : "betas alone", saved(names), taken(names) + indent + "u = _precise(dL_dy)\n", "None" + arguments};
    }
    case Kept::kInput: {
      const std::string names = restored("x", betas);
      return {"x" + and_betas + ", and computes the rest again", saved(names), taken(names) + indent + "u = _precise(x)\n",
              "u" + arguments};
    }
    case Kept::kOutput:
      // An output that was rounded to half precision would spoil the slopes.
      return {"y" + and_betas + ", in half precision x in place of y",
              indent + "ctx.keeps_output = u.dtype == x.dtype\n" + saved(restored("y if ctx.keeps_output else x", betas)),
              taken(restored("kept", betas)) + indent + "u = _precise(kept)\n" + indent + "y = u if ctx.keeps_output else _value(u" +
                  arguments + ")\n",
              "y" + arguments};
  }
  throw std::logic_error("pytorch: no such way to keep values");
}

}  // namespace

std::string to_pytorch(const ExportedActivation& activation) {
  auto words = python_words(activation, torch_language(), "torch.full_like(x, #)", "# + torch.zeros_like(x)");
  const bool has_betas = activation.parameter_count() > 0;
  const Keeping keep = keeping(activation);
  words.insert(words.end(),
               {{"MODULE_NOTE", has_betas ? "betas for each channel of dimension 1, starting at 1" : "it has no parameters"},
                {"KEPT_NOTE", keep.note},
                {"SAVE", keep.save},
                {"INPUTS", has_betas ? "x" + for_each_beta(activation, ", beta#", "") : "x,"},
                {"RESTORE", keep.restore},
                {"SLOPE_ARGUMENTS", keep.slope_arguments},
                {"CAST", "u" + for_each_beta(activation, ", beta#.to(u.dtype)", "")},
                {"VIEWS", for_each_beta(activation, "self.beta#.view(shape)", ", ")},
                {"PARAMETERS",
                 for_each_beta(activation, "        self.beta# = nn.Parameter(torch.ones(channels, device=device, dtype=dtype))\n", "")}});
  std::string text(kBegin);
  const std::string code = filled("{{CODE}}", words);
  if (code.find("_maximum(") != std::string::npos) text += kMaximum;
  if (code.find("_minimum(") != std::string::npos) text += kMinimum;
  return filled(text + std::string(kFunctions) + std::string(has_betas ? kModule : kModuleWithoutParameters), words);
}

}  // namespace actsearch
