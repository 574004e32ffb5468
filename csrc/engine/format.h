// format – how an array is stored that a walk takes as float32: the forms of storage, and what opens a
// chunk of it to a block in the first cache and closes it again.
#pragma once

#include <mdbopt/dtype.h>

#include <cstddef>
#include <cstdint>

#include "../base/fold.h"

namespace mdbopt {

enum class Format : std::uint8_t {
  kBFloat16,
  kFloat16,
  kSignedCodes,    // block_codes.h
  kUnsignedCodes,  // for what is never negative
  kRemainder,  // the bits of a float32 in two halves: bfloat16 nearest to it, and the difference
  kPlain       // as its dtype says
};
inline constexpr std::size_t kFormatCount = 5;  // that need to be opened

// One format, compiled for one instruction set. `low` is the second half of kRemainder.
struct CompiledFormat {
  using Open = void (*)(const void* stored, const void* low, std::size_t count, float* block);
  // Rounds to nearest without random bits, else stochastically by those of each element, as they are drawn.
  // Blocks are of a whole chunk, and what lies behind `count` in them may be changed. False where the unit
  // of a block of codes became NaN.
  using Close = bool (*)(float* block, std::size_t count, const std::uint32_t* random, void* stored,
                         void* low);
  Open open;
  Close close;
};

// All of an instruction set.
struct CompiledFormats {
  CompiledFormat of[kFormatCount];
  // Writes random bits for each element of a chunk, and those of the first ones once more behind, up to
  // `count` in all, so that each stream can begin at another one. They are 16 bits, times 16: what the codes
  // of several streams add as it is.
  void (*draw)(std::uint64_t key, std::size_t count, std::uint32_t* random);

  const CompiledFormat& operator[](Format format) const {
    return of[static_cast<std::size_t>(format)];
  }
};

// The streams of an element are rounded by bits of their own: of the elements so far from it in its chunk.
inline constexpr std::size_t kApart = kChunk / (kMaxStreams + 2);

// Of its array.
constexpr Dtype stored_dtype(Format format) {
  if (format == Format::kFloat16) return Dtype::kFloat16;
  const bool halves = format == Format::kBFloat16 || format == Format::kRemainder;
  return halves ? Dtype::kBFloat16 : Dtype::kUint8;
}

constexpr bool is_codes(Format format) {
  return format == Format::kSignedCodes || format == Format::kUnsignedCodes;
}

}  // namespace mdbopt
