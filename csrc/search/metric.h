// metric – the diagonal H₀ = scale·D that a direction starts from: D is 1, √b or b, whichever fits
// the latest pair.
//
// The fit (y·Dy)(s·D⁻¹s)/(s·y)² is 1 when Dy ∝ s. The box must win clearly to be used: it is an
// upper bound on step sizes, and one that is still loose scales worse than none. The scale is the
// geometric mean of the two Barzilai–Borwein step lengths in D, √(s·D⁻¹s / y·Dy). The same on host
// and device.
#pragma once

#include <cstdint>

#include "scalar.h"

namespace mdbopt::search {

// What the learn walk says of a pair.
struct Fit {
  double yDy[3];   // y·Dy for D = 1, √b, b
  double sDs[3];   // s·D⁻¹s
  double deepest;  // the largest factor by which a step size was cut, at least 1 where any was
};

// From the sums of that walk, in the order of kLearnSums.
MDBOPT_INLINE Fit fit_of(const double* sums) {
  return {{sums[0], sums[1], sums[2]}, {sums[3], sums[4], sums[5]}, sums[6]};
}

struct DiagonalMetric {
  std::int64_t kind = 0;
  double scale = 1.0;

  // False, and unchanged, when no D gives a usable scale.
  // The curvature and s·D⁻¹s are those of the pair as stored, s times s_scale.
  MDBOPT_INLINE bool fit(const Fit& fit, double curvature, double s_scale) {
    constexpr double kMargin = 3.0;
    double measure[3];
    for (int k = 0; k < 3; ++k) {
      const double value = fit.yDy[k] * fit.sDs[k] / curvature / curvature;
      measure[k] = is_finite(value) ? value : __builtin_huge_val();
    }
    int best = 0;
    if (kMargin * measure[1] < measure[0]) best = 1;
    if (kMargin * measure[2] < measure[0] && measure[2] < measure[1]) best = 2;
    const double fitted = search::root(fit.sDs[best] / fit.yDy[best]) / s_scale;
    if (!is_finite(fitted) || !(fitted > 0.0)) return false;
    kind = best;
    scale = fitted;
    return true;
  }

  // The box is stored `factor` times as large as when the scale was fitted.
  MDBOPT_INLINE void box_rescaled(double factor) {
    if (kind == 1) scale /= search::root(factor);
    if (kind == 2) scale /= factor;
  }

  // H₀ = one + root·√b + box·b, as the rules take it.
  MDBOPT_INLINE double one() const { return kind == 0 ? scale : 0.0; }
  MDBOPT_INLINE double root() const { return kind == 1 ? scale : 0.0; }
  MDBOPT_INLINE double box() const { return kind == 2 ? scale : 0.0; }
};

}  // namespace mdbopt::search
