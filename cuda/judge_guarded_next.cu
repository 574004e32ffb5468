// judge_guarded_next – what a guarded judgement tries next: search/guarding.h and search/recursion.h
// between the walks, as Guarded and its proposer do on the host.
#include "judge_guarded.cuh"

#include "../csrc/rules/direction.h"
#include "../csrc/rules/trial.h"
#include "queue.h"

namespace mdbopt::cuda {
namespace {

using search::GuardedJudging;
using search::Next;
using search::Numbers;

__device__ inline void give_weights(const Bundle& bundle, Coefs& coefs, const double* weights,
                                    double sign) {
  const double* w = weights + bundle.first;
  if (bundle.pairs == 1) return give<Add<AddPair>>(coefs.bytes, sign * w[0]);
  give<Add<AddPairs>>(coefs.bytes, sign * w[0], sign * w[1], sign * w[2], sign * w[3], sign * w[4]);
}

// delta ← 0: x − x is 0 whatever delta holds.
__device__ inline void clear_delta(GuardedControl& c) {
  void* x = now(c).x;
  c.skip.clear = 0;
  arrange(c.clear, c.arrays.size, x, x, c.arrays.delta);
  give<Along>(c.clear_coef.bytes, -1.0);
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
  if (c.clears) clear_delta(c);
  if (c.skip.first != 0 && c.skip.along != 0) return;
  n.moved = c.skip.first == 0 ? c.first_sums[2] : c.along_sums[0];
  if (c.skip.direction == 0 && !search::downhill(c.slope_sums[0] * n.scale)) {
    j.pairs.count = 0;
    clear_delta(c);
    return plain(c);
  }
  if (search::is_finite(n.moved) && search::too_short(n, n.moved, c.facts.limits)) plain(c);
}

// A trial that is not finite stays for the next judgement, and so does a box to be opened anew.
__global__ void settle_kernel(GuardedControl* control) {
  GuardedControl& c = *control;
  Numbers& n = c.judging.now;
  if (c.skip.plain == 0) {
    const double decrease = c.plain_sums[0];
    n.moved = search::is_finite(decrease) ? c.plain_sums[2] : decrease;
    if (search::is_finite(n.moved))
      search::settle_plain(c.judging.guard, n, decrease, c.facts.limits);
  }
  if (c.moved) search::move(n, c.f_trial, c.moving);
  if (c.counts) search::count_gain(n, c.f_trial, search::kPatience, c.facts.limits);
}

constexpr const char* kDoing = "proposing a guarded trial";

}  // namespace

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
