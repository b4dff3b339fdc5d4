#include "kernels/export/python_parts.h"

namespace actsearch {
namespace {

constexpr std::string_view kFile = R"({{HEADER}}"""The activation {{FORMULA}} for JAX.

{{NAME}}(x{{BETAS}})
    A pure function with its own derivative (jax.custom_vjp: for grad, vjp, jit, vmap and checkpoint). For the backward pass it keeps
    {{KEPT_NOTE}}.
{{NAME}}_plain(x{{BETAS}})
    The same function with the same derivative for forward mode too (jax.custom_jvp: for jvp, linearize, jacfwd and hessian as well). Its
    backward pass keeps the slopes, an array of the size of x for each argument.
{{CLASS}}()
    A Flax module (linen), where flax is installed: {{MODULE_NOTE}}.

Betas are arrays or numbers and broadcast against x. Half precision is computed in single precision and rounded once.
"""
import jax
import jax.numpy as jnp

try:
    from flax import linen
except ImportError:  # the function needs JAX alone
    linen = None


def _precise(x):
    return x.astype(jnp.float32) if x.dtype in (jnp.float16, jnp.bfloat16) else x


def _summed(g, beta):
    """The sum of g over the axes along which beta was broadcast."""
    lead = g.ndim - jnp.ndim(beta)
    axes = tuple(i for i in range(g.ndim) if i < lead or jnp.shape(beta)[i - lead] == 1)
    return g.sum(axis=axes).reshape(jnp.shape(beta)).astype(jnp.result_type(beta))


{{CODE}}

@jax.custom_vjp
def {{NAME}}(x{{BETAS}}):
    x = jnp.asarray(x)
    u = _precise(x)
    return _value({{CAST}}).astype(x.dtype)


def _forward(x{{BETAS}}):
    y = {{NAME}}(x{{BETAS}})
    return y, ({{KEPT}}, ({{BETA_ARRAYS}}))


def _backward(kept, dL_dy):
    {{RESTORE}}
    dydx, *dydbeta = _slopes({{SLOPE_ARGUMENTS}})
    g = _precise(dL_dy)
    return ((g * dydx).astype(dL_dy.dtype), *(_summed(g * slope, beta) for slope, beta in zip(dydbeta, betas)))


{{NAME}}.defvjp(_forward, _backward)


@jax.custom_jvp
def {{NAME}}_plain(x{{BETAS}}):
    return {{NAME}}(x{{BETAS}})


@{{NAME}}_plain.defjvp
def _tangent(primals, tangents):
    x, *betas = primals
    x = jnp.asarray(x)
    y = {{NAME}}_plain(x, *betas)
    u = _precise(x)
    slopes = _slopes({{PLAIN_SLOPE_ARGUMENTS}})
    terms = [_precise(jnp.asarray(t)) * slope for t, slope in zip(tangents, slopes)]
    return y, jnp.broadcast_to(sum(terms[1:], terms[0]), y.shape).astype(y.dtype)

if linen is not None:

    class {{CLASS}}(linen.Module):
        """y = {{FORMULA}}{{MODULE_DOC}}"""

        @linen.compact
        def __call__(self, x):
{{PARAMETERS}}            return {{NAME}}(x{{BETAS}})
)";

constexpr std::string_view kDecayMask = R"(

def decay_mask(params):
    """Which parameters of a tree weight decay is for: all but the betas, which it would draw to 0. The search that found the formula trained
    betas so. For optax: optax.adamw(rate, weight_decay=0.01, mask=decay_mask).
    """
    names = ({{NAMES}},)
    return jax.tree_util.tree_map_with_path(lambda path, _: getattr(path[-1], "key", None) not in names, params)
)";

struct Keeping {
  std::string note, kept, restore, first;
};

Keeping keeping(const ExportedActivation& activation) {
  switch (kept_by(activation)) {
    case Kept::kNothing:
      return {"no array of the size of x", "None", "_, betas = kept\n    u = _precise(dL_dy)", "None"};
    case Kept::kInput:
      return {"x and betas, and computes the rest again", "jnp.asarray(x)", "x, betas = kept\n    u = _precise(x)", "u"};
    case Kept::kOutput:
      // An output that was rounded to half precision would spoil the slopes.
      return {"y and betas, in half precision x in place of y", "y if _precise(y) is y else jnp.asarray(x)",
              "u, betas = kept\n    y = u if _precise(u) is u else _value({{VALUE_ARGUMENTS}})\n    u = y", "y"};
  }
  throw std::logic_error("jax: no such way to keep values");
}

}  // namespace

std::string to_jax(const ExportedActivation& activation) {
  auto words = python_words(activation, jax_language(), "jnp.full_like(x, #)", "# + jnp.zeros_like(x)");
  const bool has_betas = activation.parameter_count() > 0;
  const Keeping keep = keeping(activation);
  std::string betas_of_u, arrays;
  for (std::size_t k = 0; k < activation.parameter_count(); ++k) betas_of_u += ", jnp.asarray(betas[" + std::to_string(k) + "], u.dtype)";
  arrays = for_each_beta(activation, "jnp.asarray(beta#),", " ");
  words.insert(
      words.end(),
      {{"KEPT_NOTE", keep.note},
       {"KEPT", keep.kept},
       {"BETA_ARRAYS", arrays},
       {"RESTORE",
        filled(keep.restore, {{"VALUE_ARGUMENTS", "_precise(u)" + for_each_beta(activation, ", jnp.asarray(betas[#], jnp.float32)", "")}})},
       {"SLOPE_ARGUMENTS", keep.first + betas_of_u},
       {"PLAIN_SLOPE_ARGUMENTS", (kept_by(activation) == Kept::kOutput ? "_value(u" + betas_of_u + ")" : "u") + betas_of_u},
       {"CAST", "u" + for_each_beta(activation, ", jnp.asarray(beta#, u.dtype)", "")},
       {"MODULE_NOTE", has_betas ? "betas for each channel of the last axis, starting at 1" : "it has no parameters"},
       {"MODULE_DOC", has_betas ? ", with a learnable beta for each channel of the last axis; betas start at 1." : "."},
       {"NAMES", for_each_beta(activation, "\"beta#\"", ", ")},
       {"PARAMETERS",
        for_each_beta(activation, "            beta# = self.param(\"beta#\", linen.initializers.ones, (x.shape[-1],))\n", "")}});
  return filled(std::string(kFile) + std::string(has_betas ? kDecayMask : ""), words);
}

}  // namespace actsearch
