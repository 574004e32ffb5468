// sweep – the CPU walk over flat streams, compiled once per instruction set. It knows no rule by
// name.
//
// A walk goes chunk by chunk in the order of fold.h, 32 elements at a time, so that a vectorised
// loop and a scalar one add the same numbers in the same order. Streams are widened to the type the
// rule computes in, given to the rule, and rounded back.
#pragma once

#include <tuple>
#include <utility>

#include "backend.h"
#include "dtype.h"
#include "half.h"
#include "rule.h"

namespace mdbopt::MDBOPT_ISA {

template <class Rule, class T>
struct CpuSweep {
  using Coef = typename Rule::Coef;
  static constexpr std::size_t kStreamCount = Streams<Rule>::count;
  using Values = Elements<Rule, T>;
  using Real = typename Values::Real;
  using Positions = std::make_index_sequence<kStreamCount>;
  static constexpr Stream stream(std::size_t k) { return Streams<Rule>::data[k]; }
  template <Storage storage>
  using StoredAs = std::conditional_t<
      storage == Storage::kWide, double,
      std::conditional_t<storage == Storage::kNarrow, float,
                         std::conditional_t<storage == Storage::kState, Arithmetic<T>, T>>>;
  template <std::size_t K>
  using Stored = StoredAs<stream(K).storage>;

  struct Gather {
    static constexpr std::size_t kSums = Gathered<Rule>::count;
    static constexpr Fold fold(std::size_t k) { return Gathered<Rule>::data[k].fold; }
    static constexpr bool reads(std::size_t k) { return (GatherReads<Rule>::value >> k & 1U) != 0; }
    static constexpr bool writes(std::size_t) { return false; }
    static constexpr bool kStochastic = false;
    MDBOPT_INLINE static void element(const Values& v, const Coef& c, double* sums) {
      Rule::gather(v, c, sums);
    }
  };
  template <bool stochastic>
  struct Apply {
    static constexpr std::size_t kSums = Emitted<Rule>::count;
    static constexpr Fold fold(std::size_t k) { return Emitted<Rule>::data[k].fold; }
    static constexpr bool reads(std::size_t k) { return stream(k).role != Role::kOut; }
    static constexpr bool writes(std::size_t k) { return stream(k).role != Role::kIn; }
    static constexpr bool kStochastic = stochastic;
    MDBOPT_INLINE static void element(Values& v, const Coef& c, double* sums) {
      Rule::apply(v, c, sums);
    }
  };

  template <class Phase>
  struct Lanes {
    double value[Phase::kSums > 0 ? Phase::kSums : 1][kLanes];
  };

  // What the elements of a block share.
  struct Block {
    std::size_t begin, count;
    const Real* lr;  // of each lane
    std::uint64_t chunk_key;
    const Coef& c;
  };

  template <bool stochastic, class To>
  MDBOPT_INLINE static To rounded(Real x, std::uint32_t random) {
    if constexpr (stochastic && sizeof(To) == 2) {
      return Stochastic<To>::of(static_cast<float>(x), random);
    } else {
      return Nearest<To>::of(static_cast<Arithmetic<To>>(x));
    }
  }

  template <class Phase, std::size_t... K>
  MDBOPT_INLINE static void walk_block(void* const* streams, const Block& block,
                                       Lanes<Phase>& lanes, std::index_sequence<K...>) {
    const std::tuple<Stored<K>*...> at{static_cast<Stored<K>*>(streams[K]) + block.begin...};
    const auto first = static_cast<std::uint32_t>(block.begin % kChunk);
#pragma GCC ivdep
    for (std::size_t lane = 0; lane < block.count; ++lane) {
      Values v{{(Phase::reads(K) ? static_cast<Real>(widen(std::get<K>(at)[lane])) : Real(0))...},
               IsUpdate<Rule>::value ? block.lr[lane] : Real(0)};
      double sums[Phase::kSums > 0 ? Phase::kSums : 1];
      Phase::element(v, block.c, sums);
      const std::uint32_t random =
          Phase::kStochastic ? random16(block.chunk_key, first + static_cast<std::uint32_t>(lane))
                             : 0U;
      ((Phase::writes(K)
            ? void(std::get<K>(at)[lane] = rounded<Phase::kStochastic, Stored<K>>(v[K], random))
            : void()),
       ...);
      for (std::size_t k = 0; k < Phase::kSums; ++k) {
        lanes.value[k][lane] = combine(Phase::fold(k), lanes.value[k][lane], sums[k]);
      }
    }
  }

