// set – the sets of candidates as launches of rules: fused walks, or step by step with groups and
// refinement.
#include "set.h"

#include <algorithm>
#include <cmath>

#include "shape.h"

namespace mdbopt::search {

namespace {

// The range of a set's size: squares of it, of step sizes within it and of gradients near 1 stay
// finite.
constexpr double kLargestGrowth = 0x1p400;
constexpr double kSmallestGrowth = 0x1p-900;
// Cuts lower single step sizes and growth lowers none, so that the size runs away upwards: it goes
// into the array then.
constexpr double kFold = 0x1p300;
// The largest factor by which one pair may cut one step size: far beyond the 2 that the proofs
// need.
constexpr double kDepth = 100.0;

// λ of the closed form (algorithms of the paper, appendix D), with ℓ = Σ u² a. Not below 1: no cut.
double closed_form_lambda(double ell, double d) {
  return ell > 1.0 ? ell / d * ((d - 1.0) / (ell - 1.0)) : 1.0;
}

}  // namespace

bool Proposal::finite() const {
  return std::isfinite(decrease) && std::isfinite(gmax) && std::isfinite(moved);
}

Set::Set(const Options& options, const std::string& method, std::size_t size, Dtype dtype)
    : shape_(&shape_of(method, options.gradient_direction)),
      walks_{size, dtype, options.execution},
      set_walks_(walks_),
      refine_(shape_->kind == Shape::kEllipsoid ? options.refine : 0),
      cocoercive_(options.cocoercive) {
  if (shape_->kind != Shape::kOneStepSize) {
    if (!options.groups.empty()) groups_ = Groups(options.groups);
    const std::size_t count = groups_.empty() ? size : groups_.count();
    set_walks_.size = count;
    set_ = filled(count, 1.0);
    if (!fused()) normal_ = filled(size, 0.0);
    if (!groups_.empty()) {
      sums_ = filled(count, 0.0);
      point_ = filled(count, 0.0);
      candidate_ = filled(size, 0.0);
    }
  }
  gamma_ = std::isnan(options.gamma) ? shape_->gamma(dimension()) : options.gamma;
}

double Set::dimension() const {
  if (shape_->kind == Shape::kOneStepSize) return 1.0;
  return static_cast<double>(groups_.empty() ? walks_.size : groups_.count());
}

// The paper's cut stays as published; see rules/shapes.h for the limit.
double Set::depth() const {
  constexpr double kNoLimit = 1e300;
  if (!cocoercive_) return kNoLimit;
  if (shape_->kind == Shape::kSimplex) return kDepth * dimension();
  return shape_->kind == Shape::kEllipsoid ? std::max(kDepth, std::sqrt(2.0 * dimension()))
                                           : kDepth;
}

void Set::resize(double initial_scale) {
  const bool per_coordinate = shape_->kind == Shape::kBox || shape_->kind == Shape::kEllipsoid;
  set_growth(
      std::min(kLargestGrowth, per_coordinate ? initial_scale * dimension() : initial_scale));
}

void Set::set_growth(double growth) {
  growth_ = std::clamp(growth, kSmallestGrowth, kLargestGrowth);
  if (growth <= kLargestGrowth || shape_->kind == Shape::kOneStepSize) return;
  static const std::size_t rescale = find_rule("rescale");
  double sums[kMaxSums];
  set_walks_.run(rescale, {set_.data()}, {kFold, 1.0}, sums);
  growth_ = growth / kFold;
}

double Set::step() const {
  if (shape_->gradient_direction) return norm2_ > 0.0 ? gamma_ * growth_ / std::sqrt(norm2_) : 0.0;
  const double boundary = shape_->kind == Shape::kEllipsoid ? std::sqrt(dimension()) : 1.0;
  return gamma_ / boundary * growth_;
}

double Set::gather_norm2(const Tensor& g) {
  static const std::size_t rule = find_rule("ellipsoid_norm");
  double sums[kMaxSums];
  walks_.run(rule, {g.data, set_.data()}, {scale_}, sums);
  return sums[0];
}

// With groups: the candidate spread over the coordinates, p for the gradient's direction, else the
// set itself.
const Buffer& Set::candidate(const Tensor& g) {
  if (!shape_->gradient_direction) {
    groups_.spread(set_, candidate_, walks_.execution);
    return candidate_;
  }
  static const std::size_t square = find_rule("square");
  static const std::size_t direction = find_rule("ellipsoid_candidate");
  double sums[kMaxSums];
  walks_.run(square, {g.data, normal_.data()}, {scale_}, sums);
  groups_.sum(normal_, sums_, walks_.execution);
  set_walks_.run(direction, {sums_.data(), set_.data(), point_.data()}, {gamma_ * growth_}, sums);
  norm2_ = sums[0];
  if (!(norm2_ > 0.0)) std::fill_n(point_.doubles(), set_.size(), 0.0);
  groups_.spread(point_, candidate_, walks_.execution);
  return candidate_;
}

Proposal Set::propose_from(const Buffer& x, const Tensor& g, Buffer& x_trial, Buffer* g_copy) {
  static const std::size_t box_trial = find_rule("box_trial");
  static const std::size_t box_accept = find_rule("box_accept");
  double sums[kMaxSums];
  if (shape_->kind == Shape::kOneStepSize) {
    if (g_copy == nullptr)
      walks_.run(shape_->trial, {x.data(), g.data, x_trial.data()}, {step(), scale_}, sums);
    else
      walks_.run(shape_->accept, {x.data(), g.data, x_trial.data(), g_copy->data()},
                 {step(), scale_}, sums);
  } else {
    const bool apart = !groups_.empty();
    if (!apart && shape_->gradient_direction) norm2_ = gather_norm2(g);
    const Buffer& set = apart ? candidate(g) : set_;
    const double factor = apart && shape_->gradient_direction ? 1.0 : step();
    if (g_copy == nullptr) {
      walks_.run(apart ? box_trial : shape_->trial, {x.data(), g.data, set.data(), x_trial.data()},
                 {factor, scale_}, sums);
    } else {
      walks_.run(apart ? box_accept : shape_->accept,
                 {x.data(), g.data, set.data(), x_trial.data(), g_copy->data()}, {factor, scale_},
                 sums);
    }
  }
  return {sums[0], sums[1], sums[2]};
}

Proposal Set::propose(const Buffer& x, const Buffer& g, Buffer& x_trial) {
  return propose_from(x, g.tensor(), x_trial, nullptr);
}

Proposal Set::propose(const Buffer& x, const Tensor& g_new, Buffer& x_trial, Buffer& g) {
  return propose_from(x, g_new, x_trial, &g);
}

Secant Set::secant(const Buffer& g, const Tensor& g_trial) {
  static const std::size_t box_secant = find_rule("box_secant");
  double sums[kMaxSums] = {};
  const double cocoercive = cocoercive_ ? 1.0 : 0.0;
  if (shape_->kind == Shape::kOneStepSize) {
    walks_.run(shape_->secant, {g.data(), g_trial.data}, {step(), scale_, cocoercive}, sums);
  } else {
    const bool apart = !groups_.empty();
    const double factor = apart && shape_->gradient_direction ? 1.0 : step();
    walks_.run(apart ? box_secant : shape_->secant,
               {g.data(), g_trial.data, apart ? candidate_.data() : set_.data()},
               {factor, scale_, cocoercive}, sums);
  }
  return {sums[0], sums[1], sums[2], sums[3]};
}

// Newton on the concave log-volume, from the closed form's λ downwards.
double Set::refined_lambda(const Buffer& u, double cut) const {
  static const std::size_t shrink = find_rule("ellipsoid_shrink");
  double sums[kMaxSums];
  set_walks_.run(shrink, {u.data(), set_.data()}, {cut, 1.0}, sums);
  const double largest = closed_form_lambda(sums[2], dimension());
  if (!(largest > 0.0 && largest < 1.0)) return largest;
  double lambda = largest;
  for (int k = 0; k < refine_; ++k) {
    set_walks_.run(shrink, {u.data(), set_.data()}, {cut, lambda}, sums);
    if (!(sums[1] > 0.0) || !std::isfinite(sums[0])) break;
    lambda = std::clamp(lambda + sums[0] / sums[1], 0.1 * lambda, largest);
  }
  return lambda;
}

bool Set::cut_apart(const Buffer& g, const Tensor& g_trial, double normaliser) {
  static const std::size_t hypergradient = find_rule("hypergradient");
  static const std::size_t cut_at = find_rule("ellipsoid_cut_at");
  double sums[kMaxSums];
  walks_.run(hypergradient, {g.data(), g_trial.data, normal_.data()},
             {scale_, cocoercive_ ? 1.0 : 0.0}, sums);
  if (!groups_.empty()) groups_.sum(normal_, sums_, walks_.execution);
  const Buffer& u = groups_.empty() ? normal_ : sums_;
  const double d = dimension();
  const std::initializer_list<void*> streams = {u.data(), set_.data()};
  if (shape_->kind == Shape::kBox) {
    set_walks_.run(shape_->cut, streams, {growth_ / normaliser, 0.0, depth()}, sums);
  } else if (shape_->kind == Shape::kSimplex) {
    set_walks_.run(shape_->cut, streams, {d * growth_ / normaliser, (d - 1.0) / (d - 0.5), depth()},
                   sums);
  } else if (refine_ > 0) {
    const double lambda = refined_lambda(u, growth_ / normaliser);
    if (!(lambda < 1.0)) return false;
    set_walks_.run(cut_at, streams, {growth_ / normaliser, lambda, depth()}, sums);
  } else {
    return set_walks_.run(shape_->cut, streams, {growth_ / normaliser, depth()}, sums);
  }
  return true;
}

bool Set::cut(const Buffer& x, const Buffer& g, const Tensor& g_trial, const Secant& secant,
              double normaliser, Buffer& x_trial, Proposal& proposal) {
  if (shape_->kind == Shape::kOneStepSize) {
    if (!(secant.spread * growth_ > normaliser)) return false;
    growth_ = std::max(normaliser / secant.spread, growth_ / depth());
    proposal = propose(x, g, x_trial);
    return true;
  }
  if (!fused()) {
    if (!cut_apart(g, g_trial, normaliser)) return false;
    proposal = propose(x, g, x_trial);
    return true;
  }
  static const std::size_t cut_pair = find_rule("ellipsoid_cut_pair");
  const double d = dimension();
  const double cocoercive = cocoercive_ ? 1.0 : 0.0;
  double cut = growth_ / normaliser;
  double lambda = 0.0;
  if (shape_->kind == Shape::kSimplex) {
    cut = d * growth_ / normaliser;
    lambda = (d - 1.0) / (d - 0.5);
  } else if (shape_->kind == Shape::kEllipsoid) {
    lambda = closed_form_lambda(secant.spread * (cut * cut), d);
    if (!(lambda < 1.0)) return false;
  }
  double sums[kMaxSums];
  if (shape_->cut_trial != Shape::kNone) {
    walks_.run(shape_->cut_trial, {x.data(), g.data(), g_trial.data, set_.data(), x_trial.data()},
               {cut, step(), lambda, scale_, cocoercive, depth()}, sums);
  } else {
    walks_.run(cut_pair, {g.data(), g_trial.data, set_.data()},
               {cut, lambda, scale_, cocoercive, depth()}, sums);
    norm2_ = sums[0];
    walks_.run(shape_->trial, {x.data(), g.data(), set_.data(), x_trial.data()}, {step(), scale_},
               sums);
  }
  proposal = {sums[0], sums[1], sums[2]};
  return true;
}

void Set::step_sizes(double* out) const {
  const double boundary = shape_->kind == Shape::kEllipsoid ? std::sqrt(dimension()) : 1.0;
  const double factor = gamma_ / boundary * growth_ * scale_;
  if (shape_->kind == Shape::kOneStepSize) {
    std::fill_n(out, walks_.size, factor);
    return;
  }
  Buffer spread;
  if (!groups_.empty()) {
    spread = filled(walks_.size, 0.0);
    groups_.spread(set_, spread, walks_.execution);
  }
  const double* set = groups_.empty() ? set_.doubles() : spread.doubles();
  for (std::size_t i = 0; i < walks_.size; ++i) out[i] = factor * set[i];
}

void Set::fields(Fields& fields, const std::string& prefix) {
  fields.number(prefix + "growth", growth_);
  fields.number(prefix + "norm2", norm2_);
  fields.number(prefix + "gradient_scale", scale_);
  if (shape_->set != nullptr) fields.array(prefix + shape_->set, set_);
  if (!groups_.empty()) fields.array(prefix + "candidate", candidate_);
}

}  // namespace mdbopt::search
