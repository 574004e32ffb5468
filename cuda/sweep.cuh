// sweep – the GPU walk over flat streams. It knows no rule by name.
//
// A warp's threads are the 32 lanes of fold.h. Walks that sum give each warp a chunk of 1024, in rows
// of 32 elements, so that every lane adds the numbers that it adds on a CPU, in the same order. Walks
// that do not sum have no order to keep: a warp takes 256 elements at a time, in packs of 16 bytes a
// thread where the arrays allow it.
#pragma once

#include <cuda_runtime.h>

#include <type_traits>
#include <utility>

#include "../csrc/engine/phase.h"
#include "bisect.cuh"
#include "prepare.cuh"
#include "walk_arguments.h"

namespace mdbopt::cuda {

// Of a walk, a fold or a solve.
template <class Arguments>
MDBOPT_INLINE const DeviceJob* jobs_of(const Arguments& arguments) {
  return arguments.table != nullptr ? arguments.table : arguments.few;
}

// The coef of the j-th job, where each has its own.
template <class Coef>
MDBOPT_INLINE const Coef& coef_at(const void* coefs, std::size_t j) {
  return *reinterpret_cast<const Coef*>(static_cast<const unsigned char*>(coefs) +
                                        j * kMaxCoefBytes);
}

// The job that a chunk belongs to: the last that begins at or before it.
__device__ inline const DeviceJob& job_of(const WalkArguments& walk, std::size_t chunk) {
  return last_from(jobs_of(walk), walk.jobs, chunk, &DeviceJob::first_chunk);
}

// Consecutive elements that go between memory and registers together.
template <class Stored, std::size_t kCount>
struct alignas(sizeof(Stored) * kCount < 16 ? sizeof(Stored) * kCount : 16) Pack {
  Stored at[kCount];
};

template <class Stored, std::size_t kCount>
MDBOPT_INLINE Pack<Stored, kCount> load(const Stored* from) {
  return *reinterpret_cast<const Pack<Stored, kCount>*>(from);
}
// By an instruction of its own: as a plain assignment the compiler joins it with the single elements'
// of another path, and splits it.
template <class Stored, std::size_t kCount>
__device__ inline void store(Stored* to, const Pack<Stored, kCount>& pack) {
  using P = Pack<Stored, kCount>;
  if constexpr (kCount == 1) {
    *to = pack.at[0];
  } else if constexpr (sizeof(P) >= 16) {
    using Vector = std::conditional_t<sizeof(Stored) == 8, ulonglong2, uint4>;
    struct Vectors {
      Vector at[sizeof(P) / 16];
    };
    const auto vectors = __builtin_bit_cast(Vectors, pack);
    for (std::size_t k = 0; k < sizeof(P) / 16; ++k) {
      __stcg(reinterpret_cast<Vector*>(to) + k, vectors.at[k]);
    }
  } else {
    static_assert(sizeof(P) == 8);
    __stcg(reinterpret_cast<uint2*>(to), __builtin_bit_cast(uint2, pack));
  }
}
template <std::size_t K, class Stored, std::size_t kCount>
struct Slot {
  Pack<Stored, kCount> pack;
};

// Spares the compiler instructions that look up where a pointer leads.
template <class Stored>
__device__ inline Stored* in_global_memory(Stored* pointer) {
#ifdef __CUDA_ARCH__
  __builtin_assume(__isGlobal(pointer));
#endif
  return pointer;
}

// What a warp takes of a job at a time: [begin, end), within one chunk.
struct Stretch {
  const DeviceJob& job;
  const StoredJob* stored;
  std::size_t chunk_begin, begin, end;
  std::uint64_t chunk_key;
  double lr;
  double* partials;
};

// Calls `take` for each stretch of the warp, with its coef. A chunk goes to one warp where it is summed, and where
// each array's coef has to be fetched.
template <class Rule, class Phase, class Take>
__device__ void each_stretch(const WalkArguments& walk, const typename Rule::Coef& c, Take take) {
  constexpr bool kEach = ScopeOf<Rule>::value == Scope::kArray;
  constexpr std::size_t kPerChunk = Phase::kSums > 0 || kEach ? 1 : kChunk / kUnit;
  constexpr std::size_t kLength = kChunk / kPerChunk;
  const std::size_t warps = blockDim.x / kWarp;
  const std::uint64_t key = walk.key != nullptr ? *walk.key : walk.host_key;
  for (std::size_t k = blockIdx.x * warps + threadIdx.x / kWarp; k < walk.chunks * kPerChunk;
       k += gridDim.x * warps) {
    const std::size_t chunk = k / kPerChunk;
    const DeviceJob& job = job_of(walk, chunk);
    const std::size_t chunk_begin = (chunk - job.first_chunk) * kChunk;
    const std::size_t begin = chunk_begin + k % kPerChunk * kLength;
    if (begin >= job.size) continue;
    const auto j = static_cast<std::size_t>(&job - jobs_of(walk));
    const Stretch stretch{job,
                          walk.stored == nullptr ? nullptr : walk.stored + j,
                          chunk_begin,
                          begin,
                          begin + kLength < job.size ? begin + kLength : job.size,
                          mix64(key + chunk),
                          walk.lr != nullptr ? *walk.lr : job.lr,
                          walk.partials + chunk * Phase::kSums};
    if constexpr (kEach) {
      const typename Rule::Coef own =
          walk.coef_each ? coef_at<typename Rule::Coef>(walk.coef, j) : c;
      take(stretch, own);
    } else {
      take(stretch, c);
    }
  }
}

// The tree of fold_lanes, by shuffles; the result is lane 0's.
__device__ inline double fold_warp(Fold fold, double value) {
  for (unsigned half = kWarp / 2; half > 0; half /= 2) {
    value = combine(fold, value, __shfl_down_sync(~0U, value, half));
  }
  return value;
}

// A warp's sums of a chunk.
template <class Phase, class Sums = std::make_index_sequence<Phase::kSums>>
struct LaneSums;
template <class Phase, std::size_t... K>
struct LaneSums<Phase, std::index_sequence<K...>> {
  static constexpr std::size_t kSums = Phase::kSums > 0 ? Phase::kSums : 1;
  double of[kSums] = {};

