// magnitude_aware – Adam without eps, by averages of squares that tiny gradients do not leave.
//
//   m as adam,   v ← β₂ v + (1 − β₂) (root_scale g)²
//   d = root_scale m̂/√v̂, 0 where v = 0
//
// root_scale is a power of two, which rounds nothing. Source: MAdam of NVIDIA's Emerging-Optimizers,
// which is 0 where m = 0 and infinite where v = 0 alone.
#pragma once

#include "adam.h"

namespace mdbopt::MDBOPT_ISA {

struct MagnitudeAwareAdam : Adam {
  static constexpr const char* kName = "madam";
  static constexpr const char* kSummary =
      "m as adam, v ← β₂v + (1 − β₂)(root_scale·g)², x ← (1 − lr·weight_decay)x − "
      "lr·root_scale·m̂/√v̂, no step where v = 0";
  struct Coef : Adam::Coef {
    double root_scale;
  };
  static constexpr ScalarOf<Coef> kScalars[] = {{"t", &Coef::t},
                                                {"beta1", &Coef::beta1, 0.9},
                                                {"beta2", &Coef::beta2, 0.999},
                                                {"bias_correction", &Coef::bias_correction, 1.0},
                                                {"root_scale", &Coef::root_scale, 4294967296.0}};
  template <class V>
  MDBOPT_INLINE static void apply(V& v, const Coef& c, double*) {
    using Real = typename V::Real;
    const Real g = c.gradient(v);
    const Real scaled = Real(c.root_scale) * g;
    v[kM] = average(c.beta1, v[kM], g);
    v[kV] = average(c.beta2, v[kV], scaled * scaled);
    const Real divisor = sqrt(Real(c.corrections.v) * v[kV]);
    const Real d = Real(c.root_scale) * (Real(c.corrections.m) * v[kM]) / divisor;
    c.move(v, select(v[kV] == Real(0), Real(0), d));
  }
};

}  // namespace mdbopt::MDBOPT_ISA
