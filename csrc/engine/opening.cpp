// opening – what lies dense is opened where it is, the rest by way of a dense chunk.
#include "opening.h"

#include <algorithm>
#include <atomic>

#include "../base/block_codes.h"
#include "../base/fold.h"
#include "backend.h"

namespace mdbopt {
namespace {

// The chunk where it lies.
char* place(const Layout& layout, std::size_t begin) {
  const std::size_t offset =
      is_codes(layout.format) ? begin / kBlock * kBlockBytes : begin * info(layout.dtype).bytes;
  return static_cast<char*>(layout.data) + offset;
}

void* low_of(const Layout& layout, std::size_t begin) {
  return layout.low == nullptr ? nullptr : static_cast<std::uint16_t*>(layout.low) + begin;
}

}  // namespace

void open_chunk(const Layout& layout, const CompiledFormats& formats, std::size_t begin,
                std::size_t count, Dtype dtype, void* block) {
  if (layout.format == Format::kPlain) return load(layout, begin, count, dtype, block);
  std::uint16_t dense[kChunk];
  const void* stored = dense;
  if (layout.dense())
    stored = place(layout, begin);
  else
    load(layout, begin, count, layout.dtype, dense);
  formats[layout.format].open(stored, low_of(layout, begin), count, static_cast<float*>(block));
}

void close_chunk(const Layout& layout, const CompiledFormats& formats, std::size_t begin,
                 std::size_t count, const std::uint32_t* random, void* block) {
  if (layout.format == Format::kPlain) return store(layout, begin, count, block);
  std::uint16_t dense[kChunk];
  const bool there = layout.dense();
  const bool finite = formats[layout.format].close(
      static_cast<float*>(block), count, layout.stochastic ? random : nullptr,
      there ? place(layout, begin) : static_cast<void*>(dense), low_of(layout, begin));
  if (!finite && layout.not_finite != nullptr) {
    std::atomic_ref(*layout.not_finite).store(1, std::memory_order_relaxed);
  }
  if (!there) store(layout, begin, count, dense);
}

void decode(Format format, const void* stored, std::size_t size, float* values) {
  const Layout layout{const_cast<void*>(stored), stored_dtype(format), 0, nullptr, nullptr, format};
  alignas(64) float block[kChunk];
  for (std::size_t begin = 0; begin < size; begin += kChunk) {
    const std::size_t count = std::min(kChunk, size - begin);
    open_chunk(layout, *active_backend().formats, begin, count, Dtype::kFloat32, block);
    std::copy_n(block, count, values + begin);
  }
}

void encode(Format format, const float* values, std::size_t size, void* stored) {
  const Layout layout{stored, stored_dtype(format), 0, nullptr, nullptr, format};
  alignas(64) float block[kChunk];
  for (std::size_t begin = 0; begin < size; begin += kChunk) {
    const std::size_t count = std::min(kChunk, size - begin);
    std::copy_n(values + begin, count, block);
    close_chunk(layout, *active_backend().formats, begin, count, nullptr, block);
  }
}

std::size_t stored_bytes(const Layout& layout, std::size_t size) {
  if (is_codes(layout.format)) return blocks_of(size) * kBlockBytes;
  const std::size_t low = layout.format == Format::kRemainder ? sizeof(std::uint16_t) : 0;
  return size * (info(layout.dtype).bytes + low);
}

}  // namespace mdbopt