  MDBOPT_INLINE void add([[maybe_unused]] const double* sums) {
    ((of[K] = combine(Phase::template kFold<K>, of[K], sums[K])), ...);
  }
  __device__ void fold([[maybe_unused]] double* partials) {
    ((of[K] = fold_warp(Phase::template kFold<K>, of[K])), ...);
    if (threadIdx.x % kWarp != 0) return;
    ((partials[K] = of[K]), ...);
  }
};

template <class Rule, class T, class Phase>
struct Walker {
  using Coef = typename Rule::Coef;
  using Values = Elements<Rule, T>;
  using Real = typename Values::Real;
  using Rate = Arithmetic<T>;
  using Positions = std::make_index_sequence<Streams<Rule>::count>;
  using Sums = LaneSums<Phase>;
  template <std::size_t... K>
  static constexpr std::size_t streams_read(std::index_sequence<K...>) {
    return ((Phase::template kReads<K> ? 1 : 0) + ... + 0);
  }
  static constexpr bool kFewStreams = streams_read(Positions{}) <= 2;
  template <std::size_t K>
  using Stored = typename Storages<Rule, T>::template Stored<K>;

  // What the elements of a unit share. The job's pointers are copied: behind a reference they would
  // be read anew after every store.
  struct Unit {
    void* streams[Streams<Rule>::count];
    const Rate* step_sizes;
    BFloat16* copy;
    std::size_t begin;  // of its chunk, in the job
    std::uint64_t chunk_key;
    Rate lr;
    const Coef& c;

    __device__ Unit(const DeviceJob& job, std::size_t chunk_begin, std::uint64_t key, double one_lr,
                    const Coef& coef)
        : step_sizes(in_global_memory(static_cast<const Rate*>(job.step_sizes))),
          copy(in_global_memory(static_cast<BFloat16*>(job.copy))),
          begin(chunk_begin),
          chunk_key(key),
          lr(static_cast<Rate>(one_lr)),
          c(coef) {
      for (std::size_t k = 0; k < Streams<Rule>::count; ++k) {
        streams[k] = in_global_memory(job.streams[k]);
      }
    }
  };

