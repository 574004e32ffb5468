// guarded_program – the guarded search as decisions between walks; guarded.h says what it is,
// Guarded::steps in which order they come.
#pragma once

#include "face.h"
#include "proposers.h"

namespace mdbopt::search::guarded {

// --- the box -------------------------------------------------------------------------------------
MDBOPT_INLINE void rescale(GuardedControl& c, double factor) {
  want<rules::Rescale>(c.slots.rescale, c.b);
  give<rules::Rescale>(c.slots.rescale, factor, kUnitSet);
}

MDBOPT_INLINE void grow(GuardedControl& c, double factor) {
  if (search::grow(c.guard, c.metric, factor)) rescale(c, kFold);
}

MDBOPT_INLINE void forget(GuardedControl& c) {
  c.pairs.count = 0;
  with_proposer(c.proposer, [&](auto proposer) { proposer.reset(c); });
}

// x − x is 0 whatever delta holds.
MDBOPT_INLINE void clear_delta(GuardedControl& c) {
  want<rules::Along>(c.slots.clear, c.at.x, c.at.x, c.delta);
  give<rules::Along>(c.slots.clear, -1.0);
}

MDBOPT_INLINE void reopen(GuardedControl& c) {
  rescale(c, kReopening);
  forget(c);
  search::reopen(c.guard, c.now);
  c.next = Next::kFirst;
}

// --- the trial -----------------------------------------------------------------------------------
MDBOPT_INLINE void measure(GuardedControl& c) {
  const std::int64_t slot = c.pairs.next;
  c.tables.scale[slot] = unit_over(c.now.moved);
  want<rules::Pair>(c.slots.pair, c.at.x, c.at.trial, c.at.g, c.told.g, c.s[slot], c.y[slot],
                    c.at.spare_g);
  give<rules::Pair>(c.slots.pair, c.now.scale, c.tables.scale[slot]);
  if (c.penalised) {
    const Followed& there = c.orthant_there;
    want<rules::Orthant>(c.slots.orthant, c.at.trial, c.at.spare_g, c.l1, c.lower, c.upper, there.g,
                         there.lower, there.upper);
    give<rules::Orthant>(c.slots.orthant, c.now.scale);
    want<rules::Composite>(c.slots.composite, c.at.x, c.at.trial, c.at.g, c.told.g, c.l1,
                           c.orthant.g, there.g, c.s[slot]);
    give<rules::Composite>(c.slots.composite, c.now.scale);
  } else if (c.bounded) {
    want<rules::Face>(c.slots.face, c.at.x, c.at.trial, c.at.g, c.told.g, c.lower, c.upper);
    give<rules::Face>(c.slots.face, c.now.scale);
  }
  with_proposer(c.proposer, [&](auto proposer) { proposer.measure(c); });
}

// f or g is not finite there.
MDBOPT_INLINE void hole(GuardedControl& c) {
  if (c.guard.state == kPlain) grow(c, kShorter);
  c.next = after_hole(c.guard, c.now, c.limits);
  if (c.guard.reopening != 0) reopen(c);
}

// What the last judgement left: a box to be opened anew, or a trial that is not finite.
MDBOPT_INLINE void go_on(GuardedControl& c) {
  if (c.guard.reopening != 0) return reopen(c);
  if (c.guard.state == kPlain) {
    grow(c, kShorter);
    if (!(c.guard.growth > 0.0)) return end(c.now, Status::kPrecision);
  }
  c.next = after_overshoot(c.guard);
}

// The paper's cut is by another normal than co-coercivity's, and teaches plain steps alone.
MDBOPT_INLINE void want_learn(GuardedControl& c) {
  GuardedSlots& slots = c.slots;
  void* s = c.s[c.pairs.next];
  void* y = c.y[c.pairs.next];
  const Learning by = learning(c.guard, c.now, c.trial, c.facts, c.limits);
  const bool hypergradient = !c.facts.cocoercive && c.guard.state == kPlain && !kept(c.trial);
  if (hypergradient) {
    want<rules::Hypergradient>(slots.hypergradient, c.at.g, c.told.g, c.normal);
    give<rules::Hypergradient>(slots.hypergradient, c.now.scale, 0.0);
  } else if (c.grouped) {
    want<rules::PairNormal>(slots.pair_normal, y, c.normal);
    give<rules::PairNormal>(slots.pair_normal, by.error);
  }
  if (hypergradient || c.grouped) {
    want<rules::LearnFrom>(slots.learn_from, s, y, c.normal, c.b);
    give<rules::LearnFrom>(slots.learn_from, by.cut, by.depth);
  } else {
    want<rules::Learn>(slots.learn, s, y, c.b);
    give<rules::Learn>(slots.learn, by.cut, by.depth, by.error);
  }
}

MDBOPT_INLINE void remember(GuardedControl& c, const Fit& fit) {
  const double curvature = c.trial.sy_stored;
  if (!(curvature > 0.0)) return;
  // Noise in y makes H₀ look too long, and a pair of it says little of D.
  const bool fits = c.trial.certain || c.pairs.count == 0;
  if (fits && !c.metric.fit(fit, curvature, c.tables.scale[c.pairs.last])) return;
  with_proposer(c.proposer, [&](auto proposer) { proposer.learn(c, fit); });
  c.tables.curvature[c.pairs.next] = curvature;
  c.pairs.keep();
}

// The plain step from x, times t.
MDBOPT_INLINE void want_proximal(GuardedControl& c, Slot& slot, double t) {
  using Rule = rules::Proximal<rules::LinearProximal>;
  want<Rule>(slot, c.at.x, c.at.g, c.b, c.l1, c.lower, c.upper, c.at.trial);
  give<Rule>(slot, c.facts.gamma * c.guard.growth * t, c.now.scale);
}

// Whether a coordinate is active at the trial that was not at x.
MDBOPT_INLINE bool closes(const GuardedControl& c) {
  return (c.penalised ? c.slots.composite.sums[4] : c.slots.face.sums[1]) > 0.0;
}

// x becomes the trial, or a copy of it where that stays.
MDBOPT_INLINE void move_to_trial(GuardedControl& c) {
  Vectors& at = c.at;
  with_proposer(c.proposer, [&](auto proposer) { proposer.move(c); });
  if (c.trial_stays) {
    want<rules::Scaled>(c.slots.copy, at.trial, at.spare_x);
    give<rules::Scaled>(c.slots.copy, 1.0);
    exchange(at.x, at.spare_x);
  } else {
    exchange(at.x, at.trial);
  }
  exchange(at.g, at.spare_g);
  if (c.penalised) {
    const Followed before = c.orthant;
    c.orthant = c.orthant_there;
    c.orthant_there = before;
  }
  c.moved = true;
  arrive(c.guard, c.now, c.trial, c.facts);
  if (c.now.gmax == 0.0) return;
  if (grow_after(c.guard, c.metric, c.promise_kept, c.facts.forward)) rescale(c, kFold);
  if (c.bounded && closes(c)) close_face(c);
  if (!count_step(c.guard, c.trial, c.promise_kept)) return;
  if (c.penalised) {
    // The next trial, whichever it is, is written there after this one.
    want_proximal(c, c.slots.within_decrease, 1.0);
  } else if (c.bounded) {
    want<rules::WithinDecrease>(c.slots.within_decrease, at.x, at.g, c.b, c.lower, c.upper);
    give<rules::WithinDecrease>(c.slots.within_decrease, c.facts.gamma * c.guard.growth,
                                c.now.scale);
  } else {
    want<rules::Decrease>(c.slots.decrease, at.g, c.b);
    give<rules::Decrease>(c.slots.decrease, c.now.scale, c.now.error_g);
  }
}

// Whether the window, if it is to be settled, owes a plain step.
MDBOPT_INLINE bool owes(GuardedControl& c) {
  const GuardedSlots& slots = c.slots;
  if (wanted(slots.within_decrease))
    return overdue(c.guard, c.now, 0.5 * slots.within_decrease.sums[0]);
  return wanted(slots.decrease) &&
         overdue(c.guard, c.now, 0.5 * c.facts.gamma * c.guard.growth * slots.decrease.sums[0]);
}

// --- the next trial ------------------------------------------------------------------------------
MDBOPT_INLINE void first(GuardedControl& c) {
  using Rule = rules::Trial<rules::UniformCandidate>;
  want<Rule>(c.slots.first, c.at.x, c.at.g, c.at.trial);
  give<Rule>(c.slots.first, c.guard.t * c.guard.unit_step, c.now.scale);
  if (c.penalised) {
    using Proximal = rules::Proximal<rules::UniformProximal>;
    want<Proximal>(c.slots.first_clip, c.at.x, c.at.g, c.l1, c.lower, c.upper, c.at.trial);
    give<Proximal>(c.slots.first_clip, c.guard.t * c.guard.unit_step, c.now.scale);
    return;
  }
  if (!c.bounded) return;
  using Clip = rules::Clip<rules::UniformClip>;
  want<Clip>(c.slots.first_clip, c.at.x, c.at.g, c.lower, c.upper, c.at.trial);
  give<Clip>(c.slots.first_clip, c.guard.t * c.guard.unit_step, c.now.scale);
}

MDBOPT_INLINE void along(GuardedControl& c) {
  want<rules::Along>(c.slots.along, c.at.x, c.delta, c.at.trial);
  give<rules::Along>(c.slots.along, c.guard.t);
  if (!c.bounded) return;
  const Followed at = followed(c);
  want<rules::AlongClip>(c.slots.along_clip, c.at.x, c.delta, at.g, at.lower, at.upper, c.at.trial);
  give<rules::AlongClip>(c.slots.along_clip, c.guard.t, c.now.scale);
}

MDBOPT_INLINE void direct(GuardedControl& c) {
  with_proposer(c.proposer, [&](auto proposer) { proposer.direct(c); });
  begin_direction(c.guard);
  along(c);
}

MDBOPT_INLINE void coast(GuardedControl& c) {
  const std::int64_t slot = c.pairs.last;
  want<rules::Coast>(c.slots.coast, c.s[slot], c.delta);
  give<rules::Coast>(c.slots.coast, kCoast / c.tables.scale[slot]);
  with_proposer(c.proposer, [&](auto proposer) { proposer.reset(c); });
  begin_direction(c.guard);
  along(c);
}

MDBOPT_INLINE void plain(GuardedControl& c) {
  using Rule = rules::Trial<rules::LinearCandidate>;
  begin_plain(c.guard);
  want<Rule>(c.slots.plain, c.at.x, c.at.g, c.b, c.at.trial);
  const double step = c.facts.gamma * c.guard.growth * c.guard.t;
  give<Rule>(c.slots.plain, step, c.now.scale);
  if (c.penalised) return want_proximal(c, c.slots.plain_clip, c.guard.t);
  if (!c.bounded) return;
  using Clip = rules::Clip<rules::LinearClip>;
  want<Clip>(c.slots.plain_clip, c.at.x, c.at.g, c.b, c.lower, c.upper, c.at.trial);
  give<Clip>(c.slots.plain_clip, step, c.now.scale);
}

// --- the decisions -------------------------------------------------------------------------------
// Takes f, and asks for the measure of the trial unless f says all.
struct Begin {
  using Control = GuardedControl;
  MDBOPT_INLINE static void take(GuardedControl& c) {
    skip_all(c.slots);
    skip_all(c.direction);
    skip_face(c);
    for_bundles(c, [](Bundle& bundle, bool) {
      bundle.products.skip = bundle.add_y.skip = bundle.dots.skip = bundle.add_s.skip = 1;
    });
    c.next = Next::kNone;
    if (c.told.cause != Cause::kAgain) c.promise_kept = false;
    switch (begin(c, c.guard.reopening == 0 && is_finite(c.now.moved))) {
      case Beginning::kNothing:
        return;
      case Beginning::kHole:
        return hole(c);
      case Beginning::kUnfinished:
        if (c.told.cause != Cause::kStart) return go_on(c);
        c.next = c.guard.state == kFirst ? Next::kFirst : Next::kDirection;
        return;
      case Beginning::kTrial:
        return measure(c);
    }
  }
};

// Takes that measure, and asks for the pair to be learnt.
struct Learn {
  using Control = GuardedControl;
  MDBOPT_INLINE static void take(GuardedControl& c) {
    if (!wanted(c.slots.pair)) return;
    Numbers& n = c.now;
    c.pairs.last = c.pairs.next;
    with_proposer(c.proposer, [&](auto proposer) { proposer.measured(c); });
    const double* composite = c.slots.composite.sums;
    double* sums = c.slots.pair.sums;
    if (c.penalised) {
      add_penalty(c, c.slots.orthant.sums[3]);
      sums[0] = composite[0];
      sums[1] = composite[1];
    }
    c.trial = measured(n, c.f_trial, sums, c.limits, c.facts.unaligned);
    n.trial_gmax = c.trial.gmax;
    if (c.bounded) n.trial_gmax = c.penalised ? c.slots.orthant.sums[1] : c.slots.face.sums[0];
    if (c.bounded && c.guard.state == kPlain) c.trial.promised = -c.guard.promised;
    measure_noise(n, c.f_trial, c.trial.gs, c.trial.gs_trial);
    if (out_of_range(n, c.f_trial, c.trial.gmax, kTooSteep)) {
      c.slots.pair.skip = 1;
      return hole(c);
    }
    c.trial.gmax = n.trial_gmax;
    open_box(c.guard, c.guard.t * c.guard.unit_step);
    if (learns(c.guard, n, c.trial)) want_learn(c);
  }
};

// Accepts or not.
struct Decide {
  using Control = GuardedControl;
  MDBOPT_INLINE static void take(GuardedControl& c) {
    if (!wanted(c.slots.pair)) return;
    Fit fit{};
    if (wanted(c.slots.learn)) fit = fit_of(c.slots.learn.sums);
    if (wanted(c.slots.learn_from)) fit = fit_of(c.slots.learn_from.sums);
    const bool won = wins(c.now, c.trial);
    if (c.guard.state == kPlain) {
      c.promise_kept = kept(c.trial);
      if (!c.promise_kept && break_promise(c.guard, c.now, c.metric, c.trial, fit)) {
        rescale(c, kFold);
      }
      if (c.trial.curved) remember(c, fit);
      if (!won && noisy(c.now) && !(fit.deepest >= 2.0)) c.guard.t *= kHalved;
      if (!won) c.next = after_plain_failure(c.guard, c.now, c.limits);
      if (c.guard.reopening != 0) reopen(c);
    } else if (won) {
      if (c.trial.curved) remember(c, fit);
    } else {
      const bool relearns =
          with_proposer(c.proposer, [](auto proposer) { return proposer.kRelearns; });
      c.next = after_failure(c.guard, c.trial, relearns);
      if (c.next == Next::kDirection) remember(c, fit);
    }
    if (won) move_to_trial(c);
  }
};

// Settles the window; asks for the next trial.
struct Choose {
  using Control = GuardedControl;
  MDBOPT_INLINE static void take(GuardedControl& c) {
    if (c.bounded) take_face(c);
    if (c.moved && wanted(c.slots.pair) && c.now.gmax != 0.0) {
      c.next = after_step(c.guard, c.trial, owes(c));
    }
    if (c.next == Next::kDirection && c.pairs.count == 0) c.next = Next::kPlain;
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
};

// The proposer has the sums that it asked for.
struct Direct {
  using Control = GuardedControl;
  MDBOPT_INLINE static void take(GuardedControl& c) {
    if (c.next != Next::kDirection) return;
    with_proposer(c.proposer, [&](auto proposer) { proposer.again(c); });
  }
};

// Takes what was tried, or asks for a plain step.
struct Arrive {
  using Control = GuardedControl;
  MDBOPT_INLINE static void take(GuardedControl& c) {
    Numbers& n = c.now;
    const bool is_first = wanted(c.slots.first);
    if (!is_first && !wanted(c.slots.along)) return;
    n.moved = is_first ? c.slots.first.sums[2] : c.slots.along.sums[0];
    if (c.bounded) {
      n.moved = is_first ? c.slots.first_clip.sums[2] : c.slots.along_clip.sums[0];
      c.guard.over = is_first ? 0.0 : c.slots.along_clip.sums[2];
    }
    if (c.next == Next::kDirection && refused(c)) {
      forget(c);
      plain(c);
    } else if (is_finite(n.moved) && too_short(n, n.moved, c.limits)) {
      plain(c);
    }
  }

