// interpreter – CPython inside a fuzzer, with mdbopt._core linked in and the package beside it.
#pragma once

#include <pybind11/pybind11.h>

namespace fuzz {

// Once, before anything of Python's. Blocks of the package that run may count as covered, as code that was compiled for
// libFuzzer does.
void start_python(bool counted);

// Prints an exception that should not have come, and aborts.
[[noreturn]] void unexpected(pybind11::error_already_set& error);

}  // namespace fuzz
