// start – what a stream of an update's state holds before the first step.
#pragma once

#include <optional>
#include <string_view>

namespace mdbopt {

// A number for all elements; none: they are those of the parameters.
inline std::optional<double> start_of(std::string_view stream) {
  // An earlier x, the sequence that is averaged, and the average of all that follow.
  if (stream == "x_prev" || stream == "x0" || stream == "z" || stream == "average")
    return std::nullopt;
  // Step sizes, as multiples of lr.
  if (stream == "p" || stream == "eta") return 1.0;
  return 0.0;
}

}  // namespace mdbopt
