// optimizer_numbers – between the two looks at the norm of the gradients.
#include "optimizer_numbers.h"

#include "../csrc/update/clip.h"
#include "queue.h"

namespace mdbopt::cuda {
namespace {

__global__ void second_look_kernel(OptimizerNumbers* numbers) {
  const double scale = clip::second_scale(numbers->norm.sums[0], numbers->norm.sums[1]);
  numbers->again_scale = scale;
  numbers->again.refused = scale == 0.0 ? 1 : 0;
}

}  // namespace

void queue_second_look(OptimizerNumbers* numbers, const Location& location) {
  launch(second_look_kernel, 1, 1, numbers, location, "clipping the gradients");
}

}  // namespace mdbopt::cuda
