// set – the sets of candidates as walks in the order of a judgement: fused ones, or step by step with
// groups and refinement.
#include "set.h"

#include <mdbopt/error.h>

#include <algorithm>
#include <cmath>

#include "../engine/partition.h"

namespace mdbopt::search {
namespace {

// Newton's steps have long met the last digit.
constexpr int kMostRefinements = 100;

double gamma_of(const SetFacts& facts) {
  const double d = facts.dimension;
  if (facts.kind == ShapeKind::kBox) return 1.0 / (2.0 * d);
  return facts.kind == ShapeKind::kEllipsoid ? 1.0 / std::sqrt(2.0 * d) : 0.5;
}

}  // namespace

ShapeKind shape_of(const std::string& method) {
  if (method == "box") return ShapeKind::kBox;
  if (method == "simplex") return ShapeKind::kSimplex;
  if (method == "ellipsoid") return ShapeKind::kEllipsoid;
  if (method == "backtracking") return ShapeKind::kOneStepSize;
  throw Error("method: expected box, ellipsoid, simplex or backtracking, got '" + method + "'");
}

Set::Set(const Options& options, const RuleRunner& runner) : runner_(runner), set_runner_(runner) {
  facts_.kind = shape_of(options.method);
  facts_.cocoercive = options.cocoercive;
  facts_.gradient_direction = ellipsoid() && options.gradient_direction;
  if (ellipsoid()) refine_ = options.refine;
  if (!uniform()) {
    if (!options.groups.empty()) {
      groups_ = Groups(options.groups, runner_.where(), runner_.execution->reduction);
    }
    if (!groups_.empty()) set_runner_.size = groups_.count();
    set_ = set_runner_.filled(1.0);
    if (!fused()) normal_ = runner_.zeros(Dtype::kFloat64);
    if (!groups_.empty()) {
      sums_ = set_runner_.zeros(Dtype::kFloat64);
      point_ = set_runner_.zeros(Dtype::kFloat64);
      candidate_ = runner_.zeros(Dtype::kFloat64);
    }
    facts_.dimension = groups_.empty() ? runner_.elements() : static_cast<double>(groups_.count());
  }
  facts_.gamma = std::isnan(options.gamma) ? gamma_of(facts_) : options.gamma;
}

void Set::link(SetsControl& c) const {
  c.grouped = !groups_.empty();
  c.refine = refine_;
  c.array = set_.data();
  c.normal = normal_.data();
  c.sums = sums_.data();
  c.point = point_.data();
  c.candidate = candidate_.data();
}

void Set::secant(Builder& builder, SetsControl& c) const {
  if (uniform()) return;
  if (!groups_.empty() || !ellipsoid())
    builder.gather<rules::Secant<rules::BoxSecant>>(c.slots.secant);
  else if (facts_.gradient_direction)
    builder.gather<rules::Secant<rules::EllipsoidSecant>>(c.slots.secant);
  else
    builder.gather<rules::Secant<rules::PlainEllipsoidSecant>>(c.slots.secant);
}

// What the candidate in the gradient's direction is made of, up to what `slots` wants of it.
void Set::candidate(Builder& builder, CandidateSlots& slots, bool there) const {
  const auto take_norm = [&] {
    if (there)
      builder.decide<sets::TakeNormThere>();
    else
      builder.decide<sets::TakeNormHere>();
  };
  if (groups_.empty()) {
    if (!facts_.gradient_direction) return;
    builder.gather<rules::EllipsoidNorm>(slots.norm);
    return take_norm();
  }
  if (facts_.gradient_direction) {
    builder.apply<rules::Square>(slots.square).aligned = false;
    builder.sum_groups(slots.square, normal_.data(), sums_.data());
    builder.gather<rules::EllipsoidCandidate>(slots.candidate, Over::kGroups);
    take_norm();
    builder.apply<rules::EllipsoidCandidate>(slots.candidate, Over::kGroups);
  }
  const Buffer& from = facts_.gradient_direction ? point_ : set_;
  builder.spread_groups(slots.spread, from.data(), candidate_.data());
}

// With groups or refinement: the normal, its sums, and the cut by them.
template <class Shape>
void Set::cut_apart(Builder& builder, SetsControl& c) const {
  const Over set = over();
  SetsSlots& slots = c.slots;
  builder.apply<rules::Hypergradient>(slots.hypergradient).aligned = false;
  if (!groups_.empty()) builder.sum_groups(slots.hypergradient, normal_.data(), sums_.data());
  if (ellipsoid() && refine_ == 0) {
    builder.gather<rules::EllipsoidCut>(slots.cut, set);
    builder.decide<sets::SolveCut>();
    builder.apply<rules::EllipsoidCut>(slots.cut, set);
    return;
  }
  if (ellipsoid()) {
    builder.gather<rules::EllipsoidShrink>(slots.shrink, set);
    builder.decide<sets::BeginRefining>();
    for (int k = 0; k < std::min(refine_, kMostRefinements); ++k) {
      builder.gather<rules::EllipsoidShrink>(slots.shrink, set);
      builder.decide<sets::Refine>();
    }
    builder.decide<sets::EndRefining>();
  }
  builder.apply<rules::Cut<Shape>>(slots.cut, set);
}

void Set::cut(Builder& builder, SetsControl& c) const {
  if (uniform()) return;
  builder.apply<rules::Rescale>(c.slots.rescale, over());
  const bool apart = !fused();
  switch (facts_.kind) {
    case ShapeKind::kBox:
      if (apart) return cut_apart<rules::Box>(builder, c);
      builder.apply<rules::CutTrial<rules::Box>>(c.slots.cut);
      return clip(builder, c, c.slots.cut_clip);
    case ShapeKind::kSimplex:
      if (apart) return cut_apart<rules::Simplex>(builder, c);
      builder.apply<rules::CutTrial<rules::Simplex>>(c.slots.cut);
      return clip(builder, c, c.slots.cut_clip);
    default:
      if (apart) return cut_apart<rules::Ellipsoid>(builder, c);
      if (!facts_.gradient_direction) {
        builder.apply<rules::CutTrial<rules::Ellipsoid>>(c.slots.cut);
        return clip(builder, c, c.slots.cut_clip);
      }
      builder.apply<rules::EllipsoidCutPair>(c.slots.cut);
      builder.decide<sets::TakeCutNorm>();
  }
}

void Set::accept(Builder& builder, SetsControl& c) const {
  if (uniform()) return;
  candidate(builder, c.slots.there, true);
  Slot& slot = c.slots.accept;
  using Linear = rules::LinearCandidate;
  using Gradient = rules::GradientDirectionCandidate;
  const bool gradient = groups_.empty() && facts_.gradient_direction;
  if (c.trial_stays && gradient)
    builder.apply<rules::Advance<Gradient>>(slot);
  else if (c.trial_stays)
    builder.apply<rules::Advance<Linear>>(slot);
  else if (gradient)
    builder.apply<rules::Accept<Gradient>>(slot);
  else
    builder.apply<rules::Accept<Linear>>(slot);
  clip(builder, c, c.slots.accept_clip);
}

void Set::propose(Builder& builder, SetsControl& c) const {
  if (uniform()) return;
  candidate(builder, c.slots.here, false);
  if (groups_.empty() && facts_.gradient_direction)
    builder.apply<rules::Trial<rules::GradientDirectionCandidate>>(c.slots.trial);
  else
    builder.apply<rules::Trial<rules::LinearCandidate>>(c.slots.trial);
  clip(builder, c, c.slots.trial_clip);
}

// With bounds, in the pass of the walk that proposes.
void Set::clip(Builder& builder, const SetsControl& c, Slot& slot) const {
  if (c.penalised)
    builder.apply<rules::Proximal<rules::LinearProximal>>(slot).joins = true;
  else if (c.bounded)
    builder.apply<rules::Clip<rules::LinearClip>>(slot).joins = true;
}

void Set::step_sizes(const Extent& extent, double* out) const {
  const double factor = plain_step(facts_, extent) * extent.scale;
  const RuleRunner wide = runner_.of(runner_.size, Dtype::kFloat64);
  if (uniform()) {
    static const std::size_t fill = find_rule("fill");
    wide.run(fill, {out}, {factor});
    return;
  }
  static const std::size_t scaled = find_rule("scaled");
  if (groups_.empty()) {
    wide.run(scaled, {set_.data(), out}, {factor});
    return;
  }
  Buffer spread = wide.zeros();
  spread_groups(groups_.partition(), set_.doubles(), spread.doubles(), *runner_.execution);
  wide.run(scaled, {spread.data(), out}, {factor});
}

void Set::fields(Fields& fields, const std::string& prefix, Extent& extent, double scale,
                 const Range& size) {
  fields.same(prefix + "gamma", facts_.gamma);
  if (ellipsoid()) {
    fields.word(prefix + "direction", facts_.gradient_direction ? "gradient" : "plain");
    fields.same_count(prefix + "refine", refine_);
  }
  fields.number(prefix + "growth", extent.growth, {0.0, kLargestGrowth});
  fields.number(prefix + "norm2", extent.norm2, size);
  fields.number(prefix + "gradient_scale", extent.scale, kPositive);
  fields.agree(prefix + "gradient_scale", extent.scale == scale, "the same as scale");
  if (!uniform()) fields.array(prefix + (ellipsoid() ? "axes" : "b"), set_, size);
  if (!groups_.empty()) fields.array(prefix + "candidate", candidate_, size);
}

}  // namespace mdbopt::search
