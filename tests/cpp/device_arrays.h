// device_arrays – arrays of numbers on the host and on a device.
#pragma once

#include "base/half.h"
#include "check.h"
#include "runtime/device.h"

using mdbopt::Dtype;
using mdbopt::Location;

using Bytes = std::vector<unsigned char>;

// Memory on the device for the length of a test, with room to start anywhere in it.
class OnDevice {
 public:
  OnDevice(const Location& location, const Bytes& from, std::size_t offset)
      : location_(location),
        memory_(mdbopt::device_library().allocate(location, from.size() + offset)),
        offset_(offset) {
    mdbopt::device_library().copy(location_, data(), from.data(), from.size());
  }
  OnDevice(OnDevice&& other) noexcept
      : location_(other.location_), memory_(other.memory_), offset_(other.offset_) {
    other.memory_ = nullptr;
  }
  ~OnDevice() { mdbopt::device_library().free(location_, memory_); }
  void* data() const { return static_cast<char*>(memory_) + offset_; }
  Bytes bytes(std::size_t size) const {
    Bytes back(size);
    mdbopt::device_library().copy(location_, back.data(), data(), size);
    mdbopt::device_library().synchronize(location_);
    return back;
  }

 private:
  Location location_;
  void* memory_;
  std::size_t offset_;
};

// Numbers in (0.25, 1.25), but gradients of either sign.
inline Bytes numbers(check::Random& random, Dtype dtype, std::size_t size, bool either_sign) {
  Bytes bytes(size * info(dtype).bytes);
  for (std::size_t i = 0; i < size; ++i) {
    const double drawn = random.number();
    const double value = either_sign ? drawn : 0.75 + 0.5 * drawn;
    void* at = bytes.data() + i * info(dtype).bytes;
    const auto narrow = static_cast<float>(value);
    const auto brain = mdbopt::Nearest<mdbopt::BFloat16>::of(narrow);
    const auto half = mdbopt::Nearest<mdbopt::Float16>::of(narrow);
    if (dtype == Dtype::kFloat64) std::memcpy(at, &value, sizeof value);
    if (dtype == Dtype::kFloat32) std::memcpy(at, &narrow, sizeof narrow);
    if (dtype == Dtype::kBFloat16) std::memcpy(at, &brain, sizeof brain);
    if (dtype == Dtype::kFloat16) std::memcpy(at, &half, sizeof half);
  }
  return bytes;
}
