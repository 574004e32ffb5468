// normaliser – the constant ν of a cut ⟨u, q⟩ ≤ ν, safe from cancellation.
//
//   hypergradient  ν = D(x, x⁺) = f − f⁺ − ⟨g⁺, x − x⁺⟩
//   co-coercive    ν = 2 min(D(x, x⁺), D(x⁺, x)) ≤ ⟨s, y⟩, with D(x⁺, x) = ⟨s, y⟩ − D(x, x⁺)
//
// Both are ≥ 0 for convex f. Where the differences drown in the rounding of f, ⟨s, y⟩ (half of it
// for D) takes over: it needs no function values. Returns 0 when the pair gives no cut: f is not
// convex along it, or all is noise. Where f and g have errors, ν is as much larger as makes the
// half-space certain.
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

// What f(x⁺) − f(x), and slopes such as ⟨g, s⟩, may be off by.
struct PairErrors {
  double difference = 0.0, slope = 0.0;
};

// ⟨s, y⟩ at most.
MDBOPT_INLINE double largest_curvature(double curvature, const PairErrors& errors) {
  return curvature + 2.0 * errors.slope;
}

// slope = ⟨g⁺, x − x⁺⟩, curvature = ⟨s, y⟩.
MDBOPT_INLINE double normaliser(double f, double f_trial, double slope, double curvature,
                                bool cocoercive, const Precision& limits,
                                const PairErrors& errors = {}) {
  if (!(curvature > 0.0) || !is_finite(curvature)) return 0.0;
  const double divergence = f - f_trial - slope;
  const double error = limits.roundoff * (absolute(f) + absolute(f_trial) + absolute(slope)) +
                       (errors.difference + errors.slope);
  const double least = smaller(divergence, curvature - divergence);
  if (!(least >= -error)) return 0.0;
  const bool noisy = absolute(f - f_trial) <= limits.noise * absolute(f);
  if (cocoercive) {
    const double most = largest_curvature(curvature, errors);
    return noisy || least <= error ? most : smaller(most, 2.0 * (least + error));
  }
  return noisy || divergence <= error ? 0.5 * curvature : divergence;
}

}  // namespace mdbopt::search
