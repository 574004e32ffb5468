// resident – between the two looks at the norm of the gradients.
#include "resident.h"

#include "../csrc/update/clip.h"
#include "queue.h"

namespace mdbopt::cuda {
namespace {

__global__ void second_look_kernel(Resident* resident) {
  const double scale = clip::second_scale(resident->norm.sums[0], resident->norm.sums[1]);
  resident->again_scale = scale;
  resident->again.refused = scale == 0.0 ? 1 : 0;
}

}  // namespace

void queue_second_look(Resident* resident, const Place& place) {
  launch(second_look_kernel, 1, 1, resident, place, "clipping the gradients");
}

}  // namespace mdbopt::cuda
