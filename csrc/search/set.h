// set – a set of candidate step-size vectors that is known to hold the best one: its arrays, and the
// walks that propose from it and cut it.
//
// Box {0 ≤ q ≤ b}, simplex {Σ q/b ≤ d}, ellipsoid {Σ (q/axes)² ≤ 1}, and one step size {0 ≤ q ≤
// growth}. The size of a set is kept apart as a scalar, `growth`, so that growing after an accepted
// step walks no memory. With groups the set lives on one number per group, and the candidate is
// spread over the coordinates. All gradients are read times `scale`, a power of two near 1/max|g|;
// step sizes are stored over the same scale. sets_program.h has the decisions. Source: Kunstner,
// Portella, Schmidt, Harvey, "Searching for optimal per-coordinate step-sizes with multidimensional
// backtracking", NeurIPS 2023, arXiv 2306.02527.
#pragma once

#include <mdbopt/options.h>

#include <cstddef>
#include <string>

#include "buffer.h"
#include "builder.h"
#include "fields.h"
#include "groups.h"
#include "rule_runner.h"

namespace mdbopt::search {

struct Heritage;

// A method's kind; throws Error for any but box, ellipsoid, simplex and backtracking.
ShapeKind shape_of(const std::string& method);

class Set {
 public:
  Set() = default;
  Set(const Options& options, const RuleRunner& runner);

  // What the program knows of it.
  SetFacts facts() const { return facts_; }
  const Groups& groups() const { return groups_; }
  void link(SetsControl& control) const;
  // Becomes the least set of its shape and `extent` that is known to hold what is valid now, if `earlier`
  // did so for the objective before.
  void inherit(const Set& earlier, const Extent& old, const Heritage& heritage,
               Extent& extent) const;

  // Its part of a judgement, in this order; the slots are those of the control.
  void secant(Builder& builder, SetsControl& control) const;
  void cut(Builder& builder, SetsControl& control) const;
  void accept(Builder& builder, SetsControl& control) const;
  void propose(Builder& builder, SetsControl& control) const;

  // Writes the candidate in the plain direction, one step size per coordinate, where x is.
  void step_sizes(const Extent& extent, double* out) const;
  // Its size; the search's scale of gradients; the range of what is not negative.
  void fields(Fields& fields, const std::string& prefix, Extent& extent, double scale,
              const Range& size);

 private:
  bool uniform() const { return facts_.kind == ShapeKind::kOneStepSize; }
  bool ellipsoid() const { return facts_.kind == ShapeKind::kEllipsoid; }
  // Whether a cut needs no more than the fused walks.
  bool fused() const { return groups_.empty() && refine_ == 0; }
  // What its array goes over.
  Over over() const { return groups_.empty() ? Over::kCoordinates : Over::kGroups; }
  void candidate(Builder& builder, CandidateSlots& slots, bool there) const;
  void clip(Builder& builder, const SetsControl& control, Slot& slot) const;
  template <class Shape>
  void cut_apart(Builder& builder, SetsControl& control) const;

  RuleRunner runner_;      // over the coordinates
  RuleRunner set_runner_;  // over the set: as many elements as groups
  Groups groups_;
  int refine_ = 0;
  SetFacts facts_;
  Buffer set_;                // b or axes
  Buffer normal_, sums_;      // with groups or refinement: u, and its sums per group
  Buffer point_, candidate_;  // with groups: the candidate per group, and p per coordinate
};

}  // namespace mdbopt::search
