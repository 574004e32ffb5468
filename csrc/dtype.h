// dtype – the one list of element types.
#pragma once

#include <cstddef>
#include <cstdint>

namespace mdbopt {

// Order is the order of columns in a backend's table. Half-precision types join here.
enum class Dtype : std::uint8_t { kFloat64, kFloat32 };
inline constexpr std::size_t kDtypeCount = 2;

struct DtypeInfo {
  const char* name;
  std::size_t bytes;
};

inline constexpr DtypeInfo kDtypes[kDtypeCount] = {{"float64", 8}, {"float32", 4}};

// The distance from 1 to the next number.
constexpr double epsilon_of(Dtype dtype) { return dtype == Dtype::kFloat64 ? 0x1p-52 : 0x1p-23; }

constexpr const DtypeInfo& info(Dtype dtype) { return kDtypes[static_cast<std::size_t>(dtype)]; }

}  // namespace mdbopt
