// program – a program's steps as kernels that read all numbers on the device.
#pragma once

#include <memory>

#include "../csrc/runtime/device.h"
#include "../csrc/search/decisions.h"

namespace mdbopt::cuda {

std::unique_ptr<DeviceProgram> load_program(const Program& program, const Location& location);

// Writes what is told to the control.
void queue_told(void* control, const Told& told, const DeviceNumber& f, const Location& location);
// One thread decides.
void queue_decision(std::size_t decision, void* control, const Location& location);

}  // namespace mdbopt::cuda
