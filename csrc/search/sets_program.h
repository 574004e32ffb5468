// sets_program – multidimensional backtracking as decisions between walks; multidimensional.h says what
// it is, Multidimensional::steps in which order they come.
#pragma once

#include "judgement.h"
#include "judging.h"

namespace mdbopt::search {

// A set: what it keeps for its life, and how large it is.
struct Sized {
  SetFacts facts;
  Extent extent;
};

// What the candidate that a gradient points to needs before it can be proposed.
struct CandidateSlots {
  Slot norm;       // the ellipsoid's, without groups
  Slot square;     // with groups: g²,
  Slot candidate;  // and, from its sums, the candidate of each group
  Slot
      spread;  // with groups: no walk of its own, but a flag for the candidate's way to coordinates
};

struct SetsSlots {
  Slot uniform_secant, uniform_accept, uniform_trial;  // of one step size
  Slot secant, accept, trial;                          // of a set with an array
  Slot step_secant;                                    // with bounds, and behind what proposes:
  Slot uniform_accept_clip, uniform_trial_clip, accept_clip, trial_clip, cut_clip;
  CandidateSlots there, here;  // for accept, and for trial
  Slot rescale, hypergradient, shrink, cut;
};

struct SetsControl : Judgement {
  double forward = 1.0;
  Sized set, seeker;  // the user's, and one step size that looks for its scale
  Proposal proposal;
  std::int64_t seeking = 0;        // the seeker proposes
  std::int64_t seek_rejected = 0;  // and was refused once
  std::int64_t growing =
      0;  // how often the first set has grown to move x at all; −1: it has started

  bool grouped = false;
  std::int64_t refine = 0;                  // Newton steps of the ellipsoid's shrink
  void* array = nullptr;                    // of the set
  void *normal = nullptr, *sums = nullptr;  // with groups or refinement: u, and its sums per group
  void *point = nullptr, *candidate = nullptr;  // with groups: per group, and per coordinate

  // Of one judgement.
  Slot* proposing = nullptr;  // the walk that writes the next trial
  Slot* clipping = nullptr;   // with bounds, the walk behind it
  bool was_seeking = false;
  double grown = 1.0;  // by what an accepted step grows its set
  bool refining = false;
  double refined = 0.0, largest = 0.0, cut_by = 0.0;  // λ on its way, and what it began from

