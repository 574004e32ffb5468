// launch – one rule over a list of jobs after the other, queued on a stream.
#pragma once

#include <span>

#include "../csrc/runtime/device.h"

namespace mdbopt::cuda {

void launch_calls(Dtype dtype, std::span<DeviceLibrary::Call> calls, const Execution& execution);

}  // namespace mdbopt::cuda
