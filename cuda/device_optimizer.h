// device_optimizer – what an optimizer keeps on a device, and its steps.
#pragma once

#include <memory>

#include "../csrc/runtime/device.h"

namespace mdbopt::cuda {

std::unique_ptr<DeviceOptimizer> make_device_optimizer(const Location& location);

}  // namespace mdbopt::cuda
