// rule_table – every rule compiled for every dtype, in parts that compile side by side.
#pragma once

#include <mdbopt/dtype.h>

#include <cstddef>

#include "walk_arguments.h"

namespace mdbopt::cuda {

inline constexpr std::size_t kParts = MDBOPT_CUDA_PARTS;

// Fills in the rows of one part: rule r belongs to part r mod kParts.
template <std::size_t part>
void fill_part(CompiledRule (*rows)[kDtypeCount]);

// By rule, in the order of rules.h, and dtype.
const CompiledRule& compiled_rule(std::size_t rule, Dtype dtype);
const Description& description_of(std::size_t rule);

// The rule whose gather gives the norm of gradients, and how many sums it has.
std::size_t norm_rule();
inline constexpr std::size_t kNormSums = 2;

}  // namespace mdbopt::cuda
