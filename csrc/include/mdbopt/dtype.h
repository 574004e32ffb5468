// dtype – the one list of element types.
//
// Contract. Numbers of the list are fixed: saved states and other libraries see names alone.
#pragma once

#include <cstddef>
#include <cstdint>

namespace mdbopt {

// Order is the order of columns in a backend's table. Those without a sign are no rule's: they are for storage,
// in codes or as the bits of something else.
enum class Dtype : std::uint8_t { kFloat64, kFloat32, kBFloat16, kFloat16, kUint8, kUint16 };
inline constexpr std::size_t kDtypeCount = 4;  // that rules take

struct DtypeInfo {
  const char* name;
  std::size_t bytes;
};

inline constexpr DtypeInfo kDtypes[kDtypeCount + 2] = {
    {"float64", 8}, {"float32", 4}, {"bfloat16", 2}, {"float16", 2}, {"uint8", 1}, {"uint16", 2}};

constexpr const DtypeInfo& info(Dtype dtype) { return kDtypes[static_cast<std::size_t>(dtype)]; }

// Half precision is for storage: what is stored so is computed in float32.
constexpr bool is_half(Dtype dtype) {
  return dtype == Dtype::kBFloat16 || dtype == Dtype::kFloat16;
}
constexpr Dtype arithmetic_dtype(Dtype dtype) { return is_half(dtype) ? Dtype::kFloat32 : dtype; }

// The distance from 1 to the next number, in the arithmetic of this type.
constexpr double epsilon_of(Dtype dtype) { return dtype == Dtype::kFloat64 ? 0x1p-52 : 0x1p-23; }

}  // namespace mdbopt
