// program – the decisions as kernels of one thread.
#include "program.h"

#include "prepare.cuh"
#include "queue.h"

namespace mdbopt::cuda {
namespace {

struct Telling {
  Told* to;
  Told told;
  DeviceNumber f;
};

__global__ void tell_kernel(const __grid_constant__ Telling telling) {
  *telling.to = telling.told;
  telling.to->f = value_of(telling.f);
}

template <class Decision>
__global__ void decision_kernel(void* control) {
  Decision::take(*static_cast<typename Decision::Control*>(control));
}

using DecisionKernel = void (*)(void*);

template <class... Decision>
DecisionKernel kernel_of(std::size_t decision, search::DecisionList<Decision...>) {
  static constexpr DecisionKernel kernels[] = {decision_kernel<Decision>...};
  return kernels[decision];
}

}  // namespace

void queue_told(void* control, const Told& told, const DeviceNumber& f, const Location& location) {
  launch(tell_kernel, 1, 1, Telling{static_cast<Told*>(control), told, f}, location,
         "telling a program");
}

void queue_decision(std::size_t decision, void* control, const Location& location) {
  launch(kernel_of(decision, search::Decisions{}), 1, 1, control, location, "deciding");
}

}  // namespace mdbopt::cuda
