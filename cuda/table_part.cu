// table_part – the rules of one part, MDBOPT_CUDA_PART, compiled.
#include "../csrc/rules.h"
#include "sweep.cuh"
#include "table.h"

namespace mdbopt::cuda {
namespace {

template <std::size_t part, std::size_t index, class Rule>
void fill_rule(Row (*rows)[kDtypeCount]) {
  if constexpr (index % kParts == part) {
    rows[index][0] = Rows<Rule, double>::row();
    rows[index][1] = Rows<Rule, float>::row();
    rows[index][2] = Rows<Rule, BFloat16>::row();
    rows[index][3] = Rows<Rule, Float16>::row();
  }
}

template <std::size_t part, class... Rule, std::size_t... index>
void fill(Row (*rows)[kDtypeCount], RuleList<Rule...>, std::index_sequence<index...>) {
  (fill_rule<part, index, Rule>(rows), ...);
}

}  // namespace

template <>
void fill_part<MDBOPT_CUDA_PART>(Row (*rows)[kDtypeCount]) {
  fill<MDBOPT_CUDA_PART>(rows, Rules{}, std::make_index_sequence<Rules::count>{});
}

}  // namespace mdbopt::cuda
