// device_search – the searches on a device: the bits of the CPU, on one stream after the other.
//
// Skips where no device can be used; MDBOPT_CUDA_LIBRARY may name one that is emulated.
#include <mdbopt/error.h>

#include "searches.h"

namespace {

// Side by side with the CPU; saved halfway, each goes on from what the other saved, on two streams
// by turns.
template <class T>
void same_on_a_device(const Case& one) {
  const std::size_t held = device_library().allocated(0);
  {
    const Where where = std::make_shared<Location>(Location{0});
    const Where other = std::make_shared<Location>(Location{0, reinterpret_cast<void*>(2)});
    Quadratic<T> here(kSize);
    Quadratic<T> there(kSize);
    auto host = make(options_of(one));
    auto device = make(options_of(one));
    here.begin(*host);
    there.begin(*device, where);
    for (int k = 0; k < 40 && !host->converged(1e-6); ++k) {
      here.step(*host);
      there.step(*device, k % 2 == 0 ? where : other);
      if (!same(*host, *device) || step_sizes(*host) != step_sizes(*device)) {
        return fail(one, "on a device, parts ways " + std::to_string(k + 1) + " steps later");
      }
      if (k != 11) continue;
      State from_host;
      State from_device;
      host->fields(from_host);
      device->fields(from_device);
      CHECK(from_host.arrays == from_device.arrays);
      from_host.load = from_device.load = true;
      Options options = options_of(one);
      host = make(options, kSize, Quadratic<T>::kDtype);
      options.execution.location = *where;
      device = make(options, kSize, Quadratic<T>::kDtype);
      host->fields(from_device);
      device->fields(from_host);
      host->loaded();
      device->loaded();
    }
  }
  CHECK_EQUAL(device_library().allocated(0), held);
}

void devices_are_told_apart() {
  const Where where = std::make_shared<Location>(Location{0});
  Quadratic<double> problem(kSize);
  const Buffer x = problem.there(problem.x, where);
  const auto search = make({});
  CHECK_THROWS(mdbopt::Error, "g: lives on the CPU, expected cuda:0 (as x)",
               search->init(x.tensor(), problem.f, problem.gradient()));
  CHECK_THROWS(mdbopt::Error, "g: lives on cuda:0, expected the CPU (as x)",
               search->init(problem.point(), problem.f, x.tensor()));
  problem.begin(*search, where);
  search->propose();
  CHECK_THROWS(mdbopt::Error, "g: lives on the CPU, expected cuda:0 (as x)",
               search->judge(problem.f, problem.gradient()));
}

}  // namespace

int main() {
  if (const std::string why = mdbopt::no_device_because(); !why.empty()) {
    std::cerr << "skipped: " << why << '\n';
    return 77;
  }
  for (const Case& one : cases()) {
    same_on_a_device<double>(one);
    same_on_a_device<float>(one);
  }
  devices_are_told_apart();
  return check::result();
}
