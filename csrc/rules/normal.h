// normal – the normal u of a half-space {q : ⟨u, q⟩ ≤ ν} that keeps every valid step-size vector.
//
//   hypergradient  u = max(0, ½ g² − g g⁺)  (Kunstner et al. 2023, eq. 9, the positive part of
//                                            their "strong" hyperplane)
//   co-coercive    u = (g − g⁺)²            (½ Σ q (g − g⁺)² ≤ min(D(x, x⁺), D(x⁺, x)) in the
//                                            metric of q, over twice that)
//
// (g − g⁺)² ≥ max(0, g² − 2 g g⁺), so on a rejected candidate the second is deeper everywhere.
#pragma once

#include "../engine/rule.h"

namespace mdbopt::MDBOPT_ISA {

MDBOPT_INLINE double normal(double g, double g_trial, double cocoercive) {
  const double y = g - g_trial;
  const double hypergradient = max(0.5 * g * g - g * g_trial, 0.0);
  return cocoercive != 0.0 ? y * y : hypergradient;
}

}  // namespace mdbopt::MDBOPT_ISA
