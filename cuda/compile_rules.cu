// compile_rules – the rules of one part, MDBOPT_CUDA_PART, compiled.
#include "../csrc/rules/rules.h"
#include "rule_table.h"
#include "sweep.cuh"

namespace mdbopt::cuda {
namespace {

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
