// table – the parts put together.
#include "table.h"

#include <array>
#include <utility>
#include <vector>

#include "../csrc/backend.h"
#include "../csrc/rules.h"

namespace mdbopt::cuda {
namespace {

using DtypeRows = Row[kDtypeCount];

struct Table {
  Row rows[Rules::count][kDtypeCount] = {};
  Table() { fill(std::make_index_sequence<kParts>{}); }
  template <std::size_t... part>
  void fill(std::index_sequence<part...>) {
    (fill_part<part>(rows), ...);
  }
};

}  // namespace

const Row& row_of(std::size_t rule, Dtype dtype) {
  static const Table table;
  return table.rows[rule][static_cast<std::size_t>(dtype)];
}

}  // namespace mdbopt::cuda