 private:
  // Whether the direction does not lead downhill. One that is not finite would spoil the next that
  // is built on it.
  MDBOPT_INLINE static bool refused(GuardedControl& c) {
    return with_proposer(c.proposer, [&](auto proposer) {
      const double slope = c.bounded ? c.slots.along_clip.sums[1] : proposer.slope(c);
      if (proposer.kReadsDelta && !is_finite(slope)) clear_delta(c);
      return !downhill(slope);
    });
  }
};

// Takes the plain step, and ends the judgement. A trial that is not finite is to be made shorter, a
// spent box to be opened anew.
struct Finish {
  using Control = GuardedControl;
  MDBOPT_INLINE static void take(GuardedControl& c) {
    Numbers& n = c.now;
    if (wanted(c.slots.plain)) {
      const double* sums = (c.bounded ? c.slots.plain_clip : c.slots.plain).sums;
      const double decrease = sums[0];
      if (c.bounded) c.guard.promised = 0.5 * decrease;
      n.moved = is_finite(decrease) ? sums[2] : decrease;
      if (is_finite(n.moved)) spend_if_too_short(c.guard, n, decrease, c.limits);
    }
    finish(c, c.guard.reopening == 0 && is_finite(n.moved),
           [](const Numbers& now) { return patience(now); });
  }
};

}  // namespace mdbopt::search::guarded
