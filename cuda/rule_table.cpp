// rule_table – the parts put together.
#include "rule_table.h"

#include <cstring>
#include <utility>

#include "../csrc/engine/backend.h"
#include "../csrc/rules/rules.h"

namespace mdbopt::cuda {
namespace {

using DtypeRows = CompiledRule[kDtypeCount];

struct Table {
  CompiledRule rows[Rules::count][kDtypeCount] = {};
  Table() { fill(std::make_index_sequence<kParts>{}); }
  template <std::size_t... part>
  void fill(std::index_sequence<part...>) {
    (fill_part<part>(rows), ...);
  }
};

template <class List>
struct Described;
template <template <class...> class List, class... Rule>
struct Described<List<Rule...>> {
  static constexpr Description all[] = {describe<Rule>()...};
};

}  // namespace

const CompiledRule& compiled_rule(std::size_t rule, Dtype dtype) {
  static const Table table;
  return table.rows[rule][static_cast<std::size_t>(dtype)];
}

const Description& description_of(std::size_t rule) { return Described<Rules>::all[rule]; }

std::size_t norm_rule() {
  static_assert(sizeof(Norm::Coef) == sizeof(double), "the second look brings its scale alone");
  static_assert(Gathered<Norm>::count == kNormSums);
  std::size_t rule = 0;
  while (std::strcmp(description_of(rule).name, Norm::kName) != 0) ++rule;
  return rule;
}

}  // namespace mdbopt::cuda
