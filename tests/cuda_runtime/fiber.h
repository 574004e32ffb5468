// fiber – threads of a kernel on stacks of their own, which the host enters and they leave.
#pragma once

namespace emulated {

struct Fiber;

// Runs the entry, which must not return, when it is first entered. It is never destroyed.
Fiber* new_fiber(void (*entry)());
// From the host, until the fiber leaves.
void enter(Fiber& fiber);
// From the fiber that runs, until the host enters it again.
void leave();

}  // namespace emulated
