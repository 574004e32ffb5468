// backend_avx512 – the sweeps compiled for AVX-512 (F, DQ, VL, BW).
#ifdef __x86_64__  // macOS compiles a file for several processors at once

#include "../rules/rules.h"
#include "formats.h"
#include "sweep.h"

namespace mdbopt::avx512 {

static bool supported() {
  return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
         __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512bw");
}

extern const Backend kBackend;
const Backend kBackend{"avx512", supported, Table<Rules>::rows, &kFormats};

}  // namespace mdbopt::avx512

#endif