  // So many consecutive elements of every stream.
  template <std::size_t kCount, class Position>
  struct Packs;
  template <std::size_t kCount, std::size_t... K>
  struct Packs<kCount, std::index_sequence<K...>> : Slot<K, Stored<K>, kCount>... {
    Pack<Rate, kCount> lr;

    template <std::size_t J>
    MDBOPT_INLINE auto& slot() {
      return static_cast<Slot<J, Stored<J>, kCount>&>(*this).pack;
    }
    template <std::size_t J>
    MDBOPT_INLINE const auto& slot() const {
      return static_cast<const Slot<J, Stored<J>, kCount>&>(*this).pack;
    }
    template <std::size_t J>
    MDBOPT_INLINE static Stored<J>* memory(const Unit& unit, std::size_t i) {
      return static_cast<Stored<J>*>(unit.streams[J]) + i;
    }
    MDBOPT_INLINE void read(const Unit& unit, std::size_t i) {
      ((Phase::template kReads<K> ? void(slot<K>() = load<Stored<K>, kCount>(memory<K>(unit, i)))
                                  : void()),
       ...);
      if (TakesLr<Rule>::value && unit.step_sizes != nullptr) {
        lr = load<Rate, kCount>(unit.step_sizes + i);
      } else {
        for (Rate& each : lr.at) each = unit.lr;
      }
    }
    MDBOPT_INLINE void write(const Unit& unit, std::size_t i) const {
      ((Phase::template kWrites<K> ? void(store(memory<K>(unit, i), slot<K>())) : void()), ...);
      if constexpr (kMayCopy<Rule, T, Phase>) {
        if (unit.copy == nullptr) return;
        Pack<BFloat16, kCount> image;
        for (std::size_t j = 0; j < kCount; ++j)
          image.at[j] = Nearest<BFloat16>::of(slot<0>().at[j]);
        store(unit.copy + i, image);
      }
    }
    // Element i of the job, the j-th here.
    MDBOPT_INLINE void element(const Unit& unit, std::size_t i, std::size_t j, double* sums) {
      Values v{
          {(Phase::template kReads<K> ? static_cast<Real>(widen(slot<K>().at[j])) : Real(0))...},
          static_cast<Real>(lr.at[j])};
      Phase::element(v, unit.c, sums);
      const std::uint32_t random =
          Phase::kStochastic ? random16(unit.chunk_key, static_cast<std::uint32_t>(i - unit.begin))
                             : 0U;
      ((Phase::template kWrites<K>
            ? void(slot<K>().at[j] = rounded<Phase::kStochastic, Stored<K>>(v[K], random))
            : void()),
       ...);
    }
  };

  // The elements [begin, end) in rows of 32, several rows in flight.
  __device__ static void rows(const Unit& unit, std::size_t begin, std::size_t end,
                              Sums& lane_sums) {
    // The rest of a walk in packs needs few; every row is code of its own. One or two arrays that are only read need
    // more of them in flight.
    constexpr std::size_t kRows = Phase::kSums == 0 ? 2 : kFewStreams ? 8 : 4;
    const std::size_t lane = threadIdx.x % kWarp;
    for (std::size_t first = begin; first < end; first += kRows * kWarp) {
      Packs<1, Positions> row[kRows];
#pragma unroll
      for (std::size_t r = 0; r < kRows; ++r) {
        const std::size_t i = first + r * kWarp + lane;
        if (i < end) row[r].read(unit, i);
      }
#pragma unroll
      for (std::size_t r = 0; r < kRows; ++r) {
        const std::size_t i = first + r * kWarp + lane;
        if (i >= end) continue;
        double sums[Sums::kSums];
        row[r].element(unit, i, 0, sums);
        row[r].write(unit, i);
        lane_sums.add(sums);
      }
    }
  }

