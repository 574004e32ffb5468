// half – every pattern of both types widened, rounded to nearest with ties to even, and rounded
// stochastically: exact numbers stay, and the mean over all random numbers is the value itself.
#include "base/half.h"

#include <array>
#include <cmath>
#include <limits>

#include "check.h"
#include "engine/launch.h"

using mdbopt::BFloat16;
using mdbopt::Dtype;
using mdbopt::Float16;
using mdbopt::mix64;
using mdbopt::Nearest;
using mdbopt::random16;
using mdbopt::Stochastic;

namespace {

constexpr std::uint32_t kRandoms = 1U << 16;
constexpr float kInfinity = std::numeric_limits<float>::infinity();

template <class T>
struct Format;
template <>
struct Format<BFloat16> {
  static constexpr int kMantissa = 7, kBias = 127;
  static constexpr std::uint16_t kInfBits = 0x7f80;
};
template <>
struct Format<Float16> {
  static constexpr int kMantissa = 10, kBias = 15;
  static constexpr std::uint16_t kInfBits = 0x7c00;
};

template <class T>
T of_bits(std::uint32_t bits) {
  return {static_cast<std::uint16_t>(bits)};
}

// The number of a pattern without its sign, by the definition of the format.
template <class T>
double number(std::uint32_t pattern) {
  constexpr int kMantissa = Format<T>::kMantissa;
  const auto exponent = static_cast<int>(pattern >> kMantissa);
  const std::uint32_t fraction = pattern & ((1U << kMantissa) - 1U);
  const std::uint32_t whole = exponent == 0 ? fraction : fraction + (1U << kMantissa);
  return std::ldexp(whole, (exponent == 0 ? 1 : exponent) - Format<T>::kBias - kMantissa);
}

template <class T>
void every_pattern_widens_and_comes_back() {
  for (std::uint32_t bits = 0; bits < kRandoms; ++bits) {
    const T stored = of_bits<T>(bits);
    const std::uint32_t pattern = bits & 0x7fffU;
    const float wide = widen(stored);
    CHECK(std::signbit(wide) == (bits >> 15 == 1));
    if (pattern > Format<T>::kInfBits) {
      CHECK(std::isnan(wide));
      CHECK(std::isnan(widen(Nearest<T>::of(wide))));
      for (std::uint32_t random : {0U, kRandoms - 1}) {
        CHECK(std::isnan(widen(Stochastic<T>::of(wide, random))));
      }
      continue;
    }
    if (pattern == Format<T>::kInfBits) {
      CHECK(std::isinf(wide));
    } else {
      CHECK_BITS(std::abs(static_cast<double>(wide)), number<T>(pattern));
    }
    CHECK_EQUAL(Nearest<T>::of(wide).bits, bits);
    for (std::uint32_t random : {0U, 1U, kRandoms / 2, kRandoms - 2, kRandoms - 1}) {
      CHECK_EQUAL(Stochastic<T>::of(wide, random).bits, bits);
    }
  }
}

// Between each number and the next one, the last of which is inf.
template <class T>
void ties_go_to_even() {
  for (std::uint32_t bits = 0; bits < Format<T>::kInfBits; ++bits) {
    const auto middle = static_cast<float>(0.5 * (number<T>(bits) + number<T>(bits + 1)));
    CHECK_EQUAL(Nearest<T>::of(middle).bits, bits + bits % 2);
    CHECK_EQUAL(Nearest<T>::of(-middle).bits, (bits + bits % 2) | 0x8000U);
    CHECK_EQUAL(Nearest<T>::of(std::nextafter(middle, 0.0F)).bits, bits);
    CHECK_EQUAL(Nearest<T>::of(std::nextafter(middle, kInfinity)).bits, bits + 1);
  }
  CHECK_EQUAL(Nearest<T>::of(std::numeric_limits<float>::max()).bits, Format<T>::kInfBits);
}

// Of all random numbers, as many round up as the part that falls away has of 65536ths.
template <class T>
void the_mean_is_the_value() {
  check::Random random(1);
  for (std::uint32_t bits = 1; bits < Format<T>::kInfBits - 1; bits += 331) {
    // Of a normal float16 only 13 bits fall away.
    const auto part = static_cast<std::uint32_t>(random.bits() % (kRandoms / 8)) * 8;
    const double lower = number<T>(bits);
    const double wide = lower + (number<T>(bits + 1) - lower) * part / kRandoms;
    const auto value = static_cast<float>(wide);
    CHECK_BITS(value, wide);
    std::uint32_t up = 0;
    for (std::uint32_t each = 0; each < kRandoms; ++each) {
      const std::uint32_t rounded = Stochastic<T>::of(value, each).bits;
      CHECK(rounded == bits || rounded == bits + 1);
      up += rounded - bits;
    }
    CHECK_EQUAL(up, part);
  }
  for (std::uint32_t each : {0U, kRandoms - 1}) {
    CHECK_EQUAL(Stochastic<T>::of(-kInfinity, each).bits, Format<T>::kInfBits | 0x8000U);
  }
}

// The first outputs of SplitMix64 from the seed 1234567, as other implementations have them.
void keys_are_splitmix64() {
  CHECK_EQUAL(mix64(1234567), 6457827717110365317U);
  CHECK_EQUAL(mix64(1234567 + 0x9e3779b97f4a7c15U), 3203168211198807973U);
}

// Within Hoeffding's bound, which fewer than one key in 10^9 exceeds.
void random_bits_are_uniform() {
  constexpr std::uint32_t kDraws = 1U << 20;
  std::array<double, 16> ones{};
  for (std::uint32_t k = 0; k < kDraws; ++k) {
    const std::uint32_t drawn = random16(mix64(k / 1024), k % 1024);
    for (std::size_t bit = 0; bit < ones.size(); ++bit) ones[bit] += drawn >> bit & 1U;
  }
  const double bound = std::sqrt(std::log(2e9) / (2.0 * kDraws));
  for (const double count : ones) CHECK(std::abs(count / kDraws - 0.5) <= bound);
}

// Chunks are numbered through the jobs of a call, and so are the random bits.
void cuts_between_chunks_change_nothing() {
  constexpr std::size_t kSize = 5000;
  constexpr std::size_t kCut = 2048;
  const std::size_t sgd = mdbopt::find_rule("sgd");
  const double scalars[] = {0.0, 0.0, 1.0};
  const auto stepped = [&](bool cut) {
    std::vector<BFloat16> x(kSize, Nearest<BFloat16>::of(1.0F));
    std::vector<BFloat16> g(kSize, Nearest<BFloat16>::of(0.3F));
    void* first[] = {x.data(), g.data()};
    void* rest[] = {x.data() + kCut, g.data() + kCut};
    std::vector<mdbopt::Job> jobs{{first, cut ? kCut : kSize, 0.01}};
    if (cut) jobs.push_back({rest, kSize - kCut, 0.01});
    double sums[mdbopt::kMaxSums];
    mdbopt::Execution execution;
    execution.stochastic = true;
    execution.key = mdbopt::rounding_key(3, 4);
    mdbopt::launch(sgd, Dtype::kBFloat16, jobs, scalars, sums, execution);
    std::vector<std::uint16_t> bits;
    for (const BFloat16 each : x) bits.push_back(each.bits);
    return bits;
  };
  const auto whole = stepped(false);
  CHECK(stepped(true) == whole);
  CHECK(whole != std::vector<std::uint16_t>(kSize, whole[0]));
}

template <class T>
void conversions() {
  every_pattern_widens_and_comes_back<T>();
  ties_go_to_even<T>();
  the_mean_is_the_value<T>();
}

}  // namespace

int main() {
  conversions<BFloat16>();
  conversions<Float16>();
  keys_are_splitmix64();
  random_bits_are_uniform();
  cuts_between_chunks_change_nothing();
  return check::result();
}
