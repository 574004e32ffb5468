// error – the kinds of errors the core throws, and how they are worded.
//
// A message names the caller and the argument, says what was expected and what came:
//   adam: stream 'm' has dtype float64, expected float32 (as 'x')
//
// Contract. A call that throws one of these has written nothing, but for a DeviceError of work that was
// queued before.
#pragma once

#include <new>
#include <stdexcept>
#include <string>
#include <utility>

namespace mdbopt {

// A wrong value; ValueError in Python.
struct Error : std::invalid_argument {
  using std::invalid_argument::invalid_argument;
};

// A wrong type or dtype; TypeError in Python.
struct TypeError : Error {
  using Error::Error;
};

// A device, its driver or its library is absent, or something went wrong on it; RuntimeError in
// Python.
struct DeviceError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// A device has no memory left; MemoryError in Python.
class OutOfMemory : public std::bad_alloc {
 public:
  explicit OutOfMemory(std::string text) : text_(std::move(text)) {}
  const char* what() const noexcept override { return text_.c_str(); }

 private:
  std::string text_;
};

}  // namespace mdbopt
