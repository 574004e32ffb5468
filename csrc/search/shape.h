// shape – what differs between the sets: the names of their rules and a few numbers.
#pragma once

#include <cmath>
#include <cstddef>
#include <string>

#include "extent.h"

namespace mdbopt::search {

// Rules by name, resolved once. `cut_trial` is absent where the next candidate needs a norm of the
// cut set first.
struct Shape {
  static constexpr std::size_t kNone = static_cast<std::size_t>(-1);
  const char* set;
  std::size_t trial, accept, advance, secant, cut, cut_trial;
  using enum ShapeKind;
  ShapeKind kind;
  bool gradient_direction;

  double gamma(double d) const {
    if (kind == kBox) return 1.0 / (2.0 * d);
    return kind == kEllipsoid ? 1.0 / std::sqrt(2.0 * d) : 0.5;
  }
};

// A method's shape: box, ellipsoid, simplex or backtracking; throws Error for any other.
const Shape& shape_of(const std::string& method, bool gradient_direction);

}  // namespace mdbopt::search
