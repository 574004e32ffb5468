// sweep – the CPU walk over flat streams, compiled once per instruction set. It knows no rule by
// name.
//
// A walk goes chunk by chunk in the order of fold.h, 32 elements at a time, so that a vectorised
// loop and a scalar one add the same numbers in the same order. Streams are widened to the type the
// rule computes in, given to the rule, and rounded back.
#pragma once

#include <mdbopt/dtype.h>

#include <cstring>
#include <tuple>
#include <utility>

#include "../base/half.h"
#include "backend.h"
#include "halves.h"
#include "phase.h"
#include "rule.h"
#include "tail.h"

namespace mdbopt::MDBOPT_ISA {

// The fold of lanes of which those from `count` on are as they were when they were kept. Static and out of
// line, so that it is compiled once and no other instruction set's is taken.
[[gnu::noinline]] static double folded(Fold fold, double* lanes, const double* kept,
                                       std::size_t count) {
  for (std::size_t lane = count; lane < kLanes; ++lane) lanes[lane] = kept[lane];
  return fold == Fold::kAdd ? fold_lanes(Fold::kAdd, lanes) : fold_lanes(Fold::kMax, lanes);
}

[[gnu::noinline]] static void write_copy(const Job& job, std::size_t begin, std::size_t count) {
  const auto* x = static_cast<const float*>(job.streams[0]) + begin;
  auto* copy = static_cast<BFloat16*>(job.copy) + begin;
  MDBOPT_INDEPENDENT
  for (std::size_t lane = 0; lane < count; ++lane) copy[lane] = Nearest<BFloat16>::of(x[lane]);
}

// For every dtype.
template <class Rule>
static bool prepare(const double* scalars, double n, void* coef) {
  return make_coef<Rule>(scalars, n, *static_cast<typename Rule::Coef*>(coef));
}
template <class Rule>
static bool solve(double* sums, double n, void* coef) {
  return Rule::solve(sums, n, *static_cast<typename Rule::Coef*>(coef));
}

template <class Rule, class T>
struct CpuSweep {
  using Coef = typename Rule::Coef;
  using Values = Elements<Rule, T>;
  using Real = typename Values::Real;
  using Rate = Arithmetic<T>;
  using Positions = std::make_index_sequence<Streams<Rule>::count>;
  template <std::size_t K>
  using Stored = typename Storages<Rule, T>::template Stored<K>;

  template <class Phase>
  struct Lanes {
    double value[Phase::kSums > 0 ? Phase::kSums : 1][kLanes];
  };

  // Blocks of kLanes elements that follow each other in one chunk.
  struct Span {
    void* const* streams;
    std::size_t begin, end;  // in the streams
    const Rate* lr;          // of each element, or of kLanes for all blocks
    bool each;
  };

  template <class Phase, std::size_t... K>
  MDBOPT_INLINE static void add(Lanes<Phase>& lanes, [[maybe_unused]] std::size_t lane,
                                [[maybe_unused]] const double* sums, std::index_sequence<K...>) {
    ((lanes.value[K][lane] = combine(Phase::template kFold<K>, lanes.value[K][lane], sums[K])),
     ...);
  }
  // By value, for nothing may get the address of what the loops add to.
  template <class Phase, std::size_t... K>
  MDBOPT_INLINE static void fold([[maybe_unused]] Lanes<Phase> lanes,
                                 [[maybe_unused]] const Lanes<Phase> kept,
                                 [[maybe_unused]] std::size_t count,
                                 [[maybe_unused]] double* partials, std::index_sequence<K...>) {
    ((partials[K] = folded(Phase::template kFold<K>, lanes.value[K], kept.value[K], count)), ...);
  }

  template <class Phase, std::size_t... K>
  MDBOPT_INLINE static void walk_span(const Span& span, const Coef& c, Lanes<Phase>& lanes,
                                      std::index_sequence<K...>) {
    const std::tuple<Stored<K>*...> at{static_cast<Stored<K>*>(span.streams[K]) + span.begin...};
    const std::size_t size = span.end - span.begin;
    for (std::size_t i = 0; i < size; i += kLanes) {
      const Rate* lr = span.each ? span.lr + i : span.lr;
      MDBOPT_INDEPENDENT
      for (std::size_t lane = 0; lane < kLanes; ++lane) {
        Values v{{(Phase::template kReads<K> ? static_cast<Real>(widen(std::get<K>(at)[i + lane]))
                                             : Real(0))...},
                 TakesLr<Rule>::value ? static_cast<Real>(lr[lane]) : Real(0)};
        double sums[Phase::kSums > 0 ? Phase::kSums : 1];
        Phase::element(v, c, sums);
        ((Phase::template kWrites<K>
              ? void(std::get<K>(at)[i + lane] = static_cast<Stored<K>>(v[K]))
              : void()),
         ...);
        add(lanes, lane, sums, std::make_index_sequence<Phase::kSums>{});
      }
    }
  }

