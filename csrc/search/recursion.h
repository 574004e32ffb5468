// recursion – the numbers of the two-loop recursion of L-BFGS, the same on host and device: a ring of
// pairs, tables by its slots, and the weights of the two loops.
//
// Its inner products are taken where the vectors are read anyway: every s·g and s·y in the walk that
// measures a trial, every y·D q in the walk that forms q. Source: Nocedal 1980; Nocedal and Wright
// 2006, algorithm 7.4.
#pragma once

#include <cstdint>

#include "scalar.h"

namespace mdbopt::search {

// Which slots hold the kept pairs. One slot more than pairs: the next is written there.
struct Ring {
  std::int64_t slots = 1;
  std::int64_t count = 0;
  std::int64_t next = 0;
  std::int64_t last = 0;  // the pair last written, kept or not

  // Of pair k, 0 the newest; it stays the same while the pair is kept.
  MDBOPT_INLINE std::int64_t slot(std::int64_t k) const {
    const std::int64_t back = next - 1 - k;
    return back < 0 ? back + slots : back;
  }
  MDBOPT_INLINE void keep() {
    next = next + 1 < slots ? next + 1 : 0;
    count = count + 1 < slots - 1 ? count + 1 : slots - 1;
  }
};

// Pairs go through the rules five at a time, then singly: see rules/direction.h.
inline constexpr std::int64_t kBundle = 5;

// By slot; not owned.
struct Tables {
  double* curvature;            // ⟨s, y⟩ > 0 as stored
  double* scale;                // the power of two that s is stored times
  double* sy;                   // s of one pair times y of a newer one: sy[older·slots + newer]
  double* sg;                   // s·g
  double *fresh_sy, *fresh_sg;  // with y and g of the trial last measured
};

// The pair last written is about to be kept; s_g is its s·g.
MDBOPT_INLINE void take_pair(const Ring& ring, const Tables& t, double s_g) {
  for (std::int64_t k = 0; k < ring.count; ++k) {
    t.sy[ring.slot(k) * ring.slots + ring.next] = t.fresh_sy[ring.slot(k)];
  }
  t.sg[ring.next] = s_g;
}

// x moved to the trial last measured.
MDBOPT_INLINE void take_gradient(std::int64_t slots, const double* fresh_sg, double* sg) {
  for (std::int64_t slot = 0; slot < slots; ++slot) sg[slot] = fresh_sg[slot];
}

// α of the first loop.
MDBOPT_INLINE void first_loop(const Ring& ring, const Tables& t, double* alpha) {
  for (std::int64_t k = 0; k < ring.count; ++k) {
    const std::int64_t row = ring.slot(k) * ring.slots;
    double sq = -t.sg[ring.slot(k)];
    for (std::int64_t j = 0; j < k; ++j) sq -= alpha[j] * t.sy[row + ring.slot(j)];
    alpha[k] = sq / t.curvature[ring.slot(k)];
  }
}

// From y·D q, the weights of s as stored; they take the place of α.
MDBOPT_INLINE void second_loop(const Ring& ring, const Tables& t, const double* yq, double* alpha) {
  for (std::int64_t k = ring.count; k-- > 0;) {
    const std::int64_t slot = ring.slot(k);
    double sum = yq[k];
    for (std::int64_t j = k + 1; j < ring.count; ++j) {
      sum += alpha[j] * t.sy[ring.slot(j) * ring.slots + slot];
    }
    const double beta = sum * t.scale[slot] / t.curvature[slot];
    alpha[k] = (alpha[k] - beta) / t.scale[slot];
  }
}

}  // namespace mdbopt::search
