// rprop – a step size per coordinate that grows while the gradient keeps its sign and shrinks when it
// turns.
//
//   η ← clip(η · grow, least, most) where g·g_prev > 0, η · shrink where < 0, and there g ← 0
//   x ← x − lr·η·sign(g),  g_prev ← g
//
// η is relative to lr. Source: Riedmiller, Braun 1993, in the form without backtracking of the last
// step (Igel, Hüsken 2003, "iRprop−").
#pragma once

#include "update.h"

namespace mdbopt::MDBOPT_ISA {

struct Rprop : Update {
  static constexpr const char* kName = "rprop";
  static constexpr const char* kSummary =
      "eta ← clip(eta·grow or eta·shrink by the sign of g·g_prev, least, most), x ← x − "
      "lr·eta·sign(g), g = 0 where the sign changed";
  static constexpr Stream kStreams[] = {{"x", Role::kInOut},
                                        {"g", Role::kIn},
                                        {"g_prev", Role::kInOut, Storage::kState},
                                        {"eta", Role::kInOut, Storage::kState}};
  enum { kGPrev = 2, kEta };
  struct Coef : Update::Coef {
    double shrink, grow, least, most;
  };
  static constexpr ScalarOf<Coef> kScalars[] = {{"shrink", &Coef::shrink, 0.5},
                                                {"grow", &Coef::grow, 1.2},
                                                {"least", &Coef::least, 1e-6},
                                                {"most", &Coef::most, 50.0}};
  template <class V>
  MDBOPT_INLINE static void apply(V& v, const Coef& c, double*) {
    using Real = typename V::Real;
    const Real g = c.gradient(v);
    const Real agreement = sign(g) * v[kGPrev];  // g·g_prev may underflow
    const Real grown = select(agreement > 0, Real(c.grow), Real(1));
    const Real factor = select(agreement < 0, Real(c.shrink), grown);
    v[kEta] = min(max(v[kEta] * factor, Real(c.least)), Real(c.most));
    v[kGPrev] = select(agreement < 0, Real(0), g);
    c.move(v, v[kEta] * sign(v[kGPrev]));
  }
};

}  // namespace mdbopt::MDBOPT_ISA
