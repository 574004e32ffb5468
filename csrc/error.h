// error – the kinds of errors the core throws, and how they are worded.
//
// A message names the caller and the argument, says what was expected and what came:
//   adam: stream 'm' has dtype float64, expected float32 (as 'x')
#pragma once

#include <stdexcept>
#include <string>

namespace mdbopt {

// A wrong value; ValueError in Python.
struct Error : std::invalid_argument {
  using std::invalid_argument::invalid_argument;
};

// A wrong type or dtype; TypeError in Python.
struct TypeError : Error {
  using Error::Error;
};

}  // namespace mdbopt
