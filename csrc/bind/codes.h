// codes – the formats that states are stored in, by name.
#pragma once

#include <string>

#include "../engine/format.h"

namespace mdbopt::bind {

// "bfloat16", "remainder", "signed" or "unsigned" codes.
Format format_named(const std::string& name);

}  // namespace mdbopt::bind
