// sweep – the CPU walk over flat streams, compiled once per instruction set. It knows no rule by
// name.
//
// A walk goes chunk by chunk in the order of fold.h, 32 elements at a time, so that a vectorised
// loop and a scalar one add the same numbers in the same order. Streams are widened to double,
// given to the rule, and rounded back.
#pragma once

#include <tuple>
#include <utility>

#include "backend.h"
#include "dtype.h"
#include "rule.h"

namespace mdbopt::MDBOPT_ISA {

template <class Rule, class T>
struct CpuSweep {
  using Coef = typename Rule::Coef;
  static constexpr std::size_t kStreamCount = Streams<Rule>::count;
  using Values = Elements<Rule, T>;
  using Positions = std::make_index_sequence<kStreamCount>;
  static constexpr Stream stream(std::size_t k) { return Streams<Rule>::data[k]; }
  template <std::size_t K>
  using Stored =
      std::conditional_t<stream(K).storage == Storage::kWide, double,
                         std::conditional_t<stream(K).storage == Storage::kNarrow, float, T>>;

  struct Gather {
    static constexpr std::size_t kSums = Gathered<Rule>::count;
    static constexpr Fold fold(std::size_t k) { return Gathered<Rule>::data[k].fold; }
    static constexpr bool kWrites = false;
    MDBOPT_INLINE static void element(const Values& v, const Coef& c, double* sums) {
      Rule::gather(v, c, sums);
    }
  };
  struct Apply {
    static constexpr std::size_t kSums = Emitted<Rule>::count;
    static constexpr Fold fold(std::size_t k) { return Emitted<Rule>::data[k].fold; }
    static constexpr bool kWrites = true;
    MDBOPT_INLINE static void element(Values& v, const Coef& c, double* sums) {
      Rule::apply(v, c, sums);
    }
  };

  template <class Phase>
  struct Lanes {
    double value[Phase::kSums > 0 ? Phase::kSums : 1][kLanes];
  };

  template <class Phase, std::size_t... K>
  MDBOPT_INLINE static void block(void* const* streams, std::size_t begin, std::size_t count,
                                  const Coef& c, Lanes<Phase>& lanes, std::index_sequence<K...>) {
    const std::tuple<Stored<K>*...> at{static_cast<Stored<K>*>(streams[K]) + begin...};
#pragma GCC ivdep
    for (std::size_t lane = 0; lane < count; ++lane) {
      Values v{
          {(stream(K).role == Role::kOut ? 0.0 : static_cast<double>(std::get<K>(at)[lane]))...}};
      double sums[Phase::kSums > 0 ? Phase::kSums : 1];
      Phase::element(v, c, sums);
      if constexpr (Phase::kWrites) {
        ((stream(K).role != Role::kIn ? void(std::get<K>(at)[lane] = static_cast<Stored<K>>(v[K]))
                                      : void()),
         ...);
      }
      for (std::size_t k = 0; k < Phase::kSums; ++k) {
        lanes.value[k][lane] = combine(Phase::fold(k), lanes.value[k][lane], sums[k]);
      }
    }
  }

  template <class Phase>
  static void walk(void* const* streams, std::size_t n, std::size_t first, std::size_t last,
                   const void* coef, double* partials) {
    const Coef c = *static_cast<const Coef*>(coef);
    for (std::size_t chunk = first; chunk < last; ++chunk) {
      const std::size_t end = (chunk + 1) * kChunk < n ? (chunk + 1) * kChunk : n;
      Lanes<Phase> lanes{};
      std::size_t i = chunk * kChunk;
      for (; i + kLanes <= end; i += kLanes) {
        block<Phase>(streams, i, kLanes, c, lanes, Positions{});
      }
      if (i < end) block<Phase>(streams, i, end - i, c, lanes, Positions{});
      for (std::size_t k = 0; k < Phase::kSums; ++k) {
        partials[chunk * Phase::kSums + k] = fold_lanes(Phase::fold(k), lanes.value[k]);
      }
    }
  }

  static bool prepare(const double* scalars, double n, void* coef) {
    return Rule::prepare(scalars, n, *static_cast<Coef*>(coef));
  }
  static bool solve(const double* sums, double n, void* coef) {
    return Rule::solve(sums, n, *static_cast<Coef*>(coef));
  }

  static constexpr Sweep row() {
    Sweep sweep{prepare, nullptr, nullptr, nullptr};
    if constexpr (Gathered<Rule>::count > 0) {
      sweep.gather = walk<Gather>;
      if constexpr (Applies<Rule>::value) sweep.solve = solve;
    }
    if constexpr (Applies<Rule>::value) sweep.apply = walk<Apply>;
    return sweep;
  }
};

template <class List>
struct Table;
template <template <class...> class List, class... Rule>
struct Table<List<Rule...>> {
  // One column per dtype, in the order of dtype.h.
  static constexpr Sweep rows[sizeof...(Rule)][kDtypeCount] = {
      {CpuSweep<Rule, double>::row(), CpuSweep<Rule, float>::row()}...};
};

}  // namespace mdbopt::MDBOPT_ISA
