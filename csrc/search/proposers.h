// proposers – where the directions of the guarded search come from, as decisions between walks. The
// guard keeps the guarantee whatever they are. The same on host and device.
//
// A proposer is a structure of static functions on the control: what it does not declare, it takes from
// NoProposer. proposer.h has the rest of it: its arrays, its walks, its part of a saved state.
#pragma once

#include "guarded_control.h"

namespace mdbopt::search {

struct NoProposer {
  // A failed try may teach it: the pair is learnt and a new direction formed from the same point.
  static constexpr bool kRelearns = false;
  // It reads the delta of before, if only to take it times 0.
  static constexpr bool kReadsDelta = true;
  // Asks for what it wants to know of the trial, beside the walk pair; then takes it.
  MDBOPT_INLINE static void measure(GuardedControl&) {}
  MDBOPT_INLINE static void measured(GuardedControl&) {}
  // The pair last written is about to be kept; the metric is fitted to it and may be rescaled.
  MDBOPT_INLINE static void learn(GuardedControl&, const Fit&) {}
  // x moves by t·delta, or by a plain step of the box.
  MDBOPT_INLINE static void move(GuardedControl&) {}
  // The direction was refused, or x coasts along its last step: start afresh.
  MDBOPT_INLINE static void reset(GuardedControl&) {}
  // Asks for what writes a direction to delta; `again` when the walks up to the decision Direct are
  // done.
  MDBOPT_INLINE static void direct(GuardedControl&) {}
  MDBOPT_INLINE static void again(GuardedControl&) {}
  // ⟨g, delta⟩ over the scale, where x is not bounded.
  MDBOPT_INLINE static double slope(const GuardedControl& c) { return c.direction.step.sums[0]; }
};

// --- L-BFGS --------------------------------------------------------------------------------------
// The two-loop recursion on H₀ (recursion.h). Each s is read twice, each y once.
struct Lbfgs : NoProposer {
  static constexpr bool kRelearns = true;
  static constexpr bool kReadsDelta = false;

  MDBOPT_INLINE static void measure(GuardedControl& c) {
    static_assert(sizeof(rules::Products<rules::PairProduct>::Coef) ==
                  sizeof(rules::Products<rules::PairProducts>::Coef));
    each(c, [&](Bundle& bundle) {
      want_pairs(c, bundle, bundle.products, c.s, c.y[c.pairs.next], followed_there(c));
      give<rules::Products<rules::PairProduct>>(bundle.products, c.now.scale);
    });
  }
  MDBOPT_INLINE static void measured(GuardedControl& c) {
    each(c, [&](Bundle& bundle) {
      for (std::int64_t k = 0; k < bundle.pairs; ++k) {
        const std::int64_t slot = c.pairs.slot(bundle.first + k);
        c.tables.fresh_sy[slot] = bundle.products.sums[2 * k];
        c.tables.fresh_sg[slot] = bundle.products.sums[2 * k + 1];
      }
    });
    c.tables.fresh_sg[c.pairs.next] =
        c.penalised ? c.slots.composite.sums[3] : c.slots.pair.sums[6];
  }
  MDBOPT_INLINE static void learn(GuardedControl& c, const Fit&) {
    take_pair(c.pairs, c.tables, c.penalised ? c.slots.composite.sums[2] : c.slots.pair.sums[5]);
  }
  MDBOPT_INLINE static void move(GuardedControl& c) {
    take_gradient(c.pairs.slots, c.tables.fresh_sg, c.tables.sg);
  }
  MDBOPT_INLINE static void direct(GuardedControl& c) {
    void* q = c.delta;
    first_loop(c.pairs, c.tables, c.alpha);
    const Followed at = followed(c);
    want<rules::Scaled>(c.direction.scaled, at.g, q);
    give<rules::Scaled>(c.direction.scaled, -c.now.scale);
    if (c.bounded) {
      Slot& slot = c.direction.face_metric;
      want<rules::FaceMetric>(slot, c.at.x, at.g, at.lower, at.upper, c.b, q);
      give<rules::FaceMetric>(slot, c.metric.one(), c.metric.root(), c.metric.box());
    } else {
      Slot& slot = c.direction.metric;
      want<rules::ApplyMetric>(slot, c.b, q);
      give<rules::ApplyMetric>(slot, c.metric.one(), c.metric.root(), c.metric.box());
      want<rules::Dot>(c.direction.dot, c.at.g, q);
    }
    each(c, [&](Bundle& bundle) {
      want_pairs(c, bundle, bundle.add_y, c.y, q);
      want_pairs(c, bundle, bundle.dots, c.y, q);
      want_pairs(c, bundle, bundle.add_s, c.s, q);
      give_weights(bundle, bundle.add_y, c.alpha, -1.0);
    });
  }
  MDBOPT_INLINE static void again(GuardedControl& c) {
    each(c, [&](Bundle& bundle) {
      for (std::int64_t k = 0; k < bundle.pairs; ++k) {
        c.yq[bundle.first + k] = bundle.dots.sums[k];
      }
    });
    second_loop(c.pairs, c.tables, c.yq, c.alpha);
    each(c, [&](Bundle& bundle) { give_weights(bundle, bundle.add_s, c.alpha, 1.0); });
  }
  MDBOPT_INLINE static double slope(const GuardedControl& c) {
    return c.direction.dot.sums[0] * c.now.scale;
  }

