// copy – moves cache lines, in the widest registers of this processor whatever backend stands
// beside.
#include "copy.h"

#include <algorithm>
#include <cstdint>

#include "chunks.h"

// The loader picks one of them when the program starts.
#if defined(__x86_64__)
#define MDBOPT_BENCH_WIDEST __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define MDBOPT_BENCH_WIDEST
#endif

namespace bench {

using mdbopt::Role;

typedef std::uint64_t Line __attribute__((vector_size(64), may_alias));

// The elements [begin, end), a block of each stream in turn.
MDBOPT_BENCH_WIDEST void walk_blocks(const Copy::Walk& walk, std::size_t block, std::size_t begin,
                                     std::size_t end) {
  Line zero{};
  asm("" : "+m"(zero));  // or the compiler would know that x ^ zero is x
  Line even = zero;
  Line odd = zero;
  for (; begin < end; begin += block) {
    const std::size_t count = std::min(block, end - begin);
    for (std::size_t k = 0; k < walk.count; ++k) {
      const Copy::Move& move = walk.moves[k];
      const std::size_t offset = begin * move.width;
      const std::size_t lines = (count * move.width + sizeof(Line) - 1) / sizeof(Line);
      if (move.from == nullptr) {
        Line* const to = reinterpret_cast<Line*>(move.to + offset);
        for (std::size_t i = 0; i < lines; ++i) to[i] = zero;
        continue;
      }
      const Line* const from = reinterpret_cast<const Line*>(move.from + offset);
      if (move.to != nullptr) {
        Line* const to = reinterpret_cast<Line*>(move.to + offset);
        for (std::size_t i = 0; i < lines; ++i) to[i] = from[i] ^ zero;
        continue;
      }
      std::size_t i = 0;
      for (; i + 1 < lines; i += 2) {
        even ^= from[i];
        odd ^= from[i + 1];
      }
      if (i < lines) even ^= from[i];
    }
  }
  even ^= odd;
  asm volatile("" : : "m"(even));  // or nothing would have to be read
}

bool gather_reads(const mdbopt::Description& rule, std::size_t stream) {
  return rule.streams[stream].role != Role::kOut && (rule.gather_reads >> stream & 1U) != 0;
}

Copy::Copy(const mdbopt::Description& rule, mdbopt::Dtype dtype, void* const* streams,
           std::size_t size, std::size_t threads)
    : size_(size), threads_(threads) {
  gather_.bytes = mdbopt::gather_bytes(rule, dtype);
  apply_.bytes = mdbopt::apply_bytes(rule, dtype);
  // What is only written comes last, and so finds what is only read.
  for (const Role role : {Role::kIn, Role::kInOut, Role::kOut}) {
    for (std::size_t k = 0; k < rule.stream_count; ++k) {
      if (rule.streams[k].role != role) continue;
      std::byte* const data = static_cast<std::byte*>(streams[k]);
      const auto stored = mdbopt::stored_dtype(rule.streams[k].storage, dtype);
      const std::size_t width = mdbopt::info(stored).bytes;
      if (gather_reads(rule, k)) gather(data, width);
      apply(data, width, role);
    }
  }
}

void Copy::gather(const std::byte* data, std::size_t width) {
  gather_.moves[gather_.count++] = {data, nullptr, width};
}

void Copy::apply(std::byte* data, std::size_t width, Role role) {
  if (role == Role::kOut) {
    for (std::size_t k = 0; k < apply_.count; ++k) {
      Move& move = apply_.moves[k];
      if (move.to == nullptr && move.width == width) {
        move.to = data;
        return;
      }
    }
  }
  apply_.moves[apply_.count++] = {role == Role::kOut ? nullptr : data,
                                  role == Role::kIn ? nullptr : data, width};
}

void Copy::run(std::size_t block) const {
  run(gather_, block);
  run(apply_, block);
}

void Copy::run(const Walk& walk, std::size_t block) const {
  if (walk.bytes == 0) return;  // the rule has no such walk
  over_chunks(size_, walk.bytes * size_, threads_, [&](std::size_t first, std::size_t last) {
    const std::size_t end = std::min(last * mdbopt::kChunk, size_);
    walk_blocks(walk, block, first * mdbopt::kChunk, end);
  });
}

}  // namespace bench
