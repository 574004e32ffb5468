// codes – the formats that states are stored in, by name.
#pragma once

#include <string>

#include "../engine/format.h"

namespace mdbopt::bind {

// "bfloat16", "remainder", "signed" or "unsigned" codes.
Format format_named(const std::string& name);

// What opens an array of a dtype to float32.
constexpr Format format_of(Dtype stored) {
  if (!is_half(stored)) return Format::kPlain;
  return stored == Dtype::kBFloat16 ? Format::kBFloat16 : Format::kFloat16;
}

}  // namespace mdbopt::bind
