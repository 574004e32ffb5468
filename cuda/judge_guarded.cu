// judge_guarded – the decisions of search/guarding.h and search/recursion.h between the walks, as
// Guarded takes them on the host.
#include "judge_guarded.h"

#include "../csrc/rules/direction.h"
#include "../csrc/rules/pair.h"
#include "../csrc/rules/trial.h"
#include "arrange.cuh"
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

// Where x and g are now.
struct Now {
  void *x, *spare_x, *g, *spare_g;
};

__device__ inline Now now(const GuardedControl& c) {
  const DeviceGuarded& a = c.arrays;
  if (c.judging.swapped == 0) return {a.x, a.spare_x, a.g, a.spare_g};
  return {a.spare_x, a.x, a.spare_g, a.g};
}

__device__ inline void* s_of(const GuardedControl& c, std::int64_t slot) {
  return c.arrays.s.data()[slot];
}
__device__ inline void* y_of(const GuardedControl& c, std::int64_t slot) {
  return c.arrays.y.data()[slot];
}

// Calls with each bundle and whether it is there: fives as far as they go, then singles.
template <class Body>
__device__ inline void for_bundles(GuardedControl& c, Body body) {
  const std::int64_t count = c.judging.pairs.count;
  const std::int64_t whole = count / search::kBundle;
  for (std::int64_t k = 0; k < c.fives; ++k) {
    c.bundles[k].first = k * search::kBundle;
    body(c.bundles[k], k < whole);
  }
  for (std::int64_t k = 0; k < c.singles; ++k) {
    Bundle& bundle = c.bundles[c.fives + k];
    bundle.first = whole * search::kBundle + k;
    body(bundle, bundle.first < count);
  }
}

// The vectors of a bundle by the slots of its pairs, then others.
template <class Vector, class... Stream>
__device__ inline void arrange_pairs(const GuardedControl& c, const Bundle& bundle, DeviceJob& job,
                                     Vector vector, Stream... others) {
  job = {};
  job.size = c.arrays.size;
  std::int64_t k = 0;
  for (; k < bundle.pairs; ++k) {
    job.streams[k] = vector(c, c.judging.pairs.slot(bundle.first + k));
  }
  ((job.streams[k++] = others), ...);
}

__device__ inline void give_weights(const Bundle& bundle, Coefs& coefs, const double* weights,
                                    double sign) {
  const double* w = weights + bundle.first;
  if (bundle.pairs == 1) return give<Add<AddPair>>(coefs.bytes, sign * w[0]);
  give<Add<AddPairs>>(coefs.bytes, sign * w[0], sign * w[1], sign * w[2], sign * w[3], sign * w[4]);
}

__device__ inline void grow(GuardedControl& c, double factor) {
  if (search::grow(c.judging.guard, c.judging.metric, factor)) c.skip.rescale = 0;
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

// From x, where the search is now.
__device__ inline void plain(GuardedControl& c) {
  const Now at = now(c);
  search::begin_plain(c.judging.guard);
  c.skip.plain = 0;
  arrange(c.plain, c.arrays.size, at.x, at.g, c.arrays.b, c.arrays.x_trial);
  give<Trial<LinearCandidate>>(c.plain_coef.bytes, c.facts.gamma * c.judging.guard.growth,
                               c.judging.now.scale);
}

__device__ inline void along(GuardedControl& c) {
  c.skip.along = 0;
  arrange(c.along, c.arrays.size, now(c).x, c.arrays.delta, c.arrays.x_trial);
  give<Along>(c.along_coef.bytes, c.judging.guard.t);
}

__device__ inline void first(GuardedControl& c) {
  const Now at = now(c);
  const search::Guarding& guard = c.judging.guard;
  c.skip.first = 0;
  arrange(c.first, c.arrays.size, at.x, at.g, c.arrays.x_trial);
  give<Trial<UniformCandidate>>(c.first_coef.bytes, guard.t * guard.unit_step, c.judging.now.scale);
}

__device__ inline void direct(GuardedControl& c) {
  const GuardedJudging& j = c.judging;
  const Now at = now(c);
  void* q = c.arrays.delta;
  c.skip.direction = 0;
  search::first_loop(j.pairs, c.tables, c.alpha);
  arrange(c.scaled, c.arrays.size, at.g, q);
  give<Scaled>(c.scaled_coef.bytes, -j.now.scale);
  arrange(c.metric, c.arrays.size, c.arrays.b, q);
  give<ApplyMetric>(c.metric_coef.bytes, j.metric.one(), j.metric.root(), j.metric.box());
  arrange(c.slope, c.arrays.size, at.g, q);
  for_bundles(c, [&](Bundle& bundle, bool there) {
    if (!there) return;
    bundle.skip_direction = 0;
    arrange_pairs(c, bundle, bundle.add_y, y_of, q);
    arrange_pairs(c, bundle, bundle.dots, y_of, q);
    arrange_pairs(c, bundle, bundle.add_s, s_of, q);
    give_weights(bundle, bundle.y_weights, c.alpha, -1.0);
  });
  search::begin_direction(c.judging.guard);
  along(c);
}

__device__ inline void coast(GuardedControl& c) {
  const std::int64_t slot = c.judging.pairs.last;
  c.skip.coast = 0;
  arrange(c.coast, c.arrays.size, s_of(c, slot), c.arrays.delta);
  give<Coast>(c.coast_coef.bytes, search::kCoast / c.tables.scale[slot]);
  search::begin_direction(c.judging.guard);
  along(c);
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
  if (search::grow_after(j.guard, j.metric, c.promise_kept, c.facts.forward)) c.skip.rescale = 0;
  if (!search::count_step(j.guard, c.trial, c.promise_kept)) return;
  c.skip.decrease = 0;
  arrange(c.decrease, c.arrays.size, now(c).g, c.arrays.b);
}

__device__ inline void hole(GuardedControl& c) {
  GuardedJudging& j = c.judging;
  if (j.guard.state == search::kPlain) grow(c, search::kShorter);
  c.next = search::after_hole(j.guard, j.now, c.facts.limits);
}

__global__ void begin_kernel(const __grid_constant__ GuardedBeginning b) {
  GuardedControl& c = *b.control;
  GuardedJudging& j = c.judging;
  Numbers& n = j.now;
  c.skip = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1};
  for_bundles(c, [](Bundle& bundle, bool) { bundle.skip_products = bundle.skip_direction = 1; });
  c.next = Next::kNone;
  c.moved = c.promise_kept = false;
  if (search::ended(n)) return;
  c.g_trial = b.g;
  c.moving = n.moved;
  c.f_trial = search::begin_trial(n, value_of(b.f));
  if (!search::is_finite(n.moved)) {
    if (j.guard.state == search::kPlain) grow(c, search::kShorter);
    c.next = search::after_overshoot(j.guard);
  } else if (search::is_finite(c.f_trial)) {
    measure(c);
  } else if (!search::has_no_minimum(n, c.facts.limits)) {
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
  if (search::out_of_range(j.now, c.f_trial, c.trial.gmax, search::kTooSteep)) {
    c.skip.measure = 1;
    return hole(c);
  }
  search::open_box(j.guard, j.guard.t * j.guard.unit_step);
  if (!c.trial.curved) return;
  c.skip.learn = 0;
  arrange(c.learn, c.arrays.size, s_of(c, ring.next), y_of(c, ring.next), c.arrays.b);
  give<Learn>(c.learn_coef.bytes, search::cut_of(j.guard, j.now, c.trial, c.facts));
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
      c.skip.rescale = 0;
    }
    if (c.trial.curved) remember(c, fit);
    if (!won) c.next = search::after_plain_failure(j.guard, j.now, c.facts.limits);
  } else if (won) {
    if (c.trial.curved) remember(c, fit);
  } else {
    c.next = search::after_failure(j.guard, c.trial, true);
    if (c.next == Next::kDirection) remember(c, fit);
  }
  if (won) move(c);
}

