// phase – the two walks of a rule, gather and apply, as a sweep sees them: what one element reads,
// computes, rounds and writes, on any device.
#pragma once

#include <mdbopt/dtype.h>

#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "../base/half.h"
#include "rule.h"

namespace mdbopt::MDBOPT_ISA {

// How streams are stored in calls of dtype T.
template <class Rule, class T>
struct Storages {
  template <Storage storage>
  using As = std::conditional_t<
      storage == Storage::kWide, double,
      std::conditional_t<storage == Storage::kNarrow, float,
                         std::conditional_t<storage == Storage::kState, Arithmetic<T>, T>>>;
  template <std::size_t K>
  using Stored = As<Streams<Rule>::data[K].storage>;
};

template <class Rule, class T>
struct Gather {
  using Coef = typename Rule::Coef;
  static constexpr std::size_t kSums = Gathered<Rule>::count;
  static constexpr bool kStochastic = false;
  template <std::size_t K>
  static constexpr Fold kFold = Gathered<Rule>::data[K].fold;
  template <std::size_t K>
  static constexpr bool kReads = (GatherReads<Rule>::value >> K & 1U) != 0;
  template <std::size_t>
  static constexpr bool kWrites = false;
  MDBOPT_INLINE static void element(const Elements<Rule, T>& v, const Coef& c, double* sums) {
    Rule::gather(v, c, sums);
  }
};

template <class Rule, class T, bool stochastic>
struct Apply {
  using Coef = typename Rule::Coef;
  static constexpr std::size_t kSums = Emitted<Rule>::count;
  static constexpr bool kStochastic = stochastic;
  template <std::size_t K>
  static constexpr Fold kFold = Emitted<Rule>::data[K].fold;
  template <std::size_t K>
  static constexpr bool kReads = Streams<Rule>::data[K].role != Role::kOut;
  template <std::size_t K>
  static constexpr bool kWrites = Streams<Rule>::data[K].role != Role::kIn;
  MDBOPT_INLINE static void element(Elements<Rule, T>& v, const Coef& c, double* sums) {
    Rule::apply(v, c, sums);
  }
};

// What a phase does with a stream, for those who may not see its type.
struct StreamUse {
  std::size_t bytes;  // of an element
  bool read, written;
};

// Whether a float32 call may bring an array for a bfloat16 image of what is written to stream 0.
template <class Rule, class T, class Phase>
inline constexpr bool kMayCopy =
    TakesLr<Rule>::value && std::is_same_v<T, float> && Phase::template kWrites<0>;

template <bool stochastic, class To, class Real>
MDBOPT_INLINE To rounded(Real x, std::uint32_t random) {
  if constexpr (stochastic && sizeof(To) == 2) {
    return Stochastic<To>::of(static_cast<float>(x), random);
  } else {
    return Nearest<To>::of(static_cast<Arithmetic<To>>(x));
  }
}

// Which walks a rule has in calls of dtype T.
template <class Rule, class T>
struct Has {
  static constexpr bool kDtype = sizeof(T) > 2 || TakesHalf<Rule>::value;
  static constexpr bool kGather = kDtype && Gathered<Rule>::count > 0;
  static constexpr bool kApply = kDtype && Applies<Rule>::value;
  static constexpr bool kSolve = kApply && (kGather || Solved<Rule>::count > 0);
  static constexpr bool kStochastic = kApply && sizeof(T) == 2 && IsUpdate<Rule>::value;
};

}  // namespace mdbopt::MDBOPT_ISA
