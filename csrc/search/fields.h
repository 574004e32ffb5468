// fields – a visitor over the state of a search: named words, numbers and arrays, listed once for
// saving, loading and inspecting alike. Each says with its name what it may hold, which is all that
// a loader lets pass.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>

#include "buffer.h"

namespace mdbopt::search {

// Numbers from `least` to `most`, both included; NaN only where it says so.
struct Range {
  double least, most;
  bool unknown = false;

  bool holds(double value) const {
    return (value >= least && value <= most) || (unknown && value != value);
  }
};

inline constexpr double kLargestNumber = std::numeric_limits<double>::max();
inline constexpr double kInfinity = std::numeric_limits<double>::infinity();
inline constexpr Range kFinite{-kLargestNumber, kLargestNumber};
inline constexpr Range kNotNegative{0.0, kLargestNumber};
inline constexpr Range kPositive{std::numeric_limits<double>::denorm_min(), kLargestNumber};
// For what is written before it is read, or what a direction that it spoils is refused for.
inline constexpr Range kAnything{-kInfinity, kInfinity, true};

class Fields {
 public:
  virtual ~Fields() = default;
  // An option that shapes the path: the same wherever the state goes.
  virtual void word(const std::string& name, const std::string& value) = 0;
  virtual void number(const std::string& name, double& value, const Range& range) = 0;
  // From `least` to `most`, both included.
  virtual void count(const std::string& name, std::int64_t& value, std::int64_t least,
                     std::int64_t most) = 0;
  virtual void array(const std::string& name, Buffer& value, const Range& range) = 0;

  // Options that shape the path, as word.
  void same(const std::string& name, double value) { number(name, value, {value, value}); }
  void same_count(const std::string& name, std::int64_t value) { count(name, value, value, value); }

  // Only a loader has values that could disagree.
  virtual bool loading() const { return false; }
  // What fields say of each other; `expected` in words.
  virtual void agree(const std::string& /*name*/, bool /*holds*/, const char* /*expected*/) {}
  // Whether what is loaded was judged on a device, where a trial that is not finite waits for the
  // next judgement.
  virtual bool judged_async() const { return false; }
};

// The part of a table of the host that is in use: rows that lie `stride` apart, one after the other.
inline void table(Fields& fields, const std::string& name, Buffer& whole, std::size_t rows,
                  std::size_t columns, std::size_t stride, const Range& range) {
  Buffer part = filled(rows * columns, 0.0);
  for (std::size_t row = 0; row < rows; ++row) {
    std::copy_n(whole.doubles() + row * stride, columns, part.doubles() + row * columns);
  }
  fields.array(name, part, range);
  if (!fields.loading()) return;
  for (std::size_t row = 0; row < rows; ++row) {
    std::copy_n(part.doubles() + row * columns, columns, whole.doubles() + row * stride);
  }
}

}  // namespace mdbopt::search
