// backend_baseline – the sweeps compiled for what every processor of the architecture runs.
#include "../rules/rules.h"
#include "formats.h"
#include "sweep.h"

namespace mdbopt::baseline {

static bool supported() { return true; }

extern const Backend kBackend;
const Backend kBackend{"baseline", supported, Table<Rules>::rows, &kFormats};

}  // namespace mdbopt::baseline
