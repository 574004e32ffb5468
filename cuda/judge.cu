// judge – the decisions of search/judging.h between the walks, as Multidimensional takes them on the
// host.
#include "judge_control.h"

#include "../csrc/rules/cut.h"
#include "../csrc/rules/secant.h"
#include "arrange.cuh"
#include "prepare.cuh"
#include "queue.h"

namespace mdbopt::cuda {
namespace {

using search::Judging;
using search::Numbers;

struct Beginning {
  Control* control;
  DeviceNumber f;
  void* g;
};

struct Stepping {
  Control* control;
  bool again;
};

__device__ inline void arrange_all(Control& c, void* g_trial) {
  const DeviceSearch& a = c.arrays;
  const bool swapped = c.judging.swapped != 0;
  void* x = swapped ? a.spare_x : a.x;
  void* spare_x = swapped ? a.x : a.spare_x;
  void* g = swapped ? a.spare_g : a.g;
  void* spare_g = swapped ? a.g : a.spare_g;
  if (a.set == nullptr) {
    arrange(c.secant, a.size, g, g_trial);
    arrange(c.advance, a.size, spare_x, g_trial, a.x_trial, spare_g);
    arrange(c.trial, a.size, x, g, a.x_trial);
    return;
  }
  arrange(c.secant, a.size, g, g_trial, a.set);
  arrange(c.advance, a.size, spare_x, g_trial, a.set, a.x_trial, spare_g);
  arrange(c.trial, a.size, x, g, a.set, a.x_trial);
  if (!c.facts.set.gradient_direction) {
    arrange(c.cut, a.size, x, g, g_trial, a.set, a.x_trial);
    return;
  }
  arrange(c.cut, a.size, g, g_trial, a.set);
  arrange(c.norm_there, a.size, g_trial, a.set);
  arrange(c.norm_here, a.size, g, a.set);
  give<EllipsoidNorm>(c.norm_coef, c.judging.set.scale);
}

__device__ inline double cocoercive(const Control& c) { return c.facts.set.cocoercive ? 1.0 : 0.0; }

// For the walks that propose: accept, trial, and, with what it needs besides, the cut.
__device__ inline void give_step(Control& c) {
  using Rule = Trial<LinearCandidate>;
  static_assert(sizeof(Rule::Coef) == sizeof(Trial<GradientDirectionCandidate>::Coef) &&
                sizeof(Rule::Coef) == sizeof(Trial<UniformCandidate>::Coef));
  give<Rule>(c.propose_coef, search::step(c.facts.set, c.judging.set), c.judging.set.scale);
}

__device__ inline void give_cut(Control& c, const search::Cutting& by) {
  const double scale = c.judging.set.scale;
  const double depth = search::depth(c.facts.set);
  if (c.facts.set.gradient_direction) {
    give<EllipsoidCutPair>(c.cut_coef, by.cut, by.lambda, scale, cocoercive(c), depth);
  } else {
    using Rule = CutTrial<Box>;
    static_assert(sizeof(Rule::Coef) == sizeof(CutTrial<Simplex>::Coef) &&
                  sizeof(Rule::Coef) == sizeof(CutTrial<Ellipsoid>::Coef));
    const double step = search::step(c.facts.set, c.judging.set);
    give<Rule>(c.cut_coef, by.cut, step, by.lambda, scale, cocoercive(c), depth);
  }
}

// No smaller set leaves the range of what its size may be.
__device__ inline void shrink(Control& c, double factor) {
  search::Extent& set = c.judging.set;
  search::set_growth(c.facts.set, set, set.growth * factor);
  c.skip.again = 0;
  give_step(c);
}

__device__ inline void accept(Control& c) {
  search::Extent& set = c.judging.set;
  if (search::set_growth(c.facts.set, set, set.growth * c.facts.forward)) c.skip.rescale = 0;
  c.skip.accept = c.skip.once = 0;
  give_step(c);
}

// Of the point that walks have just written. One that is not finite stays for the next judgement,
// unless nothing smaller is left to try.
__device__ inline void settle(Control& c) {
  Judging& j = c.judging;
  const double* sums = c.proposal_sums;
  j.proposal.decrease = sums[0];
  j.proposal.gmax = sums[1];
  j.proposal.moved = sums[2];
  if (j.proposal.finite() || !(j.set.growth > search::kSmallestGrowth)) {
    search::settle(j.now, j.proposal, c.facts.limits);
  } else {
    j.now.moved = j.proposal.moved;
  }
}

__global__ void begin_kernel(const __grid_constant__ Beginning b) {
  Control& c = *b.control;
  Judging& j = c.judging;
  Numbers& n = j.now;
  c.skip = {1, 1, 1, 1, 1, 1};
  c.counts = false;
  if (search::ended(n)) return;
  arrange_all(c, b.g);
  c.moving = n.moved;
  c.f_trial = search::begin_trial(n, value_of(b.f));
  c.counts = j.proposal.finite() && search::is_finite(c.f_trial);
  if (!j.proposal.finite()) {
    shrink(c, search::kQuarter);
  } else if (!search::is_finite(c.f_trial)) {
    if (!search::has_no_minimum(n)) shrink(c, search::kQuarter);
  } else if (search::noise(n, c.f_trial, c.facts.limits) ||
             !search::keeps_promise(n, j.proposal, c.f_trial)) {
    c.skip.secant = 0;
    const double step = search::step(c.facts.set, j.set);
    give<Secant<BoxSecant>>(c.secant_coef, step, j.set.scale, cocoercive(c));
  } else {
    search::measure_noise(n, c.f_trial, -j.proposal.decrease, search::kUnknownSlope);
    accept(c);
  }
}

__global__ void choose_kernel(Control* control) {
  Control& c = *control;
  Judging& j = c.judging;
  Numbers& n = j.now;
  if (c.skip.secant != 0) return;
  const double* sums = c.secant_sums;
  search::Secant secant;
  secant.slope = sums[0];
  secant.curvature = sums[1];
  secant.gmax = sums[2];
  secant.spread = sums[3];
  const search::SetFacts& set = c.facts.set;
  search::measure_noise(n, c.f_trial, -j.proposal.decrease, -secant.slope);
  if (search::noise(n, c.f_trial, c.facts.limits) && search::keeps_promise(n, secant)) {
    return accept(c);
  }
  n.trial_gmax = secant.gmax;
  if (search::out_of_range(n, c.f_trial, secant.gmax, search::kHuge)) {
    return shrink(c, search::kQuarter);
  }
  const double nu =
      search::excluding(n, j.proposal, secant, c.f_trial, set.cocoercive, c.facts.limits);
  if (!(nu > 0.0)) return shrink(c, search::kHalf);
  if (c.arrays.set == nullptr) {
    if (!search::cut_growth(set, j.set, secant.spread, nu)) return shrink(c, search::kHalf);
    ++n.ncut;
    c.skip.again = 0;
    return give_step(c);
  }
  const search::Cutting by = search::cutting(set, j.set, secant.spread, nu);
  if (!by.cuts) return shrink(c, search::kHalf);
  ++n.ncut;
  c.skip.cut = c.skip.once = 0;
  give_cut(c, by);
}

__global__ void step_kernel(const __grid_constant__ Stepping s) {
  Control& c = *s.control;
  if ((s.again ? c.skip.again : c.skip.once) != 0) return;
  c.judging.set.norm2 = c.norm_sums[0];
  give_step(c);
}

__global__ void arrive_kernel(Control* control) {
  Control& c = *control;
  Numbers& n = c.judging.now;
  if (c.skip.once != 0) return;
  if (c.skip.accept != 0) return settle(c);
  const double gmax = c.proposal_sums[1];
  n.trial_gmax = gmax;
  if (search::out_of_range(n, c.f_trial, gmax, search::kHuge)) {
    search::Extent& set = c.judging.set;
    search::set_growth(c.facts.set, set, set.growth * (1.0 / c.facts.forward));
    return shrink(c, search::kQuarter);
  }
  c.judging.swapped = c.judging.swapped != 0 ? 0 : 1;
  n.gmax = gmax;
  settle(c);
  search::move(n, c.f_trial, c.moving);
}

__global__ void settle_kernel(Control* control) {
  Control& c = *control;
  if (c.skip.again == 0) settle(c);
  if (c.counts) {
    Numbers& n = c.judging.now;
    search::count_gain(n, c.f_trial, search::patience_of_set(n), c.facts.limits);
  }
}

constexpr const char* kDoing = "judging a trial";

}  // namespace

void queue_begin(Control* control, const DeviceNumber& f, void* g, const Place& place) {
  launch(begin_kernel, 1, 1, Beginning{control, f, g}, place, kDoing);
}
void queue_choose(Control* control, const Place& place) {
  launch(choose_kernel, 1, 1, control, place, kDoing);
}
void queue_step(Control* control, bool again, const Place& place) {
  launch(step_kernel, 1, 1, Stepping{control, again}, place, kDoing);
}
void queue_arrive(Control* control, const Place& place) {
  launch(arrive_kernel, 1, 1, control, place, kDoing);
}
void queue_settle(Control* control, const Place& place) {
  launch(settle_kernel, 1, 1, control, place, kDoing);
}

}  // namespace mdbopt::cuda