__global__ void choose_kernel(GuardedControl* control) {
  GuardedControl& c = *control;
  GuardedJudging& j = c.judging;
  if (c.moved && j.now.gmax != 0.0) {
    const bool owes =
        c.skip.decrease == 0 && search::overdue(j.guard, c.decrease_sums[0], c.facts.gamma);
    c.next = search::after_step(j.guard, c.trial, owes);
  }
  if (c.next == Next::kDirection && j.pairs.count == 0) c.next = Next::kPlain;
  switch (c.next) {
    case Next::kFirst:
      return first(c);
    case Next::kDirection:
      return direct(c);
    case Next::kAlong:
      return along(c);
    case Next::kCoast:
      return coast(c);
    case Next::kPlain:
      return plain(c);
    case Next::kNone:
      return;
  }
}

__global__ void recall_kernel(GuardedControl* control) {
  GuardedControl& c = *control;
  if (c.skip.direction != 0) return;
  const auto each = [&](auto body) {
    for_bundles(c, [&](Bundle& bundle, bool there) {
      if (there) body(bundle);
    });
  };
  each([&](Bundle& bundle) {
    for (std::int64_t k = 0; k < bundle.pairs; ++k) c.yq[bundle.first + k] = bundle.dot_sums[k];
  });
  search::second_loop(c.judging.pairs, c.tables, c.yq, c.alpha);
  each([&](Bundle& bundle) { give_weights(bundle, bundle.s_weights, c.alpha, 1.0); });
}

__global__ void arrive_kernel(GuardedControl* control) {
  GuardedControl& c = *control;
  GuardedJudging& j = c.judging;
  Numbers& n = j.now;
  if (c.skip.first != 0 && c.skip.along != 0) return;
  n.moved = c.skip.first == 0 ? c.first_sums[2] : c.along_sums[0];
  if (c.skip.direction == 0 && !search::downhill(c.slope_sums[0] * n.scale)) {
    j.pairs.count = 0;
    c.skip.clear = 0;
    // x − x is 0 whatever delta holds.
    void* x = now(c).x;
    arrange(c.clear, c.arrays.size, x, x, c.arrays.delta);
    give<Along>(c.clear_coef.bytes, -1.0);
    return plain(c);
  }
  if (search::is_finite(n.moved) && search::too_short(n, n.moved, c.facts.limits)) plain(c);
}

// A trial that is not finite stays for the next judgement.
__global__ void settle_kernel(GuardedControl* control) {
  GuardedControl& c = *control;
  Numbers& n = c.judging.now;
  if (c.skip.plain == 0) {
    const double decrease = c.plain_sums[0];
    n.moved = search::is_finite(decrease) ? c.plain_sums[2] : decrease;
    if (search::is_finite(n.moved)) search::settle_plain(n, decrease, c.facts.limits);
  }
  if (c.moved) search::move(n, c.f_trial, c.moving);
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
void queue_guarded_choose(GuardedControl* control, const Place& place) {
  launch(choose_kernel, 1, 1, control, place, kDoing);
}
void queue_guarded_recall(GuardedControl* control, const Place& place) {
  launch(recall_kernel, 1, 1, control, place, kDoing);
}
void queue_guarded_arrive(GuardedControl* control, const Place& place) {
  launch(arrive_kernel, 1, 1, control, place, kDoing);
}
void queue_guarded_settle(GuardedControl* control, const Place& place) {
  launch(settle_kernel, 1, 1, control, place, kDoing);
}

}  // namespace mdbopt::cuda
