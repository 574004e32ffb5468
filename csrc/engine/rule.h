// rule – what an update rule is: streams, scalars, sums and pure functions on ONE element.
//
// A rule is a struct of constants and static functions, nothing else:
//
//   struct Example {
//     static constexpr const char* kName = "example";   // in Python, C++, messages and tests
//     static constexpr const char* kSummary = "one sentence with the formula";
//     static constexpr Stream kStreams[] = {{"x", Role::kInOut}, {"g", Role::kIn}};
//     enum { kX, kG };                                  // positions of the streams in `v`
//     struct Coef { double step, twice; };              // what gather and apply need
//     static constexpr ScalarOf<Coef> kScalars[] = {    // optional; doubles from the caller, and
//         {"step", &Coef::step, 1.0}};                  //   the member of Coef that each becomes
//     static constexpr Sum kGathered[] = {{"norm2"}};   // optional; summed by gather
//     static constexpr Sum kSolved[] = {{"alpha"}};     // optional; numbers that solve makes
//     static constexpr Scope kScope = Scope::kArray;    // optional; sums are of each array
//     static constexpr Sum kEmitted[] = {{"gmax", Fold::kMax}};  // optional; summed by apply
//     static bool prepare(Coef& c, double n);           // optional: what else Coef holds, made from
//                                                       //   the scalars; may refuse
//     template <class V>                                // optional: the walk that only sums
//     static void gather(const V& v, const Coef& c, double* sums);
//     static bool solve(double* sums, double n, Coef& c);  // of what gathers and applies, or has
//                                                       //   kSolved; may refuse
//     template <class V>                                // optional: the walk that updates
//     static void apply(V& v, const Coef& c, double* sums);
//   };
//
// `v[k]` holds the element of stream k, already widened to double; what apply assigns to an output
// stream is rounded to its storage type when stored. `v.put(k, value)` assigns and returns the
// value as it will be stored, for sums that must see it. `sums[k]` receives this element's
// contribution, one without a sign to a maximum. A rule refuses by returning false, and then leaves every stream untouched. prepare
// and solve also run on devices, so they keep to + − × ÷ √. solve reads the gathered sums and writes
// its own numbers behind them; one that has the name of a scalar is what the caller passes for it
// next time.
//
// With Scope::kArray all sums are of one array of a call, and so are the n that solve is given and what
// it makes of Coef; prepare still runs once for all, with the n of all. A number that is passed on is
// kept for each array then, and is for solve: what prepare makes must not depend on it.
//
// A rule that inherits Update (rules/update.h) is a first-order update of parameters x, its first
// stream, by the gradient g, its second. It computes in V::Real, float32 for all but float64, takes
// half-precision elements, finds the step size of its element in `v.lr`, and has the scalars of
// Update behind its own. Its gather finds `v.lr` where the rule says kGathersLr = true. What follows an
// update computes in double, and has `v.lr`, the step sizes and the copy of the update by kTakesLr = true.
//
// Functions on elements use + − × ÷ √ abs min max and flat selects only: these have one result in
// IEEE arithmetic, so every compiler, instruction set and device gives the same bits. A nested
// select costs a vectoriser dearly.
#pragma once

#include <mdbopt/description.h>
#include <mdbopt/dtype.h>

#include <cstddef>
#include <cstdint>
#include <type_traits>
#include <utility>

#include "../base/fold.h"
#include "../base/half.h"

// Each instruction-set file compiles the rules in a namespace of its own, so that no symbol is
// shared between them.
#ifndef MDBOPT_ISA
#define MDBOPT_ISA host
#endif

namespace mdbopt {

// A scalar and the member of a rule's Coef that takes it; that of a base will do, if no other base is
// before it: nvcc 13.0 takes each to begin where the Coef does.
template <class Coef>
using Member = double Coef::*;
template <class Coef>
struct ScalarOf {
  const char* name;
  Member<Coef> member;
  double fallback = __builtin_nan("");
};

}  // namespace mdbopt

