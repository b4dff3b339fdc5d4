/// The step of the optimiser on the CPU.
#pragma once

#include "evaluator/network/parameters.h"

namespace actsearch {

/// Stochastic gradient descent with momentum: v = momentum·v + (gradient + decay·w); w -= rate·v. Which parameters decay: see decays.
void descend(Parameters& parameters, double rate, double momentum, double weight_decay, bool decay_all, int threads);

}  // namespace actsearch