  MDBOPT_INLINE static void write_copy(const Job& job, std::size_t begin, std::size_t count) {
    const auto* x = static_cast<const float*>(job.streams[0]) + begin;
    auto* copy = static_cast<BFloat16*>(job.copy) + begin;
#pragma GCC ivdep
    for (std::size_t lane = 0; lane < count; ++lane) copy[lane] = Nearest<BFloat16>::of(x[lane]);
  }

  template <class Phase>
  static void walk(const Job& job, std::size_t first, std::size_t last, std::size_t before,
                   const Course& course, double* partials) {
    const Coef c = *static_cast<const Coef*>(course.coef);
    const auto* step_sizes = static_cast<const Real*>(job.step_sizes);
    Real lr[kLanes];
    if constexpr (IsUpdate<Rule>::value) {
      for (Real& each : lr) each = static_cast<Real>(job.lr);
    }
    const auto go = [&](std::size_t i, std::size_t count, std::uint64_t key, Lanes<Phase>& lanes) {
      const bool each = IsUpdate<Rule>::value && step_sizes != nullptr;
      walk_block<Phase>(job.streams, {i, count, each ? step_sizes + i : lr, key, c}, lanes,
                        Positions{});
      if constexpr (IsUpdate<Rule>::value && std::is_same_v<T, float> && Phase::writes(0)) {
        if (job.copy != nullptr) write_copy(job, i, count);
      }
    };
    for (std::size_t chunk = first; chunk < last; ++chunk) {
      const std::size_t end = (chunk + 1) * kChunk < job.size ? (chunk + 1) * kChunk : job.size;
      const std::uint64_t key = Phase::kStochastic ? mix64(course.key + before + chunk) : 0;
      Lanes<Phase> lanes{};
      std::size_t i = chunk * kChunk;
      for (; i + kLanes <= end; i += kLanes) {
        go(i, kLanes, key, lanes);
      }
      if (i < end) go(i, end - i, key, lanes);
      for (std::size_t k = 0; k < Phase::kSums; ++k) {
        partials[chunk * Phase::kSums + k] = fold_lanes(Phase::fold(k), lanes.value[k]);
      }
    }
  }

  static bool prepare(const double* scalars, double n, void* coef) {
    return Rule::prepare(scalars, n, *static_cast<Coef*>(coef));
  }
  static bool solve(double* sums, double n, void* coef) {
    return Rule::solve(sums, n, *static_cast<Coef*>(coef));
  }

  static constexpr Sweep row() {
    Sweep sweep{prepare, nullptr, nullptr, nullptr, nullptr};
    if constexpr (sizeof(T) > 2 || TakesHalf<Rule>::value) {
      if constexpr (Gathered<Rule>::count > 0) {
        sweep.gather = walk<Gather>;
        if constexpr (Applies<Rule>::value) sweep.solve = solve;
      }
      if constexpr (Applies<Rule>::value) sweep.apply = walk<Apply<false>>;
      if constexpr (sizeof(T) == 2 && IsUpdate<Rule>::value) {
        sweep.apply_stochastic = walk<Apply<true>>;
      }
    }
    return sweep;
  }
};

template <class List>
struct Table;
template <template <class...> class List, class... Rule>
struct Table<List<Rule...>> {
  // One column per dtype, in the order of dtype.h.
  static constexpr Sweep rows[sizeof...(Rule)][kDtypeCount] = {
      {CpuSweep<Rule, double>::row(), CpuSweep<Rule, float>::row(), CpuSweep<Rule, BFloat16>::row(),
       CpuSweep<Rule, Float16>::row()}...};
};

}  // namespace mdbopt::MDBOPT_ISA
