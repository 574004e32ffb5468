// table – every rule compiled for every dtype, in parts that compile side by side.
#pragma once

#include <cstddef>

#include "../csrc/dtype.h"
#include "walk.h"

namespace mdbopt::cuda {

inline constexpr std::size_t kParts = 8;

// Fills in the rows of one part: rule r belongs to part r mod kParts.
template <std::size_t part>
void fill_part(Row (*rows)[kDtypeCount]);

// By rule, in the order of rules.h, and dtype.
const Row& row_of(std::size_t rule, Dtype dtype);

}  // namespace mdbopt::cuda
