// metric – the diagonal H₀ = scale·D that a direction starts from: D is 1, √b or b, whichever fits
// the latest pair.
//
// The fit (y·Dy)(s·D⁻¹s)/(s·y)² is 1 when Dy ∝ s. The box must win clearly to be used: it is an
// upper bound on step sizes, and one that is still loose scales worse than none. The scale is the
// geometric mean of the two Barzilai–Borwein step lengths in D, √(s·D⁻¹s / y·Dy).
#pragma once

#include <array>
#include <cmath>
#include <cstdint>

#include "fields.h"

namespace mdbopt::search {

// What the learn walk says of a pair; the order of kLearnSums.
struct Fit {
  std::array<double, 3> yDy;  // y·Dy for D = 1, √b, b
  std::array<double, 3> sDs;  // s·D⁻¹s
  double deepest;  // the largest factor by which a step size was cut, at least 1 where any was
};

class DiagonalMetric {
 public:
  // False, and unchanged, when no D gives a usable scale.
  // The curvature and s·D⁻¹s are those of the pair as stored, s times s_scale.
  bool fit(const Fit& fit, double curvature, double s_scale) {
    std::array<double, 3> measure;
    for (std::size_t k = 0; k < 3; ++k) {
      const double value = fit.yDy[k] * fit.sDs[k] / curvature / curvature;
      measure[k] = std::isfinite(value) ? value : HUGE_VAL;
    }
    std::size_t best = 0;
    if (kMargin * measure[1] < measure[0]) best = 1;
    if (kMargin * measure[2] < measure[0] && measure[2] < measure[1]) best = 2;
    const double scale = std::sqrt(fit.sDs[best] / fit.yDy[best]) / s_scale;
    if (!std::isfinite(scale) || !(scale > 0.0)) return false;
    kind_ = static_cast<std::int64_t>(best);
    scale_ = scale;
    return true;
  }

  // The box is stored `factor` times as large as when the scale was fitted.
  void box_rescaled(double factor) {
    if (kind_ == 1) scale_ /= std::sqrt(factor);
    if (kind_ == 2) scale_ /= factor;
  }

  std::size_t kind() const { return static_cast<std::size_t>(kind_); }
  void set_scale(double scale) { scale_ = scale; }
  // H₀ = one + root·√b + box·b, as the rules take it.
  double one() const { return kind_ == 0 ? scale_ : 0.0; }
  double root() const { return kind_ == 1 ? scale_ : 0.0; }
  double box() const { return kind_ == 2 ? scale_ : 0.0; }

  void fields(Fields& fields) {
    fields.count("metric_kind", kind_);
    fields.number("metric_scale", scale_);
  }

 private:
  static constexpr double kMargin = 8.0;
  std::int64_t kind_ = 0;
  double scale_ = 1.0;
};

}  // namespace mdbopt::search
