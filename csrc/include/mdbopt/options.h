// options – what may be set of a search, and the penalty by which two objectives may differ.
//
// Contract. A default stands for the search's own choice: NaN, 0 pairs of memory, no groups. What has no
// meaning is an Error when the search is made.
#pragma once

#include <mdbopt/execution.h>
#include <mdbopt/reducer.h>
#include <mdbopt/tensor.h>

#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <string>
#include <vector>

namespace mdbopt::search {

inline constexpr double kDefault = std::numeric_limits<double>::quiet_NaN();

struct Options {
  std::string method = "guarded";  // guarded, box, ellipsoid, simplex, backtracking
  double gamma = kDefault;         // candidate = gamma times the set's own point
  double initial_scale =
      kDefault;                    // size of the first set; the default finds it by a scalar search
  double forward = kDefault;       // growth of the set after an accepted step
  bool cocoercive = true;          // the cut; false: the paper's hypergradient
  int refine = 0;                  // Newton steps of the ellipsoid's shrink
  bool gradient_direction = true;  // the ellipsoid's candidate
  std::vector<std::int64_t>
      groups;  // one label per coordinate; empty: every coordinate its own step size
  // Bounds of x, infinite where there is none: one for each coordinate, or one for all, rounded inwards
  // to x's dtype. Empty: none.
  std::vector<double> lower, upper;
  // Of the penalty Σ l1 |x| beside f: one number ≥ 0 for each coordinate, or one for all. Empty: none.
  std::vector<double> l1;
  // guarded: by how much f at most, and the gradient in the 2-norm, may differ from the truth where they
  // are told. 0: not at all, but for rounding.
  double noise_f = 0.0, noise_g = 0.0;
  std::size_t memory = 0;  // guarded: secant pairs kept; 0: by the number of variables, auto_memory
  std::string proposer = "lbfgs";  // guarded: lbfgs, heavy-ball, nesterov, cg
  Execution
      execution;  // its location: where a saved state is loaded to; else a search stays with x
  std::shared_ptr<Reducer> reducer;  // arrays are shards; null: they are whole
};

// The coefficients of ½ Σ l2 x² in an objective, finite and not negative: one number for all
// coordinates, or an array of float64 of them, where x is.
struct Ridge {
  double number = 0.0;
  const Tensor* each = nullptr;
};

}  // namespace mdbopt::search