  template <class Phase, std::size_t... K>
  static const StreamUse* uses(std::index_sequence<K...>) {
    static constexpr StreamUse streams[] = {
        {sizeof(Stored<K>), Phase::template kReads<K>, Phase::template kWrites<K>}...};
    return streams;
  }

  template <class Phase>
  static void walk(const Job& job, std::size_t first, std::size_t last, std::size_t,
                   const PassArguments& arguments, double* partials) {
    const Coef c = *static_cast<const Coef*>(arguments.coef);
    const auto* step_sizes =
        TakesLr<Rule>::value ? static_cast<const Rate*>(job.step_sizes) : nullptr;
    Rate lr[kLanes];
    if constexpr (TakesLr<Rule>::value) {
      for (Rate& each : lr) each = static_cast<Rate>(job.lr);
    }
    Tail tail{uses<Phase>(Positions{}), Positions::size()};
    for (std::size_t chunk = first; chunk < last; ++chunk) {
      const std::size_t begin = chunk * kChunk;
      const std::size_t end = begin + kChunk < job.size ? begin + kChunk : job.size;
      const std::size_t rest = end % kLanes;
      Lanes<Phase> lanes{}, kept{};
      std::size_t count = kLanes;
      Span span{job.streams, begin, end - rest, lr, step_sizes != nullptr};
      if (span.each) span.lr = step_sizes + begin;
      // The whole blocks, then what is left. Nothing gets the address of `lanes`, so that they may stay
      // in registers.
      for (bool staged = false;; staged = true) {
        walk_span<Phase>(span, c, lanes, Positions{});
        if (staged || rest == 0) break;
        kept = lanes;
        count = rest;
        if (span.each) std::memcpy(lr, step_sizes + span.end, rest * sizeof(Rate));
        span = {tail.take(job.streams, span.end, rest), 0, kLanes, lr, false};
      }
      if (rest != 0) tail.give(job.streams, end - rest, rest);
      if constexpr (kMayCopy<Rule, T, Phase>) {
        if (job.copy != nullptr) write_copy(job, begin, end - begin);
      }
      fold(lanes, kept, count, partials + chunk * Phase::kSums,
           std::make_index_sequence<Phase::kSums>{});
    }
  }

  // The walk of half-precision elements, by a phase of theirs.
  template <class Phase, class OverFloat32>
  static void walk_halves(const Job& job, std::size_t first, std::size_t last, std::size_t before,
                          const PassArguments& arguments, double* partials) {
    Halves<T>::walk(CpuSweep<Rule, float>::template walk<OverFloat32>, uses<Phase>(Positions{}),
                    Positions::size(), Phase::kSums, Phase::kStochastic, job, first, last, before,
                    arguments, partials);
  }
  template <class Phase, class OverFloat32>
  static constexpr CompiledRule::Walk walk_of() {
    if constexpr (sizeof(T) == 2) {
      return walk_halves<Phase, OverFloat32>;
    } else {
      return walk<Phase>;
    }
  }

  static constexpr CompiledRule compiled() {
    CompiledRule rule{prepare<Rule>, nullptr, nullptr, nullptr, nullptr};
    using Applied = Apply<Rule, float, false>;
    if constexpr (Has<Rule, T>::kGather) {
      rule.gather = walk_of<Gather<Rule, T>, Gather<Rule, float>>();
    }
    if constexpr (Has<Rule, T>::kSolve) rule.solve = solve<Rule>;
    if constexpr (Has<Rule, T>::kApply) rule.apply = walk_of<Apply<Rule, T, false>, Applied>();
    if constexpr (Has<Rule, T>::kStochastic) {
      rule.apply_stochastic = walk_of<Apply<Rule, T, true>, Applied>();
    }
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
