#include "kernels/export/python_parts.h"

namespace actsearch {
namespace {

constexpr std::string_view kFile = R"({{HEADER}}"""The activation {{FORMULA}} for Keras 3, on any of its backends.

{{CLASS}}()
    The layer: {{MODULE_NOTE}}.
{{NAME}}(x{{BETAS}})
    The function with its own derivative, which Dense(activation={{NAME}}) and the like take, save and load: import this file before loading.
    {{FUNCTION_NOTE}}

Half precision is computed in single precision and rounded once.
"""
import keras
from keras import ops


def _summed(g, beta):
    """The sum of g over the axes along which beta was broadcast."""
    lead = len(g.shape) - len(beta.shape)
    axes = tuple(i for i in range(len(g.shape)) if i < lead or beta.shape[i - lead] == 1)
    return ops.reshape(ops.sum(g, axis=axes), beta.shape)


{{CODE}}

@ops.custom_gradient
def _differentiable(x{{BETAS}}):
    def gradient(*arguments, upstream=None):
        if upstream is None:
            (upstream,) = arguments
        dydx, *dydbeta = _slopes({{SLOPE_ARGUMENTS}})
        summed = [_summed(upstream * slope, beta) for slope, beta in zip(dydbeta, ({{BETA_TUPLE}}))]
        return (upstream * dydx, *summed) if summed else upstream * dydx

    y = _value(x{{BETAS}})
    return y, gradient


@keras.saving.register_keras_serializable(package="actsearch")
def {{NAME}}(x{{BETA_DEFAULTS}}):
    x = ops.convert_to_tensor(x)
    u = ops.cast(x, "float32") if keras.backend.standardize_dtype(x.dtype) in ("float16", "bfloat16") else x
    return ops.cast(_differentiable(u{{CAST_BETAS}}), x.dtype)


@keras.saving.register_keras_serializable(package="actsearch")
class {{CLASS}}(keras.layers.Layer):
    """y = {{FORMULA}}{{MODULE_DOC}}"""

{{BUILD}}    def call(self, x):
{{CALL}}
    def compute_output_shape(self, input_shape):
        return input_shape
)";

constexpr std::string_view kBuild = R"(    def __init__(self, axis=-1, **kwargs):
        super().__init__(**kwargs)
        self.axis = axis

    def build(self, input_shape):
        shape = [1] * len(input_shape)
        shape[self.axis] = input_shape[self.axis]
        self.shape = tuple(shape)
{{WEIGHTS}}
    def get_config(self):
        return {**super().get_config(), "axis": self.axis}

)";

constexpr std::string_view kCallWithWeights =
    R"(        return {{NAME}}(x, *(ops.reshape(beta, self.shape) for beta in ({{SELF_BETAS}},)))
)";
constexpr std::string_view kCall = R"(        return {{NAME}}(x)
)";

}  // namespace

std::string to_keras(const ExportedActivation& activation) {
  auto words = python_words(activation, keras_language(), "ops.full_like(x, #)", "# + ops.zeros_like(x)");
  const bool has_betas = activation.parameter_count() > 0;
  const std::string weights = for_each_beta(
      activation,
      "        self.beta# = self.add_weight(name=\"beta#\", shape=(input_shape[self.axis],), initializer=\"ones\", autocast=False)\n", "");
  words.insert(
      words.end(),
      {{"SLOPE_ARGUMENTS", (kept_by(activation) == Kept::kOutput ? "y" : "x") + for_each_beta(activation, ", beta#", "")},
       {"BETA_DEFAULTS", for_each_beta(activation, ", beta#=1.0", "")},
       {"CAST_BETAS", for_each_beta(activation, ", ops.cast(beta#, u.dtype)", "")},
       {"FUNCTION_NOTE",
        has_betas
            ? "Betas are numbers or tensors that broadcast against x; without them each is 1, where training starts, and is not trained."
            : "It has no weights."},
       {"BETA_TUPLE", for_each_beta(activation, "beta#,", " ")},
       {"MODULE_NOTE", has_betas ? "betas for each channel of the axis (the last, if not said), starting at 1" : "it has no weights"},
       {"MODULE_DOC", has_betas ? R"(, with a learnable beta for each channel of `axis`; betas start at 1.

    Train betas without weight decay, which would draw them to 0; the search that found the formula did so:
    optimizer.exclude_from_weight_decay(var_names=["beta"]).
    )"
                                : "."},
       {"BUILD", has_betas ? filled(kBuild, {{"WEIGHTS", weights}}) : ""},
       {"SELF_BETAS", for_each_beta(activation, "self.beta#", ", ")}});
  words.emplace_back("CALL", filled(has_betas ? kCallWithWeights : kCall, words));
  return filled(kFile, words);
}

}  // namespace actsearch