 private:
  template <class Body>
  MDBOPT_INLINE static void each(GuardedControl& c, Body body) {
    for_bundles(c, [&](Bundle& bundle, bool there) {
      if (there) body(bundle);
    });
  }
  // The vectors of a bundle by the slots of its pairs, then others.
  template <class... Array>
  MDBOPT_INLINE static void want_pairs(const GuardedControl& c, const Bundle& bundle, Slot& slot,
                                       void* const* vectors, Array... others) {
    std::int64_t k = 0;
    for (; k < bundle.pairs; ++k) slot.job.streams[k] = vectors[c.pairs.slot(bundle.first + k)];
    ((slot.job.streams[k++] = others), ...);
    slot.skip = 0;
  }
  MDBOPT_INLINE static void give_weights(const Bundle& bundle, Slot& slot, const double* weights,
                                         double sign) {
    const double* w = weights + bundle.first;
    if (bundle.pairs == 1) return give<rules::Add<rules::AddPair>>(slot, sign * w[0]);
    give<rules::Add<rules::AddPairs>>(slot, sign * w[0], sign * w[1], sign * w[2], sign * w[3],
                                      sign * w[4]);
  }
};

// --- momentum ------------------------------------------------------------------------------------
// Momentum accumulates steps, so its own are short: the smallest ⟨s, y⟩/(y·Dy) seen, grown by a little
// each time, is classic backtracking for D's step size.
struct Momentum : NoProposer {
  MDBOPT_INLINE static void learn(GuardedControl& c, const Fit& fit) {
    constexpr double kGrowth = 1.05;
    double* length = c.numbers.length;
    for (int k = 0; k < 3; ++k) {
      length[k] = smaller(kGrowth * length[k], c.trial.sy / fit.yDy[k]);
    }
    c.metric.scale = length[c.metric.kind];
  }
  MDBOPT_INLINE static void move(GuardedControl& c) {
    if (c.guard.state == kPlain) {
      restart(c);
    } else {
      ++c.numbers.steps;
      c.numbers.last_t = c.guard.t;
    }
  }
  MDBOPT_INLINE static void reset(GuardedControl& c) { restart(c); }

