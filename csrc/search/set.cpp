// set – the sets of candidates as launches of rules: fused walks, or step by step with groups and
// refinement.
#include "set.h"

#include <algorithm>
#include <cmath>

#include "shape.h"

namespace mdbopt::search {
namespace {

// Newton's steps have long met the last digit.
constexpr int kMostRefinements = 100;

}  // namespace

Set::Set(const Options& options, const std::string& method, const Walks& walks)
    : shape_(&shape_of(method, options.gradient_direction)),
      walks_(walks),
      set_walks_(walks),
      refine_(shape_->kind == Shape::kEllipsoid ? options.refine : 0) {
  if (shape_->kind != Shape::kOneStepSize) {
    if (!options.groups.empty()) groups_ = Groups(options.groups, walks_.where());
    if (!groups_.empty()) set_walks_.size = groups_.count();
    set_ = set_walks_.filled(1.0);
    if (!fused()) normal_ = walks_.zeros(Dtype::kFloat64);
    if (!groups_.empty()) {
      sums_ = set_walks_.zeros(Dtype::kFloat64);
      point_ = set_walks_.zeros(Dtype::kFloat64);
      candidate_ = walks_.zeros(Dtype::kFloat64);
    }
  }
  facts_.kind = shape_->kind;
  facts_.gradient_direction = shape_->gradient_direction;
  facts_.cocoercive = options.cocoercive;
  if (shape_->kind != Shape::kOneStepSize) {
    facts_.dimension = static_cast<double>(groups_.empty() ? walks_.size : groups_.count());
  }
  facts_.gamma = std::isnan(options.gamma) ? shape_->gamma(dimension()) : options.gamma;
}

void Set::resize(double initial_scale) {
  const bool per_coordinate = shape_->kind == Shape::kBox || shape_->kind == Shape::kEllipsoid;
  set_growth(
      std::min(kLargestGrowth, per_coordinate ? initial_scale * dimension() : initial_scale));
}

void Set::set_growth(double growth) {
  static const std::size_t rescale = find_rule("rescale");
  if (search::set_growth(facts_, extent_, growth)) {
    set_walks_.run(rescale, {set_.data()}, {kFolding[0], kFolding[1]});
  }
}

double Set::gather_norm2(const Tensor& g) {
  static const std::size_t rule = find_rule("ellipsoid_norm");
  double sums[kMaxSums];
  walks_.run(rule, {g.data, set_.data()}, {extent_.scale}, sums);
  return sums[0];
}

// With groups: the candidate spread over the coordinates, p for the gradient's direction, else the
// set itself.
const Buffer& Set::candidate(const Tensor& g) {
  if (!shape_->gradient_direction) {
    groups_.spread(set_, candidate_, *walks_.execution);
    return candidate_;
  }
  static const std::size_t square = find_rule("square");
  static const std::size_t direction = find_rule("ellipsoid_candidate");
  walks_.run(square, {g.data, normal_.data()}, {extent_.scale});
  groups_.sum(normal_, sums_, *walks_.execution);
  double sums[kMaxSums];
  set_walks_.run(direction, {sums_.data(), set_.data(), point_.data()},
                 {facts_.gamma * extent_.growth}, sums);
  extent_.norm2 = sums[0];
  if (!(extent_.norm2 > 0.0)) point_.clear();
  groups_.spread(point_, candidate_, *walks_.execution);
  return candidate_;
}

Proposal Set::propose_from(const Buffer& x, const Tensor& g, Buffer& x_trial, Buffer* g_copy) {
  static const std::size_t box_trial = find_rule("box_trial");
  static const std::size_t box_accept = find_rule("box_accept");
  double sums[kMaxSums];
  if (shape_->kind == Shape::kOneStepSize) {
    if (g_copy == nullptr)
      walks_.run(shape_->trial, {x.data(), g.data, x_trial.data()}, {step(), extent_.scale}, sums);
    else
      walks_.run(shape_->accept, {x.data(), g.data, x_trial.data(), g_copy->data()},
                 {step(), extent_.scale}, sums);
  } else {
    const bool apart = !groups_.empty();
    if (!apart && shape_->gradient_direction) extent_.norm2 = gather_norm2(g);
    const Buffer& set = apart ? candidate(g) : set_;
    const double factor = apart && shape_->gradient_direction ? 1.0 : step();
    if (g_copy == nullptr) {
      walks_.run(apart ? box_trial : shape_->trial, {x.data(), g.data, set.data(), x_trial.data()},
                 {factor, extent_.scale}, sums);
    } else {
      walks_.run(apart ? box_accept : shape_->accept,
                 {x.data(), g.data, set.data(), x_trial.data(), g_copy->data()},
                 {factor, extent_.scale}, sums);
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
  if (shape_->kind == Shape::kOneStepSize) {
    walks_.run(shape_->secant, {g.data(), g_trial.data}, {step(), extent_.scale, cocoercive()},
               sums);
  } else {
    const bool apart = !groups_.empty();
    const double factor = apart && shape_->gradient_direction ? 1.0 : step();
    walks_.run(apart ? box_secant : shape_->secant,
               {g.data(), g_trial.data, apart ? candidate_.data() : set_.data()},
               {factor, extent_.scale, cocoercive()}, sums);
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
  for (int k = 0; k < std::min(refine_, kMostRefinements); ++k) {
    set_walks_.run(shrink, {u.data(), set_.data()}, {cut, lambda}, sums);
    if (!(sums[1] > 0.0) || !std::isfinite(sums[0])) break;
    const double before = lambda;
    lambda = std::clamp(lambda + sums[0] / sums[1], 0.1 * lambda, largest);
    if (lambda == before) break;
  }
  return lambda;
}

bool Set::cut_apart(const Buffer& g, const Tensor& g_trial, double normaliser) {
  static const std::size_t hypergradient = find_rule("hypergradient");
  static const std::size_t cut_at = find_rule("ellipsoid_cut_at");
  walks_.run(hypergradient, {g.data(), g_trial.data, normal_.data()},
             {extent_.scale, cocoercive()});
  if (!groups_.empty()) groups_.sum(normal_, sums_, *walks_.execution);
  const Buffer& u = groups_.empty() ? normal_ : sums_;
  const std::initializer_list<void*> streams = {u.data(), set_.data()};
  // Its λ is of no use for an ellipsoid, whose spread is not known here.
  const Cutting by = cutting(facts_, extent_, 0.0, normaliser);
  if (shape_->kind != Shape::kEllipsoid) {
    set_walks_.run(shape_->cut, streams, {by.cut, by.lambda, depth()});
  } else if (refine_ > 0) {
    const double lambda = refined_lambda(u, by.cut);
    if (!(lambda < 1.0)) return false;
    set_walks_.run(cut_at, streams, {by.cut, lambda, depth()});
  } else {
    double sums[kMaxSums];  // wanted: whether it was applied
    return set_walks_.run(shape_->cut, streams, {by.cut, depth()}, sums);
  }
  return true;
}

bool Set::cut(const Buffer& x, const Buffer& g, const Tensor& g_trial, const Secant& secant,
              double normaliser, Buffer& x_trial, Proposal& proposal) {
  if (shape_->kind == Shape::kOneStepSize) {
    if (!cut_growth(facts_, extent_, secant.spread, normaliser)) return false;
    proposal = propose(x, g, x_trial);
    return true;
  }
  if (!fused()) {
    if (!cut_apart(g, g_trial, normaliser)) return false;
    proposal = propose(x, g, x_trial);
    return true;
  }
  static const std::size_t cut_pair = find_rule("ellipsoid_cut_pair");
  const Cutting by = cutting(facts_, extent_, secant.spread, normaliser);
  if (!by.cuts) return false;
  double sums[kMaxSums];
  if (shape_->cut_trial != Shape::kNone) {
    walks_.run(shape_->cut_trial, {x.data(), g.data(), g_trial.data, set_.data(), x_trial.data()},
               {by.cut, step(), by.lambda, extent_.scale, cocoercive(), depth()}, sums);
  } else {
    walks_.run(cut_pair, {g.data(), g_trial.data, set_.data()},
               {by.cut, by.lambda, extent_.scale, cocoercive(), depth()}, sums);
    extent_.norm2 = sums[0];
    walks_.run(shape_->trial, {x.data(), g.data(), set_.data(), x_trial.data()},
               {step(), extent_.scale}, sums);
  }
  proposal = {sums[0], sums[1], sums[2]};
  return true;
}

void Set::step_sizes(double* out) const {
  const double factor = plain_step(facts_, extent_) * extent_.scale;
  const Walks wide = walks_.of(walks_.size, Dtype::kFloat64);
  if (shape_->kind == Shape::kOneStepSize) {
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
  groups_.spread(set_, spread, *walks_.execution);
  wide.run(scaled, {spread.data(), out}, {factor});
}

void Set::fields(Fields& fields, const std::string& prefix, double scale, const Range& size) {
  fields.same(prefix + "gamma", facts_.gamma);
  if (shape_->kind == Shape::kEllipsoid) {
    fields.word(prefix + "direction", shape_->gradient_direction ? "gradient" : "plain");
    fields.same_count(prefix + "refine", refine_);
  }
  fields.number(prefix + "growth", extent_.growth, {0.0, kLargestGrowth});
  fields.number(prefix + "norm2", extent_.norm2, size);
  fields.number(prefix + "gradient_scale", extent_.scale, kPositive);
  fields.agree(prefix + "gradient_scale", extent_.scale == scale, "the same as scale");
  if (shape_->set != nullptr) fields.array(prefix + shape_->set, set_, size);
  if (!groups_.empty()) fields.array(prefix + "candidate", candidate_, size);
}

}  // namespace mdbopt::search