namespace mdbopt::MDBOPT_ISA {

MDBOPT_INLINE double abs(double a) { return __builtin_fabs(a); }
MDBOPT_INLINE float abs(float a) { return __builtin_fabsf(a); }
MDBOPT_INLINE double sqrt(double a) { return __builtin_sqrt(a); }
MDBOPT_INLINE float sqrt(float a) { return __builtin_sqrtf(a); }
// As C's a < b ? b : a: the first argument when either is NaN.
template <class Real>
MDBOPT_INLINE Real max(Real a, Real b) {
  return a < b ? b : a;
}
template <class Real>
MDBOPT_INLINE Real min(Real a, Real b) {
  return b < a ? b : a;
}
// NaN when either is.
template <class Real>
MDBOPT_INLINE Real maximum(Real a, Real b) {
  return ((b > a) | (b != b)) ? b : a;
}
// What a maximum takes (fold.h): 0 in place of what is negative, and no sign on a NaN.
MDBOPT_INLINE double without_sign(double a) { return abs(max(a, 0.0)); }
// sign(0) = 0, and NaN stays NaN.
template <class Real>
MDBOPT_INLINE Real sign(Real a) {
  const Real positive = a > 0 ? Real(1) : a;
  return a < 0 ? Real(-1) : positive;
}

// condition ? a : b by a mask of bits: where the condition is the same for all elements, or decides
// a later one, GCC makes a branch of ?: and leaves the loop scalar.
template <class Real>
MDBOPT_INLINE Real select(bool condition, Real a, Real b) {
  using Bits = std::conditional_t<sizeof(Real) == 8, std::uint64_t, std::uint32_t>;
  const Bits mask = Bits(0) - static_cast<Bits>(condition);
  return __builtin_bit_cast(
      Real, (__builtin_bit_cast(Bits, a) & mask) | (__builtin_bit_cast(Bits, b) & ~mask));
}

// Which optional parts a rule has. (nvcc 13.0 aborts on the requires-expression form.)
template <class...>
using Void = void;

#define MDBOPT_OPTIONAL_ARRAY(Name, Element, member)                             \
  template <class Rule, class = void>                                            \
  struct Name {                                                                  \
    static constexpr const Element* data = nullptr;                              \
    static constexpr std::size_t count = 0;                                      \
  };                                                                             \
  template <class Rule>                                                          \
  struct Name<Rule, Void<decltype(Rule::member[0])>> {                           \
    static constexpr const Element* data = Rule::member;                         \
    static constexpr std::size_t count = sizeof(Rule::member) / sizeof(Element); \
  }

MDBOPT_OPTIONAL_ARRAY(Streams, Stream, kStreams);
MDBOPT_OPTIONAL_ARRAY(Gathered, Sum, kGathered);
MDBOPT_OPTIONAL_ARRAY(Solved, Sum, kSolved);
MDBOPT_OPTIONAL_ARRAY(Emitted, Sum, kEmitted);
#undef MDBOPT_OPTIONAL_ARRAY

#define MDBOPT_OPTIONAL_CONSTANT(Name, Type, member, fallback) \
  template <class Rule, class = void>                          \
  struct Name {                                                \
    static constexpr Type value = fallback;                    \
  };                                                           \
  template <class Rule>                                        \
  struct Name<Rule, Void<decltype(Rule::member)>> {            \
    static constexpr Type value = Rule::member;                \
  }

MDBOPT_OPTIONAL_CONSTANT(IsUpdate, bool, kIsUpdate, false);
MDBOPT_OPTIONAL_CONSTANT(TakesLr, bool, kTakesLr, IsUpdate<Rule>::value);
MDBOPT_OPTIONAL_CONSTANT(TakesHalf, bool, kTakesHalf, false);
MDBOPT_OPTIONAL_CONSTANT(GatherReads, unsigned, kGatherReads, ~0U);
MDBOPT_OPTIONAL_CONSTANT(GathersLr, bool, kGathersLr, false);
MDBOPT_OPTIONAL_CONSTANT(ScopeOf, Scope, kScope, Scope::kAll);
#undef MDBOPT_OPTIONAL_CONSTANT

#define MDBOPT_OPTIONAL_COUNT(Name, member)                                              \
  template <class Rule, class = void>                                                    \
  struct Name {                                                                          \
    static constexpr std::size_t value = 0;                                              \
  };                                                                                     \
  template <class Rule>                                                                  \
  struct Name<Rule, Void<decltype(Rule::member[0])>> {                                   \
    static constexpr std::size_t value = sizeof(Rule::member) / sizeof(Rule::member[0]); \
  }

MDBOPT_OPTIONAL_COUNT(OwnScalars, kScalars);
MDBOPT_OPTIONAL_COUNT(CommonScalars, kCommonScalars);
#undef MDBOPT_OPTIONAL_COUNT

// The scalars of a rule in the order of its calls: its own, then those of every update.
template <class Rule>
struct Scalars {
  static constexpr std::size_t kOwnCount = OwnScalars<Rule>::value;
  static constexpr std::size_t count = kOwnCount + CommonScalars<Rule>::value;
  template <std::size_t K>
  static constexpr auto at() {
    if constexpr (K < kOwnCount) {
      return Rule::kScalars[K];
    } else {
      return Rule::kCommonScalars[K - kOwnCount];
    }
  }
};

// As constants, since devices cannot read the array.
template <class Rule, std::size_t K>
inline constexpr Member<typename Rule::Coef> kMember = Scalars<Rule>::template at<K>().member;

// One element of each stream of a rule in a call of dtype T. (Devices cannot read the array of
// streams, only constants made from it.)
template <class Rule, class T>
struct Elements {
  using Real = std::conditional_t<IsUpdate<Rule>::value, Arithmetic<T>, double>;
  static constexpr std::size_t kCount = Streams<Rule>::count;
  template <std::size_t K>
  static constexpr Storage kStorage = Streams<Rule>::data[K].storage;

