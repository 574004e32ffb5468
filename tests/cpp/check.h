// check – what the tests need: checks that print where and what, and numbers that are the same in
// every run.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <iostream>
#include <string>
#include <vector>

namespace check {

inline int failures = 0;

inline std::ostream& fail(const char* file, int line) {
  ++failures;
  std::cerr.precision(17);
  return std::cerr << file << ':' << line << ": ";
}

template <class A, class B>
void equal(const char* file, int line, const char* text, const A& got, const B& wanted) {
  if (got == wanted) return;
  fail(file, line) << text << " is " << got << ", expected " << wanted << '\n';
}

// The body must throw exactly an E whose message holds `part`.
template <class E, class Body>
void throws(const char* file, int line, const std::string& part, Body body) {
  try {
    body();
  } catch (const E& error) {
    if (std::string(error.what()).find(part) == std::string::npos) {
      fail(file, line) << "the error says '" << error.what() << "', expected '" << part << "'\n";
    }
    return;
  }
  fail(file, line) << "nothing was thrown, expected '" << part << "'\n";
}

inline bool same_bits(double a, double b) { return std::memcmp(&a, &b, sizeof a) == 0; }

// Uniform in [-1, 1); splitmix64, since the standard's distributions differ between libraries.
class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed) {}
  std::uint64_t bits() {
    std::uint64_t z = state_ += 0x9e3779b97f4a7c15;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
  }
  double number() { return static_cast<double>(bits() >> 11) * 0x1p-52 - 1.0; }
  std::vector<double> numbers(std::size_t n) {
    std::vector<double> values(n);
    for (double& value : values) value = number();
    return values;
  }

 private:
  std::uint64_t state_;
};

inline int result() {
  if (failures > 0) std::cerr << failures << " checks failed\n";
  return failures > 0 ? 1 : 0;
}

}  // namespace check

#define CHECK(condition)                                                              \
  do {                                                                                \
    if (!(condition)) check::fail(__FILE__, __LINE__) << #condition << " is false\n"; \
  } while (false)
#define CHECK_EQUAL(got, wanted) check::equal(__FILE__, __LINE__, #got, got, wanted)
#define CHECK_BITS(got, wanted)                                                               \
  do {                                                                                        \
    if (const double g_ = (got), w_ = (wanted); !check::same_bits(g_, w_)) {                  \
      check::fail(__FILE__, __LINE__) << #got << " is " << g_ << ", expected " << w_ << '\n'; \
    }                                                                                         \
  } while (false)
#define CHECK_THROWS(Error, part, ...) \
  check::throws<Error>(__FILE__, __LINE__, part, [&] { __VA_ARGS__; })
