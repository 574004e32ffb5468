// residence – what an optimizer keeps on a device, and its steps.
#pragma once

#include <memory>

#include "../csrc/device.h"

namespace mdbopt::cuda {

std::unique_ptr<Residence> make_residence(const Place& place);

}  // namespace mdbopt::cuda
