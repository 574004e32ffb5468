// arrays – the streams of one rule, in memory that all rows share, so that pages are touched once.
//
// Every stream holds 64 numbers in [1, 1.5), over and over. What a rule makes of one period it
// makes of all, so 64 elements tell whether an array has left the normal numbers.
#pragma once

#include <cstddef>
#include <cstdlib>
#include <memory>

#include "engine/launch.h"

namespace bench {

class Arrays {
 public:
  static std::size_t bytes_needed(const mdbopt::Description& rule, mdbopt::Dtype dtype,
                                  std::size_t size);

  // Lays out and fills the streams of `rule`; does nothing when they are what is there.
  void hold(const mdbopt::Description& rule, mdbopt::Dtype dtype, std::size_t size);
  // Puts back what the rule has updated.
  void refill(std::size_t threads);
  // Whether every number that the rule has written is 0 or normal.
  bool normal() const;

  void* const* streams() const { return streams_; }

 private:
  struct Free {
    void operator()(std::byte* data) const { std::free(data); }
  };

  mdbopt::Dtype dtype_of(std::size_t stream) const;
  void reserve(std::size_t bytes);
  void fill(std::size_t stream, std::size_t threads);

  std::unique_ptr<std::byte, Free> memory_;
  std::size_t capacity_ = 0;
  const mdbopt::Description* rule_ = nullptr;
  mdbopt::Dtype dtype_ = mdbopt::Dtype::kFloat64;
  std::size_t size_ = 0;
  void* streams_[mdbopt::kMaxStreams] = {};
};

// Half of the bytes that this process may still take.
std::size_t memory_limit();

}  // namespace bench
