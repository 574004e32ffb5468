// set – a set of candidate step-size vectors that is known to hold the best one: it proposes, and a
// rejection cuts it.
//
// Box {0 ≤ q ≤ b}, simplex {Σ q/b ≤ d}, ellipsoid {Σ (q/axes)² ≤ 1}, and one step size {0 ≤ q ≤
// growth}. The size of a set is kept apart as a scalar, `growth`, so that growing after an accepted
// step walks no memory. With groups the set lives on one number per group, and the candidate is
// spread over the coordinates. All gradients are read times `scale`, a power of two near 1/max|g|;
// step sizes are stored over the same scale. Source: Kunstner, Portella, Schmidt, Harvey,
// "Searching for optimal per-coordinate step-sizes with multidimensional backtracking", NeurIPS
// 2023, arXiv 2306.02527.
#pragma once

#include <cstddef>

#include "buffer.h"
#include "extent.h"
#include "fields.h"
#include "groups.h"
#include "options.h"
#include "walks.h"

namespace mdbopt::search {

// What differs between the shapes: names of rules and a few numbers.
struct Shape;

class Set {
 public:
  // method: box, simplex, ellipsoid or backtracking.
  Set(const Options& options, const std::string& method, const Walks& walks);

  // The set as the user sizes it: b = scale·d (box), axes = scale·d (ellipsoid), b = scale
  // (simplex), scale itself (one step size).
  void resize(double initial_scale);
  // Scales the whole set, within what arithmetic on it can bear.
  void grow(double factor) { set_growth(extent_.growth * factor); }
  void set_gradient_scale(double scale) { extent_.scale = scale; }

  // What a judgement on the device knows of it: array() is null where there is but one step size.
  const Shape& shape() const { return *shape_; }
  const SetFacts& facts() const { return facts_; }
  void* array() const { return set_.data(); }
  const Extent& extent() const { return extent_; }
  void set_extent(const Extent& extent) { extent_ = extent; }
  // Whether a judgement needs no more than the fused walks.
  bool fused() const { return groups_.empty() && refine_ == 0; }
  const Groups& groups() const { return groups_; }

  Proposal propose(const Buffer& x, const Buffer& g, Buffer& x_trial);
  // As propose from g_new, which is copied to g in the same walk.
  Proposal propose(const Buffer& x, const Tensor& g_new, Buffer& x_trial, Buffer& g);
  Secant secant(const Buffer& g, const Tensor& g_trial);
  // Cuts by the pair with this normaliser ν > 0 and proposes from what is left. False, and nothing
  // is touched, when the half-space is too far out to shrink the set.
  bool cut(const Buffer& x, const Buffer& g, const Tensor& g_trial, const Secant& secant,
           double normaliser, Buffer& x_trial, Proposal& proposal);

  // Writes the candidate in the plain direction, one step size per coordinate, where x is.
  void step_sizes(double* out) const;
  // The search's scale of gradients; the range of what is not negative.
  void fields(Fields& fields, const std::string& prefix, double scale, const Range& size);

 private:
  void set_growth(double growth);
  double dimension() const { return facts_.dimension; }
  double step() const { return search::step(facts_, extent_); }
  double depth() const { return search::depth(facts_); }
  double cocoercive() const { return facts_.cocoercive ? 1.0 : 0.0; }
  double refined_lambda(const Buffer& u, double cut) const;
  bool cut_apart(const Buffer& g, const Tensor& g_trial, double normaliser);
  double gather_norm2(const Tensor& g);
  const Buffer& candidate(const Tensor& g);
  Proposal propose_from(const Buffer& x, const Tensor& g, Buffer& x_trial, Buffer* g_copy);

  const Shape* shape_;
  Walks walks_;      // over the coordinates
  Walks set_walks_;  // over the set: as many elements as groups
  Groups groups_;
  int refine_;
  SetFacts facts_;
  Extent extent_;
  Buffer set_;                // b or axes
  Buffer normal_, sums_;      // with groups or refinement: u, and its sums per group
  Buffer point_, candidate_;  // with groups: the candidate per group, and p per coordinate
};

}  // namespace mdbopt::search
