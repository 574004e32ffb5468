// judge_guarded – the decisions of search/guarding.h on a trial, between the walks, as Guarded takes
// them on the host.
#include "judge_guarded.cuh"

#include "../csrc/rules/direction.h"
#include "../csrc/rules/pair.h"
#include "../csrc/rules/vector.h"
#include "prepare.cuh"
#include "queue.h"

namespace mdbopt::cuda {
namespace {

using search::GuardedJudging;
using search::Next;
using search::Numbers;

struct GuardedBeginning {
  GuardedControl* control;
  DeviceNumber f;
  void* g;
};

__device__ inline void rescale(GuardedControl& c, double factor) {
  c.skip.rescale = 0;
  give<Rescale>(c.rescale_coef.bytes, factor, 1.0);
}

__device__ inline void grow(GuardedControl& c, double factor) {
  if (search::grow(c.judging.guard, c.judging.metric, factor)) rescale(c, search::kFold);
}

__device__ inline void reopen(GuardedControl& c) {
  rescale(c, search::kReopening);
  c.judging.pairs.count = 0;
  c.clears = true;
  search::reopen(c.judging.guard, c.judging.now);
  c.next = Next::kFirst;
}

__device__ inline void measure(GuardedControl& c) {
  const Now at = now(c);
  const GuardedJudging& j = c.judging;
  const std::int64_t slot = j.pairs.next;
  c.skip.measure = 0;
  c.tables.scale[slot] = search::unit_over(j.now.moved);
  arrange(c.measure, c.arrays.size, at.x, c.arrays.x_trial, at.g, c.g_trial, s_of(c, slot),
          y_of(c, slot), at.spare_g);
  give<Pair>(c.measure_coef.bytes, j.now.scale, c.tables.scale[slot]);
  give<Decrease>(c.scale_coef.bytes, j.now.scale);
  static_assert(sizeof(Decrease::Coef) == sizeof(Products<PairProduct>::Coef) &&
                sizeof(Decrease::Coef) == sizeof(Products<PairProducts>::Coef));
  for_bundles(c, [&](Bundle& bundle, bool there) {
    if (!there) return;
    bundle.skip_products = 0;
    arrange_pairs(c, bundle, bundle.products, s_of, y_of(c, slot), at.spare_g);
  });
}

__device__ inline void remember(GuardedControl& c, const search::Fit& fit) {
  search::Ring& ring = c.judging.pairs;
  const double curvature = c.trial.sy_stored;
  if (!(curvature > 0.0) || !c.judging.metric.fit(fit, curvature, c.tables.scale[ring.last])) {
    return;
  }
  search::take_pair(ring, c.tables, c.pair_sums[5]);
  c.tables.curvature[ring.next] = curvature;
  ring.keep();
}

// x moves to the trial, which keeps its place in memory: a copy of it becomes x.
__device__ inline void move(GuardedControl& c) {
  GuardedJudging& j = c.judging;
  search::take_gradient(j.pairs.slots, c.tables.fresh_sg, c.tables.sg);
  c.moved = true;
  c.skip.copy = 0;
  arrange(c.copy, c.arrays.size, c.arrays.x_trial, now(c).spare_x);
  give<Scaled>(c.copy_coef.bytes, 1.0);
  j.swapped = j.swapped != 0 ? 0 : 1;
  search::arrive(j.guard, j.now, c.trial);
  if (j.now.gmax == 0.0) return;
  if (search::grow_after(j.guard, j.metric, c.promise_kept, c.facts.forward)) {
    rescale(c, search::kFold);
  }
  if (!search::count_step(j.guard, c.trial, c.promise_kept)) return;
  c.skip.decrease = 0;
  arrange(c.decrease, c.arrays.size, now(c).g, c.arrays.b);
}

__device__ inline void hole(GuardedControl& c) {
  GuardedJudging& j = c.judging;
  if (j.guard.state == search::kPlain) grow(c, search::kShorter);
  c.next = search::after_hole(j.guard, j.now);
  if (j.guard.reopening != 0) reopen(c);
}

__global__ void begin_kernel(const __grid_constant__ GuardedBeginning b) {
  GuardedControl& c = *b.control;
  GuardedJudging& j = c.judging;
  Numbers& n = j.now;
  c.skip = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1};
  for_bundles(c, [](Bundle& bundle, bool) { bundle.skip_products = bundle.skip_direction = 1; });
  c.next = Next::kNone;
  c.counts = c.moved = c.promise_kept = c.clears = false;
  if (search::ended(n)) return;
  c.g_trial = b.g;
  c.moving = n.moved;
  c.f_trial = search::begin_trial(n, value_of(b.f));
  if (j.guard.reopening != 0) {
    reopen(c);
  } else if (!search::is_finite(n.moved)) {
    if (j.guard.state == search::kPlain) grow(c, search::kShorter);
    c.next = search::after_overshoot(j.guard);
  } else if (search::is_finite(c.f_trial)) {
    c.counts = true;
    measure(c);
  } else if (!search::has_no_minimum(n)) {
    hole(c);
  }
}

__global__ void measured_kernel(GuardedControl* control) {
  GuardedControl& c = *control;
  GuardedJudging& j = c.judging;
  if (c.skip.measure != 0) return;
  search::Ring& ring = j.pairs;
  ring.last = ring.next;
  for_bundles(c, [&](Bundle& bundle, bool there) {
    if (!there) return;
    for (std::int64_t k = 0; k < bundle.pairs; ++k) {
      const std::int64_t slot = ring.slot(bundle.first + k);
      c.tables.fresh_sy[slot] = bundle.product_sums[2 * k];
      c.tables.fresh_sg[slot] = bundle.product_sums[2 * k + 1];
    }
  });
  c.tables.fresh_sg[ring.next] = c.pair_sums[6];
  c.trial = search::measured(j.now, c.f_trial, c.pair_sums, c.facts.limits);
  j.now.trial_gmax = c.trial.gmax;
  search::measure_noise(j.now, c.f_trial, c.trial.gs, c.trial.gs_trial);
  if (search::out_of_range(j.now, c.f_trial, c.trial.gmax, search::kTooSteep)) {
    c.skip.measure = 1;
    return hole(c);
  }
  search::open_box(j.guard, j.guard.t * j.guard.unit_step);
  if (!search::learns(j.guard, j.now, c.trial)) return;
  c.skip.learn = 0;
  arrange(c.learn, c.arrays.size, s_of(c, ring.next), y_of(c, ring.next), c.arrays.b);
  const search::Learning by = search::learning(j.guard, j.now, c.trial, c.facts);
  give<Learn>(c.learn_coef.bytes, by.cut, by.depth);
}

__global__ void decide_kernel(GuardedControl* control) {
  GuardedControl& c = *control;
  GuardedJudging& j = c.judging;
  if (c.skip.measure != 0) return;
  const search::Fit fit = search::fit_of(c.learn_sums);
  const bool won = search::wins(j.now, c.trial);
  if (j.guard.state == search::kPlain) {
    c.promise_kept = search::kept(c.trial);
    if (!c.promise_kept && search::break_promise(j.guard, j.now, j.metric, c.trial, fit)) {
      rescale(c, search::kFold);
    }
    if (c.trial.curved) remember(c, fit);
    if (!won) c.next = search::after_plain_failure(j.guard, j.now);
    if (j.guard.reopening != 0) reopen(c);
  } else if (won) {
    if (c.trial.curved) remember(c, fit);
  } else {
    c.next = search::after_failure(j.guard, c.trial, true);
    if (c.next == Next::kDirection) remember(c, fit);
  }
  if (won) move(c);
}

constexpr const char* kDoing = "judging a guarded trial";

}  // namespace

void queue_guarded_begin(GuardedControl* control, const DeviceNumber& f, void* g,
                         const Place& place) {
  launch(begin_kernel, 1, 1, GuardedBeginning{control, f, g}, place, kDoing);
}
void queue_guarded_measured(GuardedControl* control, const Place& place) {
  launch(measured_kernel, 1, 1, control, place, kDoing);
}
void queue_guarded_decide(GuardedControl* control, const Place& place) {
  launch(decide_kernel, 1, 1, control, place, kDoing);
}

}  // namespace mdbopt::cuda
