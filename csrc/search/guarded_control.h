// guarded_control – what the decisions of a guarded search work on.
#pragma once

#include "guarding.h"
#include "judgement.h"

namespace mdbopt::search {

enum class ProposerKind : std::uint8_t { kLbfgs, kHeavyBall, kNesterov, kConjugateGradient };

// What a proposer carries from judgement to judgement beside arrays and the tables of recursion.h.
struct ProposerNumbers {
  std::int64_t steps = 0;  // since it last started afresh
  double last_t = 0.0;     // the last step was this times delta
  double a = 1.0;          // Nesterov's sequence
  // In the metric of each D, the smallest ⟨s, y⟩/(y·Dy) seen, grown by a little each time.
  double length[3] = {kMostLength, kMostLength, kMostLength};

  static constexpr double kMostLength = 1.7976931348623157e308;
};

// Five pairs, or one, on their way through the walks over all pairs.
struct Bundle {
  std::int64_t pairs = 1;  // 5 or 1
  std::int64_t first = 0;  // 0 the newest
  Slot products{}, add_y{}, dots{}, add_s{};
};

// A kept pair, by its age, on its way to the face (face.h).
struct FacePair {
  Slot restrict {}, dot{};
};
inline constexpr std::int64_t kTriple = rules::PairTable::kSide;

struct GuardedSlots {
  Slot pair, pair_normal, hypergradient, learn, learn_from;
  Slot rescale, copy, decrease;
  Slot first, coast, along, clear, plain;
  Slot orthant, composite;                // with a penalty, in place of face
  Slot face, face_mask, within_decrease;  // with bounds, and behind what writes a trial:
  Slot first_clip, along_clip, plain_clip;
};

struct ProposerSlots {
  Slot scaled, metric, dot;    // of the recursion
  Slot face_metric;            // and with bounds, in place of metric
  Slot products, keep_metric;  // of conjugate gradients
  Slot step;                   // of all but the recursion: writes delta and sums its slope
};

// What the search follows at a point, and between which bounds: the gradient and the bounds of x, or
// with a penalty the pseudo-gradient and the orthant (rules/penalty.h).
struct Followed {
  void *g = nullptr, *lower = nullptr, *upper = nullptr;
};

struct GuardedControl : Judgement {
  GuardingFacts facts{};
  Guarding guard;
  DiagonalMetric metric;
  Ring pairs;
  ProposerKind proposer = ProposerKind::kLbfgs;
  ProposerNumbers numbers;

  bool grouped = false;
  void *b = nullptr, *delta = nullptr;
  void *normal = nullptr,
       *sums = nullptr;  // with groups or the hypergradient's cut: u, and its sums
  void *z = nullptr, *kept_metric = nullptr;  // of Nesterov's method, and of conjugate gradients
  Followed orthant, orthant_there;            // with a penalty: at x, and at the trial
  void *const *s = nullptr, *const *y = nullptr;  // by slot of the ring
  Tables tables{};
  double *alpha = nullptr, *yq = nullptr;  // by pair
  Bundle* bundles = nullptr;               // those of five first
  std::int64_t fives = 0, singles = 0;
  std::int64_t memory = 0;  // with bounds: of these
  FacePair* face_pairs = nullptr;
  Slot* blocks = nullptr;  // of three pairs by three

  // Of one judgement.
  Measured trial{};
  Next next = Next::kNone;
  bool promise_kept = false;
  bool closed = false;  // the face of the bounds has closed, and the pairs follow it

  GuardedSlots slots{};
  ProposerSlots direction{};
};

MDBOPT_INLINE Followed followed(const GuardedControl& c) {
  return c.penalised ? c.orthant : Followed{c.at.g, c.lower, c.upper};
}
// g of the trial that the walk pair has measured.
MDBOPT_INLINE void* followed_there(const GuardedControl& c) {
  return c.penalised ? c.orthant_there.g : c.at.spare_g;
}

// Calls with each bundle and whether it is there: fives as far as they go, then singles.
template <class Body>
MDBOPT_INLINE void for_bundles(GuardedControl& c, Body body) {
  const std::int64_t count = c.pairs.count;
  const std::int64_t whole = count / kBundle;
  for (std::int64_t k = 0; k < c.fives; ++k) {
    c.bundles[k].first = k * kBundle;
    body(c.bundles[k], k < whole);
  }
  for (std::int64_t k = 0; k < c.singles; ++k) {
    Bundle& bundle = c.bundles[c.fives + k];
    bundle.first = whole * kBundle + k;
    body(bundle, bundle.first < count);
  }
}

}  // namespace mdbopt::search
