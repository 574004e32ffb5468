// finish – what may follow an update, whatever its rule: x held back, bounded, shrunk and averaged.
//
//   x ← before                             where cautious is not 0 and (x − before) g ≥ 0
//   x ← x − lr weight_decay before         but where cautious_weight_decay is not 0 and (x − before) before > 0
//   x ← x within before ± lr max_update    where that is not 0
//   x ← sign(x) max(|x| − lr l1, 0)        where l1 is not 0: the proximal step of lr l1 ‖x‖₁
//   average ← beta average + (1 − beta) x
//
// before is x as the update found it, g the gradient as the update sees it, lr its step size of each element.
// x − before has the sign of −d, so that the first line is the mask of cautious.h for updates that were run without
// their decoupled decay, which is the second; a step that x rounds away is none. In double, rounded once; what is
// off leaves x its bits. Source: Liang et al. 2025, "Cautious optimizers", algorithm 1; Chen et al. 2026, algorithm
// 1; Parikh, Boyd 2014, "Proximal algorithms", section 6.5.2; Polyak, Juditsky 1992, "Acceleration of stochastic
// approximation by averaging", with weights that decay.
#pragma once

#include "update.h"

namespace mdbopt::MDBOPT_ISA {

struct Finish {
  static constexpr bool kTakesLr = true;
  static constexpr const char* kName = "finish";
  static constexpr const char* kSummary =
      "x ← before where (x − before)g ≥ 0 and cautious is not 0, x ← x − lr·weight_decay·before "
      "unless (x − before)before > 0 and cautious_weight_decay is not 0, x ← x within before ± "
      "lr·max_update when that is not 0, x ← sign(x)·max(|x| − lr·l1, 0) when l1 is not 0, "
      "average ← beta·average + (1 − beta)·x";
  static constexpr Stream kStreams[] = {
      {"x", Role::kInOut}, {"before", Role::kIn}, {"g", Role::kIn}, {"average", Role::kInOut}};
  enum { kX, kBefore, kG, kAverage };
  struct Coef {
    double max_update, l1, beta, cautious, cautious_weight_decay, weight_decay, l2, grad_scale;
  };
  static constexpr ScalarOf<Coef> kScalars[] = {
      {"max_update", &Coef::max_update, 0.0},
      {"l1", &Coef::l1, 0.0},
      {"beta", &Coef::beta, 0.0},
      {"cautious", &Coef::cautious, 0.0},
      {"cautious_weight_decay", &Coef::cautious_weight_decay, 0.0},
      {"weight_decay", &Coef::weight_decay, 0.0},
      {"l2", &Coef::l2, 0.0},
      {"grad_scale", &Coef::grad_scale, 1.0}};
  // NaN stays NaN.
  MDBOPT_INLINE static double within(double x, double low, double high) {
    return max(min(x, high), low);
  }
  template <class V>
  MDBOPT_INLINE static double held_back(const V& v, const Coef& c) {
    const double before = v[kBefore];
    const double step = v[kX] - before;
    const double g = c.grad_scale * v[kG] + c.l2 * before;
    const bool opposed = (step * g >= 0.0) & (c.cautious != 0.0);
    const double kept = select(opposed, before, double(v[kX]));
    const bool away = (step * before > 0.0) & (c.cautious_weight_decay != 0.0);
    const bool decays = (c.weight_decay != 0.0) & !away;
    return select(decays, kept - v.lr * c.weight_decay * before, kept);
  }
  template <class V>
  MDBOPT_INLINE static void apply(V& v, const Coef& c, double*) {
    const double stepped = held_back(v, c);
    const double reach = c.max_update * v.lr;
    const double held = within(stepped, v[kBefore] - reach, v[kBefore] + reach);
    const double bounded = select(c.max_update != 0.0, held, stepped);
    const double share = c.l1 * v.lr;
    const double shrunk = bounded - within(bounded, -share, share);
    const double x = v.put(kX, select(c.l1 != 0.0, shrunk, bounded));
    v[kAverage] = average(c.beta, v[kAverage], x);
  }
};

}  // namespace mdbopt::MDBOPT_ISA
