// face – with bounds, the pairs of the guarded search see the face alone: the coordinates that are not
// active at x (rules/within.h).
//
// A step moves no active coordinate, so that s of a new pair is 0 there. Where a step ends at a bound
// and coordinates become active, every kept s is set to 0 there, too, and the tables of recursion.h
// are summed anew in the same pass over the pairs. A face that does not close costs nothing; one that
// opens changes no table. A pair whose ⟨s, y⟩ is no longer positive on the face sleeps: an infinite
// curvature takes its weights to 0. The same on host and device.
#pragma once

#include <cstdint>

#include "guarded_control.h"

namespace mdbopt::search {

// Calls with each number of a block that holds pairs, and of the triples of s and of y in it. Triples are
// numbered from the newest on; s is no newer than y.
template <class Body>
MDBOPT_INLINE void for_blocks(std::int64_t pairs, Body body) {
  const std::int64_t triples = (pairs + kTriple - 1) / kTriple;
  for (std::int64_t older = 0; older < triples; ++older) {
    for (std::int64_t newer = 0; newer <= older; ++newer) {
      body(older * (older + 1) / 2 + newer, kTriple * older, kTriple * newer);
    }
  }
}

// Nothing of it is wanted.
MDBOPT_INLINE void skip_face(GuardedControl& c) {
  if (!c.closed) return;
  c.closed = false;
  for (std::int64_t k = 0; k < c.memory; ++k) {
    c.face_pairs[k].restrict.skip = c.face_pairs[k].dot.skip = 1;
  }
  for_blocks(c.memory,
             [&](std::int64_t block, std::int64_t, std::int64_t) { c.blocks[block].skip = 1; });
}

// x has moved to where coordinates have become active.
MDBOPT_INLINE void close_face(GuardedControl& c) {
  const std::int64_t count = c.pairs.count;
  if (count == 0) return;
  c.closed = true;
  void* mask = c.delta;  // which is written anew before it is read
  const Followed at = followed(c);
  want<rules::FaceMask>(c.slots.face_mask, c.at.x, at.g, at.lower, at.upper, mask);
  for (std::int64_t k = 0; k < count; ++k) {
    void* s = c.s[c.pairs.slot(k)];
    want<rules::Restrict>(c.face_pairs[k].restrict, mask, s);
    want<rules::Dots<rules::PairDot>>(c.face_pairs[k].dot, s, at.g);
  }
  // A triple that is not full is filled with its last pair.
  const auto slot = [&](std::int64_t k) { return c.pairs.slot(k < count ? k : count - 1); };
  for_blocks(count, [&](std::int64_t block, std::int64_t a, std::int64_t b) {
    want<rules::PairTable>(c.blocks[block], c.s[slot(a)], c.s[slot(a + 1)], c.s[slot(a + 2)],
                           c.y[slot(b)], c.y[slot(b + 1)], c.y[slot(b + 2)]);
  });
}

// The sums are there.
MDBOPT_INLINE void take_face(GuardedControl& c) {
  constexpr double kLeastShare = 1e-8;  // of its curvature that a pair may keep
  if (!c.closed) return;
  const std::int64_t count = c.pairs.count;
  const Tables& t = c.tables;
  for (std::int64_t k = 0; k < count; ++k) {
    t.sg[c.pairs.slot(k)] = c.now.scale * c.face_pairs[k].dot.sums[0];
  }
  for_blocks(count, [&](std::int64_t block, std::int64_t a, std::int64_t b) {
    for (std::int64_t i = a; i < a + kTriple && i < count; ++i) {
      for (std::int64_t j = b; j < b + kTriple && j <= i; ++j) {
        const double sum = c.blocks[block].sums[kTriple * (i - a) + j - b];
        const std::int64_t older = c.pairs.slot(i);
        double& curvature = t.curvature[older];
        if (i != j)
          t.sy[older * c.pairs.slots + c.pairs.slot(j)] = sum;
        else
          curvature = sum > kLeastShare * curvature ? sum : __builtin_huge_val();
      }
    }
  });
}

}  // namespace mdbopt::search
