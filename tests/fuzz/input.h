// input – what the C++ fuzzers make of libFuzzer's bytes, and how they say that something does not hold.
#pragma once

#include <fuzzer/FuzzedDataProvider.h>
#include <mdbopt/error.h>

#include <bit>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <limits>

namespace fuzz {

// Any double; half of them are where arithmetic ends or options have a meaning.
inline double number(FuzzedDataProvider& input) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  constexpr double kNotable[] = {
      0.0,    -0.0,  1.0,       -1.0,       0.5,
      2.0,    0.9,   0.999,     1e-8,       5e-324,
      1e-310, 1e-38, 1e30,      1e38,       1e150,
      1e-150, 1e308, kInfinity, -kInfinity, std::numeric_limits<double>::quiet_NaN()};
  if (input.ConsumeBool()) return input.PickValueInArray(kNotable);
  return std::bit_cast<double>(input.ConsumeIntegral<std::uint64_t>());
}

// Once in so many inputs.
inline bool seldom(FuzzedDataProvider& input, int often) {
  return input.ConsumeIntegralInRange<int>(1, often) == often;
}

inline bool same_bits(double a, double b) {
  return std::bit_cast<std::uint64_t>(a) == std::bit_cast<std::uint64_t>(b);
}

// Runs one of libFuzzer's inputs; an error of the library is an answer.
inline int run_input(const std::uint8_t* data, std::size_t size, void (*run)(FuzzedDataProvider&)) {
  FuzzedDataProvider input(data, size);
  try {
    run(input);
  } catch (const mdbopt::Error&) {
  }
  return 0;
}

// libFuzzer keeps the input of what aborts.
inline void require(bool holds, const char* expected) {
  if (holds) return;
  std::fprintf(stderr, "fuzz: expected %s\n", expected);
  std::abort();
}

}  // namespace fuzz