  // A whole unit from `begin` in packs.
  __device__ static void packs(const Unit& unit, std::size_t begin) {
    constexpr std::size_t kCount = 16 / sizeof(T);
    constexpr std::size_t kPacks = kUnit / (kCount * kWarp);
    constexpr std::size_t kTogether = kPacks < 2 ? kPacks : 2;
    const std::size_t lane = threadIdx.x % kWarp;
    for (std::size_t first = 0; first < kPacks; first += kTogether) {
      Packs<kCount, Positions> pack[kTogether];
      const std::size_t i = begin + (first * kWarp + lane) * kCount;
#pragma unroll
      for (std::size_t k = 0; k < kTogether; ++k) pack[k].read(unit, i + k * kWarp * kCount);
#pragma unroll
      for (std::size_t k = 0; k < kTogether; ++k) {
        double none[Sums::kSums];
#pragma unroll
        for (std::size_t j = 0; j < kCount; ++j) {
          pack[k].element(unit, i + k * kWarp * kCount + j, j, none);
        }
        pack[k].write(unit, i + k * kWarp * kCount);
      }
    }
  }

  __device__ static void go(const WalkArguments& walk, const Coef& c) {
    const bool packed = walk.packed;
    each_stretch<Rule, Phase>(walk, c, [packed](const Stretch& stretch, const Coef& own) {
      const Unit unit{stretch.job, stretch.chunk_begin, stretch.chunk_key, stretch.lr, own};
      Sums sums;
      std::size_t begin = stretch.begin;
      static_cast<void>(packed);  // Clang warns where there are sums
      if constexpr (Phase::kSums == 0) {
        for (; packed && stretch.end - begin >= kUnit; begin += kUnit) packs(unit, begin);
      }
      rows(unit, begin, stretch.end, sums);
      sums.fold(stretch.partials);
    });
  }
};

template <class Rule, class T, class Phase>
__global__ void __launch_bounds__(kWalkThreads)
    walk_kernel(const __grid_constant__ WalkArguments walk) {
  if (walk.refused != nullptr && *walk.refused != 0) return;
  using Coef = typename Rule::Coef;
  const void* coef = walk.coef != nullptr ? walk.coef : walk.host_coef;
  const Coef c = *static_cast<const Coef*>(coef);
  Walker<Rule, T, Phase>::go(walk, c);
}

// The scalars that are kept for an array take the place of those of all.
template <class Rule, std::size_t... K>
__device__ void set_carried(const CarriedNumbers& carried, const double* numbers,
                            typename Rule::Coef& c, std::index_sequence<K...>) {
  for (std::uint32_t i = 0; i < carried.count; ++i) {
    ((carried.each[i].scalar == K ? void(c.*kMember<Rule, K> = numbers[i]) : void()), ...);
  }
}

template <class Rule>
__global__ void solve_kernel(const __grid_constant__ Solving solving) {
  using Coef = typename Rule::Coef;
  if (*solving.refused != 0) return;
  const void* coef = solving.coef != nullptr ? solving.coef : solving.host_coef;
  Coef c = *static_cast<const Coef*>(coef);
  if constexpr (ScopeOf<Rule>::value == Scope::kArray) {
    const std::size_t j = blockIdx.x * blockDim.x + threadIdx.x;
    if (j >= solving.jobs) return;
    const DeviceJob& job = jobs_of(solving)[j];
    const CarriedNumbers& carried = solving.carried;
    double* sums = solving.sums + j * solving.apart;
    double* numbers = carried.numbers + job.array * carried.count;
    set_carried<Rule>(carried, numbers, c, std::make_index_sequence<Scalars<Rule>::count>{});
    if (!Rule::solve(sums, static_cast<double>(job.size), c)) *solving.refused = 1;
    for (std::uint32_t i = 0; i < carried.count; ++i) numbers[i] = sums[carried.each[i].sum];
    const_cast<Coef&>(coef_at<Coef>(solving.solved, j)) = c;
  } else {
    *solving.refused = Rule::solve(solving.sums, solving.n, c) ? 0 : 1;
    *static_cast<Coef*>(solving.solved) = c;
  }
}

}  // namespace mdbopt::cuda
