// halves – walks over half-precision elements, made of those over float32.
//
// A chunk's elements are widened to blocks of float32 in the first cache, walked over there, and rounded
// back, to nearest or stochastically. That has the bits of a loop of its own: states are float32 anyway,
// and a rule that takes half precision computes in float32 or wider and sums what it has not rounded.
#pragma once

#include <mdbopt/launch.h>

#include <cstddef>
#include <cstdint>

#include "../base/fold.h"
#include "backend.h"
#include "formats.h"
#include "phase.h"

namespace mdbopt::MDBOPT_ISA {

template <class Half>
struct Halves {
  using Form = HalfFormat<Half>;

  static void draw(std::uint64_t chunk_key, std::uint32_t* random) {
    MDBOPT_INDEPENDENT
    for (std::uint32_t i = 0; i < kChunk; ++i) {
      random[i] = random16(chunk_key, i) << codes::kUnused;
    }
  }

  // As CompiledRule::Walk, of the rule whose walk over float32 and whose streams are given.
  [[gnu::noinline]] static void walk(CompiledRule::Walk over_float32, const StreamUse* streams,
                                     std::size_t stream_count, std::size_t sum_count,
                                     bool stochastic, const Job& job, std::size_t first,
                                     std::size_t last, std::size_t before,
                                     const PassArguments& arguments, double* partials) {
    alignas(64) float blocks[kMaxStreams][kChunk];
    alignas(64) std::uint32_t random[kChunk];
    void* at[kMaxStreams];
    const auto is_half = [&](std::size_t k) { return streams[k].bytes == sizeof(Half); };
    const auto stored = [&](std::size_t k, std::size_t begin) {
      return static_cast<char*>(job.streams[k]) + begin * streams[k].bytes;
    };
    Job part = job;
    part.streams = at;
    for (std::size_t chunk = first; chunk < last; ++chunk) {
      const std::size_t begin = chunk * kChunk;
      part.size = job.size - begin < kChunk ? job.size - begin : kChunk;
      if (job.step_sizes != nullptr) {
        part.step_sizes = static_cast<const float*>(job.step_sizes) + begin;
      }
      for (std::size_t k = 0; k < stream_count; ++k) {
        at[k] = is_half(k) ? static_cast<void*>(blocks[k]) : stored(k, begin);
        if (is_half(k) && streams[k].read)
          Form::open(stored(k, begin), nullptr, part.size, blocks[k]);
      }
      over_float32(part, 0, 1, 0, arguments, partials + chunk * sum_count);
      if (stochastic) draw(mix64(arguments.key + before + chunk), random);
      for (std::size_t k = 0; k < stream_count; ++k) {
        if (!is_half(k) || !streams[k].written) continue;
        Form::close(blocks[k], part.size, stochastic ? random : nullptr, stored(k, begin), nullptr);
      }
    }
  }
};

}  // namespace mdbopt::MDBOPT_ISA