  SetsSlots slots{};
};

namespace sets {

inline constexpr double kSeekGrowth = 10.0;
// The first set reaches this far beyond the step that the scalar search found; cuts are cheap,
// growth is slow.
inline constexpr double kSetOverStep = 100.0;
// Of the first set, to move x at all.
inline constexpr std::int64_t kMostGrowing = 1100;

MDBOPT_INLINE Sized& active(SetsControl& c) { return c.seeking != 0 ? c.seeker : c.set; }
MDBOPT_INLINE bool uniform(SetsControl& c) {
  return active(c).facts.kind == ShapeKind::kOneStepSize;
}
MDBOPT_INLINE double cocoercive(const SetsControl& c) { return c.set.facts.cocoercive ? 1.0 : 0.0; }
// With groups a candidate in the gradient's direction is made, not only scaled.
MDBOPT_INLINE bool makes_candidate(const SetsControl& c) {
  return c.grouped && c.set.facts.gradient_direction;
}
// What a walk over the coordinates multiplies by its step.
MDBOPT_INLINE void* per_coordinate(const SetsControl& c) {
  return c.grouped ? c.candidate : c.array;
}
MDBOPT_INLINE double step_of(SetsControl& c) {
  const Sized& set = active(c);
  return !uniform(c) && makes_candidate(c) ? 1.0 : step(set.facts, set.extent);
}

MDBOPT_INLINE void grow(SetsControl& c, double factor) {
  Sized& set = active(c);
  if (!set_growth(set.facts, set.extent, set.extent.growth * factor)) return;
  want<rules::Rescale>(c.slots.rescale, c.array);
  give<rules::Rescale>(c.slots.rescale, kFold, kUnitSet);
}

// --- proposals -----------------------------------------------------------------------------------
// Whether the candidate must be made first, from this gradient.
MDBOPT_INLINE bool want_candidate(SetsControl& c, CandidateSlots& slots, void* g) {
  const double scale = c.set.extent.scale;
  if (c.grouped) slots.spread.skip = 0;
  if (!c.set.facts.gradient_direction) return false;
  if (c.grouped) {
    want<rules::Square>(slots.square, g, c.normal);
    give<rules::Square>(slots.square, scale);
    want<rules::EllipsoidCandidate>(slots.candidate, c.sums, c.array, c.point);
    give<rules::EllipsoidCandidate>(slots.candidate, c.set.facts.gamma * c.set.extent.growth);
  } else {
    want<rules::EllipsoidNorm>(slots.norm, g, c.array);
    give<rules::EllipsoidNorm>(slots.norm, scale);
  }
  return true;
}

// The norms are summed.
MDBOPT_INLINE void take_norm(SetsControl& c, CandidateSlots& slots) {
  using Candidate = rules::EllipsoidCandidate;
  if (wanted(slots.norm)) c.set.extent.norm2 = slots.norm.sums[0];
  if (!wanted(slots.candidate)) return;
  Slot& slot = slots.candidate;
  auto& coef = *reinterpret_cast<Candidate::Coef*>(slot.coef.bytes);
  c.set.extent.norm2 = slot.sums[0];
  if (!Candidate::solve(slot.sums, slot.elements, coef)) coef.step = 0.0;
}

// Walks that propose differ in their streams, not in their scalars.
MDBOPT_INLINE void give_step(SetsControl& c) {
  using Rule = rules::Trial<rules::LinearCandidate>;
  static_assert(sizeof(Rule::Coef) == sizeof(rules::Trial<rules::UniformCandidate>::Coef) &&
                sizeof(Rule::Coef) ==
                    sizeof(rules::Trial<rules::GradientDirectionCandidate>::Coef));
  give<Rule>(*c.proposing, step_of(c), active(c).extent.scale);
  if (!c.bounded) return;
  using Clip = rules::Clip<rules::LinearClip>;
  static_assert(sizeof(Clip::Coef) == sizeof(rules::Clip<rules::UniformClip>::Coef) &&
                sizeof(Clip::Coef) == sizeof(rules::Proximal<rules::LinearProximal>::Coef) &&
                sizeof(Clip::Coef) == sizeof(rules::Proximal<rules::UniformProximal>::Coef));
  give<Clip>(*c.clipping, step_of(c), active(c).extent.scale);
}

// Behind the walk that writes this trial from x and g.
MDBOPT_INLINE void want_clip(SetsControl& c, Slot& slot, void* x, void* g, void* trial) {
  if (!c.bounded) return;
  c.clipping = &slot;
  if (c.penalised && uniform(c))
    want<rules::Proximal<rules::UniformProximal>>(slot, x, g, c.l1, c.lower, c.upper, trial);
  else if (c.penalised)
    want<rules::Proximal<rules::LinearProximal>>(slot, x, g, per_coordinate(c), c.l1, c.lower,
                                                 c.upper, trial);
  else if (uniform(c))
    want<rules::Clip<rules::UniformClip>>(slot, x, g, c.lower, c.upper, trial);
  else
    want<rules::Clip<rules::LinearClip>>(slot, x, g, per_coordinate(c), c.lower, c.upper, trial);
}

MDBOPT_INLINE void want_trial(SetsControl& c) {
  const Vectors& at = c.at;
  if (uniform(c)) {
    c.proposing = &c.slots.uniform_trial;
    want<rules::Trial<rules::UniformCandidate>>(*c.proposing, at.x, at.g, at.trial);
    want_clip(c, c.slots.uniform_trial_clip, at.x, at.g, at.trial);
  } else {
    c.proposing = &c.slots.trial;
    want<rules::Trial<rules::LinearCandidate>>(*c.proposing, at.x, at.g, per_coordinate(c),
                                               at.trial);
    want_clip(c, c.slots.trial_clip, at.x, at.g, at.trial);
    want_candidate(c, c.slots.here, at.g);
  }
  give_step(c);
}

// No smaller set leaves the range of what its size may be.
MDBOPT_INLINE void shrink(SetsControl& c, double factor) {
  grow(c, factor);
  want_trial(c);
}

// f or g is not finite at the trial.
MDBOPT_INLINE void fail(SetsControl& c) {
  if (c.seeking != 0) c.seek_rejected = 1;
  shrink(c, kQuarter);
}

// --- an accepted trial ---------------------------------------------------------------------------
MDBOPT_INLINE void resize(Sized& set, double initial_scale) {
  const SetFacts& facts = set.facts;
  const bool per_coordinate = facts.kind == ShapeKind::kBox || facts.kind == ShapeKind::kEllipsoid;
  const double growth = per_coordinate ? initial_scale * facts.dimension : initial_scale;
  set_growth(facts, set.extent, smaller(kLargestGrowth, growth));
}

// x moves to the trial, or to a copy of it where the trial stays; the next takes a place of its own.
MDBOPT_INLINE void want_accept(SetsControl& c) {
  const Vectors& at = c.at;
  void* x = c.trial_stays ? at.spare_x : at.trial;
  void* trial = c.trial_stays ? at.trial : at.spare_x;
  if (uniform(c)) {
    c.proposing = &c.slots.uniform_accept;
    want<rules::Accept<rules::UniformCandidate>>(*c.proposing, x, c.told.g, trial, at.spare_g);
    want_clip(c, c.slots.uniform_accept_clip, x, c.told.g, trial);
  } else {
    c.proposing = &c.slots.accept;
    want<rules::Accept<rules::LinearCandidate>>(*c.proposing, x, c.told.g, per_coordinate(c), trial,
                                                at.spare_g);
    want_clip(c, c.slots.accept_clip, x, c.told.g, trial);
    want_candidate(c, c.slots.there, c.told.g);
  }
  give_step(c);
}

MDBOPT_INLINE void accept(SetsControl& c) {
  c.was_seeking = c.seeking != 0;
  c.grown = 1.0;
  if (c.seeking == 0) {
    c.grown = c.forward;
  } else if (c.seek_rejected == 0) {
    c.grown = kSeekGrowth;
  } else {
    c.seeking = 0;
    resize(c.set, kSetOverStep * c.seeker.extent.growth);
  }
  grow(c, c.grown);
  want_accept(c);
}

MDBOPT_INLINE bool accepting(const SetsControl& c) {
  return c.proposing == &c.slots.accept || c.proposing == &c.slots.uniform_accept;
}

MDBOPT_INLINE void arrive(SetsControl& c) {
  Vectors& at = c.at;
  if (c.trial_stays) {
    exchange(at.x, at.spare_x);
  } else {
    void* before = at.x;
    at.x = at.trial;
    at.trial = at.spare_x;
    at.spare_x = before;
  }
  exchange(at.g, at.spare_g);
  c.moved = true;
}

// --- a cut ---------------------------------------------------------------------------------------
MDBOPT_INLINE void cut_done(SetsControl& c, bool cuts) {
  if (cuts)
    ++c.now.ncut;
  else
    grow(c, kHalf);
  want_trial(c);
}

// With groups or refinement the normal is a walk of its own.
MDBOPT_INLINE void cut_apart(SetsControl& c, double nu) {
  const SetFacts& facts = c.set.facts;
  const double deep = depth(facts);
  SetsSlots& slots = c.slots;
  want<rules::Hypergradient>(slots.hypergradient, c.at.g, c.told.g, c.normal);
  give<rules::Hypergradient>(slots.hypergradient, c.set.extent.scale, cocoercive(c));
  void* u = c.grouped ? c.sums : c.normal;
  // Its λ is of no use for an ellipsoid, whose spread is not known here.
  const Cutting by = cutting(facts, c.set.extent, 0.0, nu);
  if (facts.kind != ShapeKind::kEllipsoid) {
    want<rules::Cut<rules::Simplex>>(slots.cut, u, c.array);
    give<rules::Cut<rules::Simplex>>(slots.cut, by.cut, by.lambda, deep);
    cut_done(c, true);
  } else if (c.refine > 0) {
    c.cut_by = by.cut;
    want<rules::EllipsoidShrink>(slots.shrink, u, c.array);
    give<rules::EllipsoidShrink>(slots.shrink, by.cut, 1.0);
  } else {
    want<rules::EllipsoidCut>(slots.cut, u, c.array);
    give<rules::EllipsoidCut>(slots.cut, by.cut, deep);
  }
}

MDBOPT_INLINE void cut(SetsControl& c, const Secant& secant, double nu) {
  const SetFacts& facts = c.set.facts;
  Extent& extent = c.set.extent;
  if (facts.kind == ShapeKind::kOneStepSize) {
    return cut_done(c, cut_growth(facts, extent, secant.spread, nu));
  }
  if (c.grouped || c.refine > 0) return cut_apart(c, nu);
  const Cutting by = cutting(facts, extent, secant.spread, nu);
  if (!by.cuts) return cut_done(c, false);
  ++c.now.ncut;
  const double deep = depth(facts);
  Slot& slot = c.slots.cut;
  const Vectors& at = c.at;
  if (facts.gradient_direction) {
    want<rules::EllipsoidCutPair>(slot, at.g, c.told.g, c.array);
    give<rules::EllipsoidCutPair>(slot, by.cut, by.lambda, extent.scale, cocoercive(c), deep);
    return;
  }
  using Rule = rules::CutTrial<rules::Simplex>;  // whose numbers serve all shapes; a box has no λ
  c.proposing = &slot;
  want<Rule>(slot, at.x, at.g, c.told.g, c.array, at.trial);
  give<Rule>(slot, by.cut, step(facts, extent), by.lambda, extent.scale, cocoercive(c), deep);
  if (!c.bounded) return;
  want_clip(c, c.slots.cut_clip, at.x, at.g, at.trial);
  give<rules::Clip<rules::LinearClip>>(*c.clipping, step(facts, extent), extent.scale);
}

MDBOPT_INLINE void reject(SetsControl& c, const Secant& secant) {
  Numbers& n = c.now;
  if (c.seeking != 0) {
    c.seek_rejected = 1;
    const double minimiser = -c.proposal.slope() / secant.curvature;
    return shrink(c, is_finite(minimiser) ? clamped(minimiser, 0.1, kHalf) : kHalf);
  }
  const double nu =
      excluding(n, c.proposal, secant, c.f_trial, c.set.facts.cocoercive, c.bounded, c.limits);
  if (!(nu > 0.0)) return shrink(c, kHalf);
  cut(c, secant, nu);
}

// --- the decisions -------------------------------------------------------------------------------
MDBOPT_INLINE void want_secant(SetsControl& c) {
  const double scale = active(c).extent.scale;
  using Rule = rules::Secant<rules::BoxSecant>;
  static_assert(sizeof(Rule::Coef) == sizeof(rules::Secant<rules::GradientSecant>::Coef));
  Slot& slot = uniform(c) ? c.slots.uniform_secant : c.slots.secant;
  if (uniform(c))
    want<rules::Secant<rules::GradientSecant>>(slot, c.at.g, c.told.g);
  else
    want<Rule>(slot, c.at.g, c.told.g, per_coordinate(c));
  give<Rule>(slot, step_of(c), scale, cocoercive(c));
  if (!c.bounded) return;
  want<rules::StepSecant>(c.slots.step_secant, c.at.x, c.at.trial, c.at.g, c.told.g);
  give<rules::StepSecant>(c.slots.step_secant, scale);
}

// Takes f, and accepts or asks for the secant.
struct Begin {
  using Control = SetsControl;
  MDBOPT_INLINE static void take(SetsControl& c) {
    skip_all(c.slots);
    c.proposing = c.clipping = nullptr;
    switch (begin(c, c.proposal.finite())) {
      case Beginning::kNothing:
        return;
      case Beginning::kHole:
        return fail(c);
      case Beginning::kUnfinished:
        if (c.told.cause == Cause::kStart) return want_trial(c);
        return shrink(c, c.growing > 0 ? kSeekGrowth : kQuarter);
      case Beginning::kTrial:
        break;
    }
    Numbers& n = c.now;
    add_penalty(c, c.proposal.penalty);
    if (noise(n, c.f_trial, c.limits) || !keeps_promise(n, c.proposal, c.f_trial)) {
      return want_secant(c);
    }
    measure_noise(n, c.f_trial, c.proposal.slope(), kUnknownSlope);
    accept(c);
  }
};

// Accepts, cuts or shrinks by the secant.
struct Choose {
  using Control = SetsControl;
  MDBOPT_INLINE static void take(SetsControl& c) {
    const bool one = wanted(c.slots.uniform_secant);
    if (!one && !wanted(c.slots.secant)) return;
    Numbers& n = c.now;
    const double* sums = one ? c.slots.uniform_secant.sums : c.slots.secant.sums;
    Secant secant{sums[0], sums[1], sums[2], sums[3]};
    if (c.bounded) {
      secant.slope = c.slots.step_secant.sums[0];
      secant.curvature = c.slots.step_secant.sums[1];
    }
    // ⟨g⁺, s⟩ is ⟨g, s⟩ + ⟨s, y⟩, and what the penalty grows by is the same in both slopes.
    if (c.penalised) secant.slope = -(c.proposal.slope() + secant.curvature);
    measure_noise(n, c.f_trial, c.proposal.slope(), -secant.slope);
    if (noise(n, c.f_trial, c.limits) && keeps_promise(n, c.proposal, secant)) return accept(c);
    n.trial_gmax = secant.gmax;
    if (out_of_range(n, c.f_trial, secant.gmax, kHuge)) return fail(c);
    reject(c, secant);
  }
};

// λ by Newton on the concave log-volume, from the closed form's downwards.
struct BeginRefining {
  using Control = SetsControl;
  MDBOPT_INLINE static void take(SetsControl& c) {
    Slot& slot = c.slots.shrink;
    c.refining = wanted(slot);
    if (!c.refining) return;
    c.refined = c.largest = closed_form_lambda(slot.sums[2], c.set.facts.dimension);
    if (c.largest > 0.0 && c.largest < 1.0)
      give<rules::EllipsoidShrink>(slot, c.cut_by, c.refined);
    else
      slot.skip = 1;
  }
};

struct Refine {
  using Control = SetsControl;
  MDBOPT_INLINE static void take(SetsControl& c) {
    Slot& slot = c.slots.shrink;
    if (!wanted(slot)) return;
    const double before = c.refined;
    const bool descends = slot.sums[1] > 0.0 && is_finite(slot.sums[0]);
    if (descends) {
      c.refined = clamped(before + slot.sums[0] / slot.sums[1], 0.1 * before, c.largest);
    }
    if (c.refined != before)
      give<rules::EllipsoidShrink>(slot, c.cut_by, c.refined);
    else
      slot.skip = 1;  // the last digit is met
  }
};

struct EndRefining {
  using Control = SetsControl;
  MDBOPT_INLINE static void take(SetsControl& c) {
    if (!c.refining) return;
    const bool cuts = c.refined < 1.0;
    if (cuts) {
      using Rule = rules::Cut<rules::Ellipsoid>;
      want<Rule>(c.slots.cut, c.grouped ? c.sums : c.normal, c.array);
      give<Rule>(c.slots.cut, c.cut_by, c.refined, depth(c.set.facts));
    }
    cut_done(c, cuts);
  }
};

// λ in closed form, from the spread that the cut itself gathers.
struct SolveCut {
  using Control = SetsControl;
  MDBOPT_INLINE static void take(SetsControl& c) {
    using Rule = rules::EllipsoidCut;
    Slot& slot = c.slots.cut;
    if (!wanted(slot)) return;
    const bool cuts =
        Rule::solve(slot.sums, slot.elements, *reinterpret_cast<Rule::Coef*>(slot.coef.bytes));
    if (!cuts) slot.skip = 1;
    cut_done(c, cuts);
  }
};

// The cut has left the norm of what it cut.
struct TakeCutNorm {
  using Control = SetsControl;
  MDBOPT_INLINE static void take(SetsControl& c) {
    if (!wanted(c.slots.cut)) return;
    c.set.extent.norm2 = c.slots.cut.sums[0];
    c.proposing = &c.slots.trial;
    want<rules::Trial<rules::LinearCandidate>>(*c.proposing, c.at.x, c.at.g, c.array, c.at.trial);
    give_step(c);
  }
};

struct TakeNormThere {
  using Control = SetsControl;
  MDBOPT_INLINE static void take(SetsControl& c) {
    take_norm(c, c.slots.there);
    if (accepting(c)) give_step(c);
  }
};

struct TakeNormHere {
  using Control = SetsControl;
  MDBOPT_INLINE static void take(SetsControl& c) {
    take_norm(c, c.slots.here);
    if (c.proposing == &c.slots.trial) give_step(c);
  }
};

// x moves, unless the gradient there is out of range.
struct Arrive {
  using Control = SetsControl;
  MDBOPT_INLINE static void take(SetsControl& c) {
    if (!accepting(c)) return;
    const double gmax = c.proposing->sums[1];
    c.now.trial_gmax = gmax;
    if (out_of_range(c.now, c.f_trial, gmax, kHuge)) {
      c.seeking = c.was_seeking ? 1 : 0;
      grow(c, 1.0 / c.grown);
      return fail(c);
    }
    if (c.bounded) c.now.trial_gmax = c.clipping->sums[1];
    c.now.gmax = c.now.trial_gmax;
    arrive(c);
  }
};

// Takes what was proposed. A point that is not finite is to be proposed again from a smaller set,
// unless nothing smaller is left to try.
struct Finish {
  using Control = SetsControl;
  MDBOPT_INLINE static void take(SetsControl& c) {
    if (c.proposing != nullptr) {
      const double* sums = (c.bounded ? c.clipping : c.proposing)->sums;
      c.proposal = {sums[0], sums[1], sums[2], c.bounded ? sums[3] : sums[0],
                    c.penalised ? sums[4] : 0.0};
      c.now.moved = c.proposal.moved;
    }
    const bool smaller_left = active(c).extent.growth > kSmallestGrowth;
    bool ready = c.proposal.finite() || !smaller_left;
    if (c.growing >= 0) {
      // A first set too small to move x at all: growing it costs no evaluation.
      const bool grows = c.proposal.moved == 0.0 && c.growing < kMostGrowing;
      c.growing = grows ? c.growing + 1 : -1;
      ready = ready && !grows;
    }
    if (ready && c.proposing != nullptr) end_if_too_short(c.now, c.proposal, c.limits);
    finish(c, ready, [](const Numbers& n) { return patience_of_set(n); });
  }
};

}  // namespace sets
}  // namespace mdbopt::search
