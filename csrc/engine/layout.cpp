// layout – runs along the innermost axis, and a counter over the others.
#include "layout.h"

#include <algorithm>
#include <cstring>

#include "../base/half.h"

namespace mdbopt {
namespace {

// Calls `run(address, stride, count)` for each run of elements along the innermost axis.
template <class Run>
void each_run(const Layout& layout, std::size_t begin, std::size_t count, Run run) {
  const int inner = layout.rank - 1;
  const std::size_t length = inner < 0 ? 1 : static_cast<std::size_t>(layout.shape[inner]);
  const std::int64_t stride = inner < 0 ? 0 : layout.strides[inner];
  while (count > 0) {
    const std::size_t from = begin % length;
    auto* at = static_cast<char*>(layout.data) + static_cast<std::int64_t>(from) * stride;
    std::size_t above = begin / length;
    for (int k = inner; k-- > 0;) {
      const auto size = static_cast<std::size_t>(layout.shape[k]);
      at += static_cast<std::int64_t>(above % size) * layout.strides[k];
      above /= size;
    }
    const std::size_t some = std::min(count, length - from);
    run(at, stride, some);
    begin += some;
    count -= some;
  }
}

template <class From, class To>
void load_as(const Layout& layout, std::size_t begin, std::size_t count, void* block) {
  auto* to = static_cast<To*>(block);
  each_run(layout, begin, count, [&](const char* at, std::int64_t stride, std::size_t some) {
    for (std::size_t k = 0; k < some; ++k, at += stride) {
      From element;
      std::memcpy(&element, at, sizeof element);
      if constexpr (sizeof(From) == sizeof(To)) {
        to[k] = element;
      } else {
        to[k] = static_cast<To>(widen(element));
      }
    }
    to += some;
  });
}

template <class From>
void load_from(const Layout& layout, std::size_t begin, std::size_t count, Dtype dtype,
               void* block) {
  if (layout.dtype == dtype) return load_as<From, From>(layout, begin, count, block);
  if constexpr (sizeof(From) < sizeof(float)) {
    if (dtype == Dtype::kFloat32) return load_as<From, float>(layout, begin, count, block);
  }
  if constexpr (sizeof(From) < sizeof(double)) {
    load_as<From, double>(layout, begin, count, block);
  }
}

template <class T>
void store_as(const Layout& layout, std::size_t begin, std::size_t count, const void* block) {
  const auto* from = static_cast<const T*>(block);
  each_run(layout, begin, count, [&](char* at, std::int64_t stride, std::size_t some) {
    for (std::size_t k = 0; k < some; ++k, at += stride) std::memcpy(at, from + k, sizeof(T));
    from += some;
  });
}

}  // namespace

void load(const Layout& layout, std::size_t begin, std::size_t count, Dtype dtype, void* block) {
  switch (layout.dtype) {
    case Dtype::kFloat64:
      return load_from<double>(layout, begin, count, dtype, block);
    case Dtype::kFloat32:
      return load_from<float>(layout, begin, count, dtype, block);
    case Dtype::kBFloat16:
      return load_from<BFloat16>(layout, begin, count, dtype, block);
    case Dtype::kFloat16:
      return load_from<Float16>(layout, begin, count, dtype, block);
    case Dtype::kUint8:  // codes, which a format opens
    case Dtype::kUint16:
      return;
  }
}

void store(const Layout& layout, std::size_t begin, std::size_t count, const void* block) {
  switch (info(layout.dtype).bytes) {
    case sizeof(double):
      return store_as<double>(layout, begin, count, block);
    case sizeof(float):
      return store_as<float>(layout, begin, count, block);
    default:
      return store_as<BFloat16>(layout, begin, count, block);
  }
}

}  // namespace mdbopt
