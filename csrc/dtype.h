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

constexpr const DtypeInfo& info(Dtype dtype) { return kDtypes[static_cast<std::size_t>(dtype)]; }

}  // namespace mdbopt
