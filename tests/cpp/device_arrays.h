// device_arrays – arrays of numbers on the host and on a device.
#pragma once

#include <cmath>

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

// An element of an array of a dtype.
inline double element(const Bytes& array, Dtype dtype, std::size_t i) {
  const unsigned char* at = array.data() + i * info(dtype).bytes;
  const auto read = [at](auto value) {
    std::memcpy(&value, at, sizeof value);
    return value;
  };
  if (dtype == Dtype::kFloat64) return read(double{});
  if (dtype == Dtype::kFloat32) return double{read(float{})};
  if (dtype == Dtype::kBFloat16) return double{widen(read(mdbopt::BFloat16{}))};
  return double{widen(read(mdbopt::Float16{}))};
}

// Where two arrays first differ, their size where they do not. Sign and payload of a NaN are the processor's.
inline std::size_t first_difference(const Bytes& a, const Bytes& b, Dtype dtype) {
  const std::size_t bytes = info(dtype).bytes;
  std::size_t i = 0;
  for (; i < a.size() / bytes; ++i) {
    if (std::memcmp(a.data() + i * bytes, b.data() + i * bytes, bytes) == 0) continue;
    if (!std::isnan(element(a, dtype, i)) || !std::isnan(element(b, dtype, i))) break;
  }
  return i;
}

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
