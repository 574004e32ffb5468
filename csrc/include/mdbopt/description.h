// description – what a rule is to those who call it: its streams, scalars and sums, by name and in the
// order in which a call brings them.
//
// Contract. A description is constant and lives as long as the program. rule_description of
// <mdbopt/launch.h> gives it.
#pragma once

#include <mdbopt/dtype.h>

#include <cstddef>
#include <cstdint>

namespace mdbopt {

// kMax is of numbers without a sign, and NaN where one is.
enum class Fold : std::uint8_t { kAdd, kMax };

// What the gathered sums, and what solve makes of them, are of: all arrays of a call, or each by itself.
enum class Scope : std::uint8_t { kAll, kArray };

enum class Role : std::uint8_t { kIn, kInOut, kOut };

// kElement follows the dtype of the call; kWide is float64 whatever the dtype: step sizes of
// float32 problems leave float32's range long before the steps themselves do. kNarrow is float32:
// the secant pairs behind a direction are most of its traffic, and a direction needs no more digits
// than that. kState is float32 for half-precision elements and follows the dtype otherwise: the
// moments of an update would stand still in half precision.
enum class Storage : std::uint8_t { kElement, kWide, kNarrow, kState };

constexpr Dtype stored_dtype(Storage storage, Dtype dtype) {
  if (storage == Storage::kElement) return dtype;
  if (storage == Storage::kState) return arithmetic_dtype(dtype);
  return storage == Storage::kWide ? Dtype::kFloat64 : Dtype::kFloat32;
}

struct Stream {
  const char* name;
  Role role;
  Storage storage = Storage::kElement;
};

struct Scalar {
  const char* name;
  double fallback;  // NaN: the caller must give a value
};

struct Sum {
  const char* name;
  Fold fold = Fold::kAdd;
};

inline constexpr std::size_t kMaxStreams = 8;
inline constexpr std::size_t kMaxScalars = 16;
inline constexpr std::size_t kMaxSums = 10;
inline constexpr std::size_t kMaxCoefBytes = 192;

// The face of a rule for those who may not see its type: search, launch, bindings.
struct Description {
  const char* name;
  const char* summary;
  const Stream* streams;
  std::size_t stream_count;
  const Scalar* scalars;
  std::size_t scalar_count;
  const Sum* gathered;
  std::size_t gathered_count;
  const Sum* solved;
  std::size_t solved_count;
  const Sum* emitted;
  std::size_t emitted_count;
  unsigned gather_reads;  // bit k: gather reads stream k
  bool gathers_lr;        // gather takes the step size of each element
  bool applies;
  bool update;    // of parameters by their gradient: takes a step size, a copy, stochastic rounding
  bool takes_lr;  // a step size and a copy: an update, or what follows one
  bool half;      // takes half-precision elements
  Scope scope;

  constexpr std::size_t sum_count() const { return gathered_count + solved_count + emitted_count; }
  constexpr const Sum& sum(std::size_t k) const {
    if (k < gathered_count) return gathered[k];
    return k < gathered_count + solved_count ? solved[k - gathered_count]
                                             : emitted[k - gathered_count - solved_count];
  }
};

}  // namespace mdbopt