  Real value[kCount];
  Real lr;
  MDBOPT_INLINE Real& operator[](std::size_t k) { return value[k]; }
  MDBOPT_INLINE Real operator[](std::size_t k) const { return value[k]; }
  MDBOPT_INLINE double put(std::size_t k, double x) {
    const Storage storage = storage_of(k, std::make_index_sequence<kCount>{});
    const double narrow = static_cast<double>(static_cast<float>(x));
    const double element = static_cast<double>(static_cast<T>(x));
    const double rounded = storage == Storage::kNarrow ? narrow : element;
    return value[k] = storage == Storage::kWide ? x : rounded;
  }

 private:
  template <std::size_t... K>
  MDBOPT_INLINE static Storage storage_of(std::size_t k, std::index_sequence<K...>) {
    Storage storage = Storage::kElement;
    ((storage = k == K ? kStorage<K> : storage), ...);
    return storage;
  }
};

template <class Rule, class = void>
struct Applies {
  static constexpr bool value = false;
};
template <class Rule>
struct Applies<
    Rule, Void<decltype(Rule::apply(*static_cast<Elements<Rule, double>*>(nullptr),
                                    *static_cast<const typename Rule::Coef*>(nullptr), nullptr))>> {
  static constexpr bool value = true;
};

template <class Rule, class = void>
struct Prepares {
  static constexpr bool value = false;
};
template <class Rule>
struct Prepares<Rule,
                Void<decltype(Rule::prepare(*static_cast<typename Rule::Coef*>(nullptr), 0.0))>> {
  static constexpr bool value = true;
};

template <class Rule, std::size_t... K>
MDBOPT_HOST_DEVICE void set_scalars([[maybe_unused]] const double* scalars, typename Rule::Coef& c,
                                    std::index_sequence<K...>) {
  c = {};
  ((c.*kMember<Rule, K> = scalars[K]), ...);
}

// Makes a rule's Coef for n elements of its scalars, in the order of its description; false where the
// rule refuses them.
template <class Rule>
MDBOPT_HOST_DEVICE bool make_coef(const double* scalars, [[maybe_unused]] double n,
                                  typename Rule::Coef& c) {
  set_scalars<Rule>(scalars, c, std::make_index_sequence<Scalars<Rule>::count>{});
  if constexpr (Prepares<Rule>::value) {
    return Rule::prepare(c, n);
  } else {
    return true;
  }
}

// Two common cases of scalars, to inherit from.
struct NoScalars {
  struct Coef {};
};

struct ScaleOnly {
  struct Coef {
    double scale;
  };
  static constexpr ScalarOf<Coef> kScalars[] = {{"scale", &Coef::scale, 1.0}};
};

template <class Rule, std::size_t... K>
inline constexpr Scalar kDescribedScalars[] = {
    {Scalars<Rule>::template at<K>().name, Scalars<Rule>::template at<K>().fallback}...};

template <class Rule, std::size_t... K>
constexpr const Scalar* described_scalars(std::index_sequence<K...>) {
  if constexpr (sizeof...(K) == 0) {
    return nullptr;
  } else {
    return kDescribedScalars<Rule, K...>;
  }
}

template <class Rule>
constexpr Description describe() {
  static_assert(Streams<Rule>::count <= kMaxStreams && Scalars<Rule>::count <= kMaxScalars);
  static_assert(sizeof(typename Rule::Coef) <= kMaxCoefBytes);
  const Description description{
      Rule::kName,
      Rule::kSummary,
      Streams<Rule>::data,
      Streams<Rule>::count,
      described_scalars<Rule>(std::make_index_sequence<Scalars<Rule>::count>{}),
      Scalars<Rule>::count,
      Gathered<Rule>::data,
      Gathered<Rule>::count,
      Solved<Rule>::data,
      Solved<Rule>::count,
      Emitted<Rule>::data,
      Emitted<Rule>::count,
      GatherReads<Rule>::value,
      GathersLr<Rule>::value,
      Applies<Rule>::value,
      IsUpdate<Rule>::value,
      TakesLr<Rule>::value,
      TakesHalf<Rule>::value,
      ScopeOf<Rule>::value};
  static_assert(Gathered<Rule>::count + Solved<Rule>::count + Emitted<Rule>::count <= kMaxSums);
  return description;
}

}  // namespace mdbopt::MDBOPT_ISA
