// judgement – what the programs of all searches share: what they are told, where the arrays lie, how a
// decision asks for a walk, and the bookkeeping around it. The same on host and device.
#pragma once

#include <cstddef>
#include <cstdint>

#include "../engine/program.h"
#include "../rules/rules.h"
#include "numbers.h"

namespace mdbopt::search {

namespace rules = mdbopt::MDBOPT_ISA;

// Where the point, its gradient, the trial and the arrays that take turns with them lie now.
struct Vectors {
  void *x = nullptr, *spare_x = nullptr, *g = nullptr, *spare_g = nullptr, *trial = nullptr;
};

// The beginning of every control.
struct Judgement {
  Told told;
  Numbers now;
  Vectors at;
  Precision limits{};
  bool bounded = false;  // x and trials lie between these
  void *lower = nullptr, *upper = nullptr;
  bool penalised = false;  // and bounded, if only by infinite numbers
  void* l1 = nullptr;
  bool trial_stays = false;  // in its memory, which a caller may hold on to: x becomes a copy of it
  double f_trial = 0.0;      // over the scale
  double moving = 0.0;       // max|x⁺ − x| of the trial being judged
  bool counts = false;       // f is finite there
  bool moved = false;
  bool unfinished = false;  // the program is to run once more
};

// --- walks ---------------------------------------------------------------------------------------
// Asks for the walk of a slot over these arrays, in the order of the rule's streams.
template <class Rule, class... Array>
MDBOPT_INLINE void want(Slot& slot, Array... arrays) {
  static_assert(sizeof...(Array) == rules::Streams<Rule>::count);
  std::size_t k = 0;
  ((slot.job.streams[k++] = arrays), ...);
  slot.skip = 0;
}

// Its scalars, in the order of the rule's.
template <class Rule, class... Scalar>
MDBOPT_INLINE void give(Slot& slot, Scalar... scalar) {
  static_assert(sizeof...(Scalar) == rules::Scalars<Rule>::count);
  const double scalars[] = {scalar...};
  rules::make_coef<Rule>(scalars, slot.elements,
                         *reinterpret_cast<typename Rule::Coef*>(slot.coef.bytes));
}

MDBOPT_INLINE bool wanted(const Slot& slot) { return slot.skip == 0; }

// Nothing is wanted of a structure of slots.
template <class Slots>
MDBOPT_INLINE void skip_all(Slots& slots) {
  auto* slot = reinterpret_cast<Slot*>(&slots);
  for (std::size_t k = 0; k < sizeof(Slots) / sizeof(Slot); ++k) slot[k].skip = 1;
}

MDBOPT_INLINE void exchange(void*& a, void*& b) {
  void* c = a;
  a = b;
  b = c;
}

// --- a judgement's beginning and end -------------------------------------------------------------
enum class Beginning : std::uint8_t {
  kNothing,     // the search has ended
  kTrial,       // there is a trial to judge
  kHole,        // f is not finite there
  kUnfinished,  // what was evaluated, if anything was, is of no use: `ready` was false
};

// `ready`: the trial is a point that can be judged.
MDBOPT_INLINE Beginning begin(Judgement& j, bool ready) {
  Numbers& n = j.now;
  j.unfinished = false;
  if (j.told.cause != Cause::kAgain) j.counts = j.moved = false;
  if (ended(n)) return Beginning::kNothing;
  if (j.told.cause != Cause::kTold) return Beginning::kUnfinished;
  j.moving = n.moved;
  j.f_trial = begin_trial(n, j.told.f);
  if (!ready) return Beginning::kUnfinished;
  j.counts = is_finite(j.f_trial);
  if (j.counts) return Beginning::kTrial;
  return has_no_minimum(n) ? Beginning::kNothing : Beginning::kHole;
}

// What is told of a trial is f; F there is judged, with the penalty Σ l1 |x_trial|.
MDBOPT_INLINE void add_penalty(Judgement& j, double penalty) {
  if (!j.penalised) return;
  j.now.f_trial_told += penalty;
  j.f_trial = scaled(j.now, j.now.f_trial_told);
}

// `ready`: the trial just written can be judged, or there is none. Else the program runs once more: at
// once where the host waits, and for the next judgement where it does not. What belongs to the trial
// that was judged, the first run settles, so that both see the same. `patience`: how many trials
// without a gain end the search, once there is nothing left to do.
template <class Patience>
MDBOPT_INLINE void finish(Judgement& j, bool ready, Patience patience) {
  Numbers& n = j.now;
  if (j.told.cause != Cause::kAgain) {
    if (j.moved) move(n, j.f_trial, j.moving);
    if (j.counts) count_gain(n, j.f_trial, j.limits);
  }
  j.unfinished = !ready && !ended(n);
  if (ready && !ended(n) && n.quiet >= patience(n)) end_without_progress(n, j.limits);
}

}  // namespace mdbopt::search
