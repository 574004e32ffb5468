// sweep – the CPU walk over flat streams, compiled once per instruction set. It knows no rule by
// name.
//
// A walk goes chunk by chunk in the order of fold.h, 32 elements at a time, so that a vectorised
// loop and a scalar one add the same numbers in the same order. Streams are widened to the type the
// rule computes in, given to the rule, and rounded back.
#pragma once

#include <mdbopt/dtype.h>

#include <tuple>
#include <utility>

#include "../base/half.h"
#include "backend.h"
#include "phase.h"
#include "rule.h"

namespace mdbopt::MDBOPT_ISA {

template <class Rule, class T>
struct CpuSweep {
  using Coef = typename Rule::Coef;
  using Values = Elements<Rule, T>;
  using Real = typename Values::Real;
  using Positions = std::make_index_sequence<Streams<Rule>::count>;
  template <std::size_t K>
  using Stored = typename Storages<Rule, T>::template Stored<K>;

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

  template <class Phase, std::size_t... K>
  MDBOPT_INLINE static void add(Lanes<Phase>& lanes, [[maybe_unused]] std::size_t lane,
                                [[maybe_unused]] const double* sums, std::index_sequence<K...>) {
    ((lanes.value[K][lane] = combine(Phase::template kFold<K>, lanes.value[K][lane], sums[K])),
     ...);
  }
  template <class Phase, std::size_t... K>
  static void fold(Lanes<Phase>& lanes, double* partials, std::index_sequence<K...>) {
    ((partials[K] = fold_lanes(Phase::template kFold<K>, lanes.value[K])), ...);
  }

  template <class Phase, std::size_t... K>
  MDBOPT_INLINE static void walk_block(void* const* streams, const Block& block,
                                       Lanes<Phase>& lanes, std::index_sequence<K...>) {
    const std::tuple<Stored<K>*...> at{static_cast<Stored<K>*>(streams[K]) + block.begin...};
    const auto first = static_cast<std::uint32_t>(block.begin % kChunk);
#pragma GCC ivdep
    for (std::size_t lane = 0; lane < block.count; ++lane) {
      Values v{{(Phase::template kReads<K> ? static_cast<Real>(widen(std::get<K>(at)[lane]))
                                           : Real(0))...},
               IsUpdate<Rule>::value ? block.lr[lane] : Real(0)};
      double sums[Phase::kSums > 0 ? Phase::kSums : 1];
      Phase::element(v, block.c, sums);
      const std::uint32_t random =
          Phase::kStochastic ? random16(block.chunk_key, first + static_cast<std::uint32_t>(lane))
                             : 0U;
      ((Phase::template kWrites<K>
            ? void(std::get<K>(at)[lane] = rounded<Phase::kStochastic, Stored<K>>(v[K], random))
            : void()),
       ...);
      add(lanes, lane, sums, std::make_index_sequence<Phase::kSums>{});
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
                   const PassArguments& arguments, double* partials) {
    const Coef c = *static_cast<const Coef*>(arguments.coef);
    const auto* step_sizes = static_cast<const Real*>(job.step_sizes);
    Real lr[kLanes];
    if constexpr (IsUpdate<Rule>::value) {
      for (Real& each : lr) each = static_cast<Real>(job.lr);
    }
    const auto go = [&](std::size_t i, std::size_t count, std::uint64_t key, Lanes<Phase>& lanes) {
      const bool each = IsUpdate<Rule>::value && step_sizes != nullptr;
      walk_block<Phase>(job.streams, {i, count, each ? step_sizes + i : lr, key, c}, lanes,
                        Positions{});
      if constexpr (kMayCopy<Rule, T, Phase>) {
        if (job.copy != nullptr) write_copy(job, i, count);
      }
    };
    for (std::size_t chunk = first; chunk < last; ++chunk) {
      const std::size_t end = (chunk + 1) * kChunk < job.size ? (chunk + 1) * kChunk : job.size;
      const std::uint64_t key = Phase::kStochastic ? mix64(arguments.key + before + chunk) : 0;
      Lanes<Phase> lanes{};
      std::size_t i = chunk * kChunk;
      for (; i + kLanes <= end; i += kLanes) {
        go(i, kLanes, key, lanes);
      }
      if (i < end) go(i, end - i, key, lanes);
      fold(lanes, partials + chunk * Phase::kSums, std::make_index_sequence<Phase::kSums>{});
    }
  }

  static bool prepare(const double* scalars, double n, void* coef) {
    return make_coef<Rule>(scalars, n, *static_cast<Coef*>(coef));
  }
  static bool solve(double* sums, double n, void* coef) {
    return Rule::solve(sums, n, *static_cast<Coef*>(coef));
  }

  static constexpr CompiledRule compiled() {
    CompiledRule rule{prepare, nullptr, nullptr, nullptr, nullptr};
    if constexpr (Has<Rule, T>::kGather) rule.gather = walk<Gather<Rule, T>>;
    if constexpr (Has<Rule, T>::kSolve) rule.solve = solve;
    if constexpr (Has<Rule, T>::kApply) rule.apply = walk<Apply<Rule, T, false>>;
    if constexpr (Has<Rule, T>::kStochastic) rule.apply_stochastic = walk<Apply<Rule, T, true>>;
    return rule;
  }
};

template <class List>
struct Table;
template <template <class...> class List, class... Rule>
struct Table<List<Rule...>> {
  // One column per dtype, in the order of dtype.h.
  static constexpr CompiledRule rows[sizeof...(Rule)][kDtypeCount] = {
      {CpuSweep<Rule, double>::compiled(), CpuSweep<Rule, float>::compiled(),
       CpuSweep<Rule, BFloat16>::compiled(), CpuSweep<Rule, Float16>::compiled()}...};
};

}  // namespace mdbopt::MDBOPT_ISA
