// normaliser – the constant ν of a cut ⟨u, q⟩ ≤ ν, safe from cancellation.
//
//   hypergradient  ν = D(x, x⁺) = f − f⁺ − ⟨g⁺, x − x⁺⟩
//   co-coercive    ν = 2 min(D(x, x⁺), D(x⁺, x)) ≤ ⟨s, y⟩, with D(x⁺, x) = ⟨s, y⟩ − D(x, x⁺)
//
// Both are ≥ 0 for convex f. Where the differences drown in the rounding of f, ⟨s, y⟩ (half of it
// for D) takes over: it needs no function values. Returns 0 when the pair gives no cut: f is not
// convex along it, or all is noise.
#pragma once

#include <mdbopt/dtype.h>

#include "scalar.h"

namespace mdbopt::search {

struct Precision {
  double noise;     // |Δf| ≤ noise·|f| is rounding, not information
  double roundoff;  // relative error of a sum of terms of the size of f
  double epsilon;   // of x
};

// float32 objectives accumulate their rounding over the data: about a hundred units in the last
// place are seen.
constexpr Precision precision(Dtype dtype) {
  return dtype == Dtype::kFloat64 ? Precision{1e-9, 1e-14, epsilon_of(dtype)}
                                  : Precision{1e-5, 1e-5, epsilon_of(dtype)};
}

// slope = ⟨g⁺, x − x⁺⟩, curvature = ⟨s, y⟩.
MDBOPT_INLINE double normaliser(double f, double f_trial, double slope, double curvature,
                                bool cocoercive, const Precision& limits) {
  if (!(curvature > 0.0) || !is_finite(curvature)) return 0.0;
  const double divergence = f - f_trial - slope;
  const double error = limits.roundoff * (absolute(f) + absolute(f_trial) + absolute(slope));
  const double least = smaller(divergence, curvature - divergence);
  if (!(least >= -error)) return 0.0;
  const bool noisy = absolute(f - f_trial) <= limits.noise * absolute(f);
  if (cocoercive)
    return noisy || least <= error ? curvature : smaller(curvature, 2.0 * (least + error));
  return noisy || divergence <= error ? 0.5 * curvature : divergence;
}

}  // namespace mdbopt::search