 private:
  MDBOPT_INLINE static void restart(GuardedControl& c) {
    c.numbers.steps = 0;
    c.numbers.a = 1.0;
  }
};

// δ = −H₀g + β(x − x₋), β = k/(k + 3) up to 0.99. Source: Polyak 1964.
struct HeavyBall : Momentum {
  MDBOPT_INLINE static void direct(GuardedControl& c) {
    constexpr double kLargestBeta = 0.99;
    const double k = static_cast<double>(c.numbers.steps);
    const double beta = smaller(kLargestBeta, k / (k + 3.0));
    want<rules::MomentumStep>(c.direction.step, c.at.g, c.b, c.delta);
    give<rules::MomentumStep>(c.direction.step, c.numbers.steps > 0 ? beta * c.numbers.last_t : 0.0,
                              c.now.scale, c.metric.one(), c.metric.root(), c.metric.box());
  }
};

// Nesterov's method seen from the extrapolated points, where it evaluates: z⁺ − x = −H₀g, then a
// step beyond z⁺ by β(z⁺ − z), β = (a − 1)/a⁺. Source: Nesterov 1983; O'Donoghue and Candès 2015
// for starting afresh uphill.
struct Nesterov : Momentum {
  MDBOPT_INLINE static void direct(GuardedControl& c) {
    ProposerNumbers& n = c.numbers;
    const double a = 0.5 * (1.0 + root(1.0 + 4.0 * n.a * n.a));
    const double beta = n.steps > 0 ? (n.a - 1.0) / a : 0.0;
    n.a = a;
    want<rules::NesterovStep>(c.direction.step, c.at.g, c.b, c.s[c.pairs.last], c.z, c.delta);
    give<rules::NesterovStep>(c.direction.step, beta, c.now.scale, c.metric.one(), c.metric.root(),
                              c.metric.box(), 1.0 / c.tables.scale[c.pairs.last]);
  }
};

// --- conjugate gradients -------------------------------------------------------------------------
// δ = −Dg + βδ₋ with β of Hager and Zhang, downhill whatever the line search did. Conjugacy is a
// property of one metric, so D = H₀ is kept between restarts.
struct ConjugateGradient : NoProposer {
  MDBOPT_INLINE static void move(GuardedControl& c) {
    c.numbers.steps = c.guard.state == kPlain ? 0 : c.numbers.steps + 1;
  }
  MDBOPT_INLINE static void reset(GuardedControl& c) { c.numbers.steps = 0; }
  MDBOPT_INLINE static void direct(GuardedControl& c) {
    constexpr std::int64_t kPeriod = 30;
    if (c.numbers.steps == 0 || c.numbers.steps >= kPeriod) return restart(c);
    want<rules::CgProducts>(c.direction.products, c.at.g, c.kept_metric, c.delta,
                            c.y[c.pairs.last]);
    give<rules::CgProducts>(c.direction.products, c.now.scale, 0.0, 0.0, 1.0);
  }
  MDBOPT_INLINE static void again(GuardedControl& c) {
    if (!wanted(c.direction.products)) return;
    const double* sums = c.direction.products.sums;
    const double delta_y = sums[0];
    const double beta = (sums[1] - 2.0 * sums[2] / delta_y * sums[3]) / delta_y;
    if (delta_y > 0.0 && is_finite(beta))
      step(c, beta);
    else
      restart(c);
  }

 private:
  MDBOPT_INLINE static void step(GuardedControl& c, double beta) {
    want<rules::MomentumStep>(c.direction.step, c.at.g, c.kept_metric, c.delta);
    give<rules::MomentumStep>(c.direction.step, beta, c.now.scale, 0.0, 0.0, 1.0);
  }
  MDBOPT_INLINE static void restart(GuardedControl& c) {
    c.numbers.steps = 0;
    want<rules::KeepMetric>(c.direction.keep_metric, c.b, c.kept_metric);
    give<rules::KeepMetric>(c.direction.keep_metric, c.metric.one(), c.metric.root(),
                            c.metric.box());
    step(c, 0.0);
  }
};

// Calls with the control's proposer.
template <class Body>
MDBOPT_INLINE auto with_proposer(ProposerKind kind, Body body) {
  switch (kind) {
    case ProposerKind::kHeavyBall:
      return body(HeavyBall{});
    case ProposerKind::kNesterov:
      return body(Nesterov{});
    case ProposerKind::kConjugateGradient:
      return body(ConjugateGradient{});
    default:
      return body(Lbfgs{});
  }
}

}  // namespace mdbopt::search
