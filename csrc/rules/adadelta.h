// adadelta – steps as long as those of late, where gradients are as large as those of late.
//
//   v ← ρ v + (1 − ρ) g²,   d = √(squared_steps + eps)/√(v + eps) g
//   squared_steps ← ρ squared_steps + (1 − ρ) d²
//
// Source: Zeiler 2012, algorithm 1.
#pragma once

#include "update.h"

namespace mdbopt::MDBOPT_ISA {

struct Adadelta : Update {
  static constexpr const char* kName = "adadelta";
  static constexpr const char* kSummary =
      "v ← ρv + (1 − ρ)g², d = √(squared_steps + eps)/√(v + eps)·g, squared_steps ← "
      "ρ·squared_steps + (1 − ρ)d², x ← x − lr·d";
  static constexpr Stream kStreams[] = {{"x", Role::kInOut},
                                        {"g", Role::kIn},
                                        {"v", Role::kInOut, Storage::kState},
                                        {"squared_steps", Role::kInOut, Storage::kState}};
  enum { kV = 2, kSquaredSteps };
  struct Coef : Update::Coef {
    double rho, eps;
  };
  static constexpr ScalarOf<Coef> kScalars[] = {{"rho", &Coef::rho, 0.9},
                                                {"eps", &Coef::eps, 1e-6}};
  template <class V>
  MDBOPT_INLINE static void apply(V& v, const Coef& c, double*) {
    using Real = typename V::Real;
    const Real g = c.gradient(v);
    v[kV] = average(c.rho, v[kV], g * g);
    const Real d = sqrt(v[kSquaredSteps] + Real(c.eps)) / sqrt(v[kV] + Real(c.eps)) * g;
    v[kSquaredSteps] = average(c.rho, v[kSquaredSteps], d * d);
    c.move(v, d);
  }
};

}  // namespace mdbopt::MDBOPT_ISA
