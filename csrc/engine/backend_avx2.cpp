// backend_avx2 – the sweeps compiled for AVX2.
#ifdef __x86_64__  // macOS compiles a file for several processors at once

#include "../rules/rules.h"
#include "formats.h"
#include "sweep.h"

namespace mdbopt::avx2 {

static bool supported() { return __builtin_cpu_supports("avx2"); }

extern const Backend kBackend;
const Backend kBackend{"avx2", supported, Table<Rules>::rows, &kFormats};

}  // namespace mdbopt::avx2

#endif
