// compile_rules – the rules of one part, MDBOPT_CUDA_PART, compiled.
#include "../csrc/rules/rules.h"
#include "rule_table.h"
#include "stored_walk.cuh"
#include "sweep.cuh"

namespace mdbopt::cuda {
namespace {

// Which walks over arrays in formats a rule has: they are walked as float32, by updates and the norm of their
// gradients. Something may follow an update in float64, too.
template <class Rule, class T>
struct Stores {
  static constexpr bool kUpdate = IsUpdate<Rule>::value;
  static constexpr bool kSingle = std::is_same_v<T, float>;
  static constexpr bool kGather =
      Has<Rule, T>::kGather && kSingle && (kUpdate || std::is_same_v<Rule, Norm>);
  static constexpr bool kApply =
      Has<Rule, T>::kApply && kUpdate && (kSingle || std::is_same_v<T, double>);
};

template <class Rule, class T>
struct Compiler {
  static bool prepare(const double* scalars, double n, void* coef) {
    return make_coef<Rule>(scalars, n, *static_cast<typename Rule::Coef*>(coef));
  }
  static CompiledRule compiled() {
    CompiledRule row{};
    row.prepare = prepare;
    if constexpr (Has<Rule, T>::kGather) row.gather = walk_kernel<Rule, T, Gather<Rule, T>>;
    if constexpr (Has<Rule, T>::kSolve) row.solve = solve_kernel<Rule>;
    if constexpr (Has<Rule, T>::kApply) row.apply = walk_kernel<Rule, T, Apply<Rule, T, false>>;
    if constexpr (Has<Rule, T>::kStochastic) {
      row.apply_stochastic = walk_kernel<Rule, T, Apply<Rule, T, true>>;
    }
    if constexpr (Stores<Rule, T>::kGather) {
      row.gather_stored = stored_walk_kernel<Rule, T, Gather<Rule, T>, Finish>;
    }
    if constexpr (Stores<Rule, T>::kApply) {
      row.apply_stored = stored_walk_kernel<Rule, T, Apply<Rule, T, false>, Finish>;
    }
    if constexpr (IsUpdate<Rule>::value) {
      row.prepare_there = prepare_kernel<Rule>;
    } else if constexpr (TakesLr<Rule>::value) {
      row.prepare_there = prepare_following_kernel<Rule>;
    }
    return row;
  }
};

template <std::size_t part, std::size_t index, class Rule>
void fill_rule(CompiledRule (*rows)[kDtypeCount]) {
  if constexpr (index % kParts == part) {
    rows[index][0] = Compiler<Rule, double>::compiled();
    rows[index][1] = Compiler<Rule, float>::compiled();
    rows[index][2] = Compiler<Rule, BFloat16>::compiled();
    rows[index][3] = Compiler<Rule, Float16>::compiled();
  }
}

template <std::size_t part, class... Rule, std::size_t... index>
void fill(CompiledRule (*rows)[kDtypeCount], RuleList<Rule...>, std::index_sequence<index...>) {
  (fill_rule<part, index, Rule>(rows), ...);
}

}  // namespace

template <>
void fill_part<MDBOPT_CUDA_PART>(CompiledRule (*rows)[kDtypeCount]) {
  fill<MDBOPT_CUDA_PART>(rows, Rules{}, std::make_index_sequence<Rules::count>{});
}

}  // namespace mdbopt::cuda
