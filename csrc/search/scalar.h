// scalar – the arithmetic of decisions: + − × ÷ √ and comparisons, which have one result on host and
// device.
#pragma once

#include "../fold.h"

namespace mdbopt::search {

MDBOPT_INLINE bool is_finite(double a) { return a - a == 0.0; }
MDBOPT_INLINE double absolute(double a) { return __builtin_fabs(a); }
MDBOPT_INLINE double root(double a) { return __builtin_sqrt(a); }
// As std::min, std::max and std::clamp: the first argument where either is NaN.
MDBOPT_INLINE double smaller(double a, double b) { return b < a ? b : a; }
MDBOPT_INLINE double larger(double a, double b) { return a < b ? b : a; }
MDBOPT_INLINE double clamped(double a, double least, double most) {
  if (a < least) return least;
  return most < a ? most : a;
}

}  // namespace mdbopt::search
