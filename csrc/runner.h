// runner – runs a program on the CPU.
#pragma once

#include "execution.h"
#include "program.h"

namespace mdbopt {

// Neighbouring walks that join one another are one pass, however many of them are wanted.
void run(const Program& program, const Told& told, const Execution& execution);

}  // namespace mdbopt
