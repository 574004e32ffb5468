// opening – a chunk of an array in any layout and format, taken to a block that a walk reads, and put back.
#pragma once

#include <cstddef>
#include <cstdint>

#include "format.h"
#include "layout.h"

namespace mdbopt {

// Elements [begin, begin + count) to a block of a dtype; begin is a multiple of a block of codes.
void open_chunk(const Layout& layout, const CompiledFormats& formats, std::size_t begin,
                std::size_t count, Dtype dtype, void* block);
// And back, with random bits of the elements where the layout is rounded stochastically. What lies behind `count` in the block may be changed.
void close_chunk(const Layout& layout, const CompiledFormats& formats, std::size_t begin,
                 std::size_t count, const std::uint32_t* random, void* block);

// A whole dense array of a format without a second half, to float32 and, to nearest, back.
void decode(Format format, const void* stored, std::size_t size, float* values);
void encode(Format format, const float* values, std::size_t size, void* stored);

// Bytes of `size` elements as they are stored.
std::size_t stored_bytes(const Layout& layout, std::size_t size);

}  // namespace mdbopt
