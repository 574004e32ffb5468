// finish – what may follow an update, whatever its rule: x bounded, shrunk and averaged.
//
//   x ← x within before ± lr max_update    where that is not 0; before: x as the update found it
//   x ← sign(x) max(|x| − lr l1, 0)        where l1 is not 0: the proximal step of lr l1 ‖x‖₁
//   average ← beta average + (1 − beta) x
//
// lr is the step size of each element. In double, rounded once; where neither is, x keeps its bits.
// Source: Parikh, Boyd 2014, "Proximal algorithms", section 6.5.2; Polyak, Juditsky 1992, "Acceleration of
// stochastic approximation by averaging", with weights that decay.
#pragma once

#include "update.h"

namespace mdbopt::MDBOPT_ISA {

struct Finish {
  static constexpr const char* kName = "finish";
  static constexpr const char* kSummary =
      "x ← x within before ± lr·max_update when that is not 0, x ← sign(x)·max(|x| − lr·l1, 0) "
      "when "
      "l1 is not 0, average ← beta·average + (1 − beta)·x";
  static constexpr Stream kStreams[] = {
      {"x", Role::kInOut}, {"before", Role::kIn}, {"lr", Role::kIn}, {"average", Role::kInOut}};
  enum { kX, kBefore, kLr, kAverage };
  struct Coef {
    double max_update, l1, beta;
  };
  static constexpr ScalarOf<Coef> kScalars[] = {
      {"max_update", &Coef::max_update, 0.0}, {"l1", &Coef::l1, 0.0}, {"beta", &Coef::beta, 0.0}};
  // NaN stays NaN.
  MDBOPT_INLINE static double within(double x, double low, double high) {
    return max(min(x, high), low);
  }
  template <class V>
  MDBOPT_INLINE static void apply(V& v, const Coef& c, double*) {
    const double reach = c.max_update * v[kLr];
    const double held = within(v[kX], v[kBefore] - reach, v[kBefore] + reach);
    const double bounded = select(c.max_update != 0.0, held, v[kX]);
    const double share = c.l1 * v[kLr];
    const double shrunk = bounded - within(bounded, -share, share);
    const double x = v.put(kX, select(c.l1 != 0.0, shrunk, bounded));
    v[kAverage] = average(c.beta, v[kAverage], x);
  }
};

}  // namespace mdbopt::MDBOPT_ISA
