// normaliser – the constant ν of a cut ⟨u, q⟩ ≤ ν, safe from cancellation.
//
//   hypergradient  ν = D(x, x⁺) = f − f⁺ − ⟨g⁺, x − x⁺⟩
//   co-coercive    ν = 2 min(D(x, x⁺), D(x⁺, x)) ≤ ⟨s, y⟩, with D(x⁺, x) = ⟨s, y⟩ − D(x, x⁺)
//
// Both are ≥ 0 for convex f. Where the differences drown in the rounding of f, ⟨s, y⟩ (half of it
// for D) takes over: it needs no function values. Returns 0 when the pair gives no cut: f is not
// convex along it, or all is noise.
#pragma once

#include <algorithm>
#include <cmath>

#include "../dtype.h"

namespace mdbopt::search {

struct Precision {
  double noise;     // |Δf| ≤ noise·|f| is rounding, not information
  double roundoff;  // relative error of a sum of terms of the size of f
};

// float32 objectives accumulate their rounding over the data: about a hundred units in the last
// place are seen.
constexpr Precision precision(Dtype dtype) {
  return dtype == Dtype::kFloat64 ? Precision{1e-9, 1e-14} : Precision{1e-5, 1e-5};
}

// slope = ⟨g⁺, x − x⁺⟩, curvature = ⟨s, y⟩.
inline double normaliser(double f, double f_trial, double slope, double curvature, bool cocoercive,
                         const Precision& limits) {
  if (!(curvature > 0.0) || !std::isfinite(curvature)) return 0.0;
  const double divergence = f - f_trial - slope;
  const double error = limits.roundoff * (std::abs(f) + std::abs(f_trial) + std::abs(slope));
  const double smaller = std::min(divergence, curvature - divergence);
  if (!(smaller >= -error)) return 0.0;
  const bool noisy = std::abs(f - f_trial) <= limits.noise * std::abs(f);
  if (cocoercive)
    return noisy || smaller <= error ? curvature : std::min(curvature, 2.0 * (smaller + error));
  return noisy || divergence <= error ? 0.5 * curvature : divergence;
}

}  // namespace mdbopt::search
