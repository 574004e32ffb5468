// missed – the decoupled decay of a step that makes up for those that came before it.
//
//   1 − lr·w' = (1 − lr·w)^(missed + 1)
//
// so that a row which missed some steps decays in its next one as if it had taken part in all, at today's lr.
#pragma once

#include "../base/power.h"

namespace mdbopt {

// w, the decay of one step, where nothing was missed or nothing decays.
inline double decay_made_up(double w, double lr, double missed) {
  const bool nothing = missed == 0.0 || w == 0.0 || lr == 0.0;
  return nothing ? w : (1.0 - power(1.0 - lr * w, missed + 1.0)) / lr;
}

}  // namespace mdbopt
