// power – whole powers, with the same bits whatever the mathematics library.
#pragma once

#include <cstdint>

#include "fold.h"

namespace mdbopt {

// base^t by squaring, t a whole number.
MDBOPT_INLINE double power(double base, double t) {
  double result = 1.0;
  for (auto left = static_cast<std::uint64_t>(t); left > 0; left /= 2, base *= base) {
    if (left % 2 == 1) result *= base;
  }
  return result;
}

}  // namespace mdbopt
