// pairs – a ring of the latest secant pairs (s, y), and one slot beside them where the next is
// written.
//
// Pairs are float32: a direction needs no more digits, and they are most of what it reads. s is
// kept times a power of two that brings max|s| near 1, so that float32's range never matters.
#pragma once

#include <algorithm>
#include <cstddef>
#include <string>
#include <vector>

#include "buffer.h"
#include "fields.h"
#include "guarded_control.h"
#include "image.h"
#include "rule_runner.h"

namespace mdbopt::search {

// As many pairs as cost little beside an evaluation, at `size` variables: the more, the fewer
// evaluations. They are read three times a step, so that many of them pay as long as they stay in the
// cache that a core has for itself; beyond it ten are what their traffic is worth.
inline std::size_t auto_memory(double size) {
  constexpr double kMost = 80;
  constexpr double kLeast = 10;
  constexpr double kCached = 0x1p22;  // bytes
  return static_cast<std::size_t>(std::clamp(kCached / (2 * sizeof(float) * size), kLeast, kMost));
}

// More than any run can keep; sizes of tables stay far from overflow.
inline constexpr std::size_t kMostPairs = std::size_t{1} << 30U;

// It takes memory for the pairs that there are, not for those there may be. The ring is the control's.
class Pairs {
 public:
  Pairs() = default;
  Pairs(std::size_t memory, const RuleRunner& runner, Ring& ring)
      : memory_(memory), runner_(runner), ring_(&ring) {
    make_room(1);
  }

  std::size_t count() const { return static_cast<std::size_t>(ring_->count); }
  const Ring& ring() const { return *ring_; }
  // Of pair k, 0 the newest.
  std::size_t slot(std::size_t k) const {
    return static_cast<std::size_t>(ring_->slot(static_cast<std::int64_t>(k)));
  }
  // Of the tables by slot.
  std::size_t slots() const { return curvature_.size(); }

  // Slot `at`, made if there is none; the slots before it have to be there.
  void* s(std::size_t at) { return reach(at), s_[at].data(); }
  void* y(std::size_t at) { return reach(at), y_[at].data(); }
  double& curvature(std::size_t at) { return reach(at), curvature_.doubles()[at]; }
  double& scale(std::size_t at) { return reach(at), scale_.doubles()[at]; }
  // The vectors in the first `count` slots are pairs, the oldest first, and no others are.
  void adopt(std::size_t count) {
    make_room(count + 1);
    ring_->count = ring_->next = static_cast<std::int64_t>(count);
    ring_->used = ring_->next + 1;
    ring_->last = std::max<std::int64_t>(ring_->next - 1, 0);
  }
  // How many there may be.
  std::size_t most() const { return memory_; }

  // Takes memory for all pairs there may be, where it must not move any more.
  void reserve() { make_room(memory_ + 1); }
  // For the pair that a judgement may keep, and one beside it. True: the tables have moved.
  bool make_way() {
    const std::size_t before = slots();
    // As long as slots are added in place of the oldest pair's being taken, they follow each other.
    const auto next = static_cast<std::size_t>(ring_->next);
    if (next + 1 == s_.size() && s_.size() <= memory_) make_room(s_.size() + 1);
    return slots() != before;
  }
  void link(GuardedControl& control, Image& image) {
    control.s = image.add(s_at_.data(), s_at_.size());
    control.y = image.add(y_at_.data(), y_at_.size());
    control.tables.curvature = image.add(curvature_.doubles(), slots());
    control.tables.scale = image.add(scale_.doubles(), slots());
  }

  // `sleeping`: whether a pair may have an infinite curvature (face.h).
  void fields(Fields& fields, bool sleeping) {
    const Range curvature{kPositive.least, sleeping ? kInfinity : kLargestNumber};
    fields.same_count("memory", static_cast<std::int64_t>(memory_));
    const auto most = static_cast<std::int64_t>(memory_ + 1);
    fields.count("pairs_used", ring_->used, 1, most);
    const auto used = static_cast<std::size_t>(ring_->used);
    if (fields.loading()) ring_->slots = static_cast<std::int64_t>(table_size(used));
    fields.count("pairs_next", ring_->next, 0, ring_->used - 1);
    fields.count("pairs_last", ring_->last, 0, ring_->used - 1);
    // The ring closes once it has all its slots.
    fields.count("pairs", ring_->count, 0, ring_->used < most ? ring_->next : ring_->used - 1);
    for (std::size_t slot = 0; slot < used; ++slot) {
      if (slot == s_.size()) add_slot();
      const std::string number = std::to_string(slot);
      // What a trial that is not finite has left in the next slot is written anew before it is read.
      const Range& range = keeps(slot) ? kFinite : kAnything;
      fields.array("s" + number, s_[slot], range);
      fields.array("y" + number, y_[slot], range);
    }
    if (fields.loading()) make_room(used);
    table(fields, "pairs_curvature", curvature_, 1, used, used, kAnything);
    table(fields, "pairs_scale", scale_, 1, used, used, kPositive);
    for (std::size_t k = 0; k < count(); ++k) {
      fields.agree("pairs_curvature", curvature.holds(curvature_.doubles()[slot(k)]),
                   sleeping ? "numbers > 0 where pairs are kept"
                            : "finite numbers > 0 where pairs are kept");
    }
  }
  // Whether the slot holds a pair.
  bool keeps(std::size_t at) const {
    return (ring_->next + ring_->slots - 1 - static_cast<std::int64_t>(at)) % ring_->slots <
           ring_->count;
  }

 private:
  // Of both arrays or, should memory end, of neither.
  void add_slot() {
    Buffer y = runner_.zeros(Dtype::kFloat32);
    s_.push_back(runner_.zeros(Dtype::kFloat32));
    try {
      y_.push_back(std::move(y));
    } catch (...) {
      s_.pop_back();
      throw;
    }
  }
  // Of tables by slot, for so many slots: it doubles, so that they are seldom copied.
  std::size_t table_size(std::size_t slots) const {
    std::size_t size = 0;
    while (size < slots) size = std::min(memory_ + 1, 2 * size + 8);
    return size;
  }
  void reach(std::size_t at) {
    if (at >= s_.size()) make_room(at + 1);
  }
  // A control may point at the tables: they move once nothing can fail any more.
  void make_room(std::size_t slots) {
    const std::size_t size = table_size(slots);
    const bool grows = size > curvature_.size();
    Buffer curvature, scale;
    std::vector<void*> s_at, y_at;
    if (grows) {
      curvature = grown(curvature_, size, 0.0);
      scale = grown(scale_, size, 1.0);
      s_at.resize(size);
      y_at.resize(size);
    }
    while (s_.size() < slots) add_slot();
    if (grows) {
      curvature_.swap(curvature);
      scale_.swap(scale);
      s_at_.swap(s_at);
      y_at_.swap(y_at);
    }
    for (std::size_t slot = 0; slot < s_.size(); ++slot) {
      s_at_[slot] = s_[slot].data();
      y_at_[slot] = y_[slot].data();
    }
    ring_->slots = static_cast<std::int64_t>(size);
  }

  std::size_t memory_ = 0;
  RuleRunner runner_;
  Ring* ring_ = nullptr;
  std::vector<Buffer> s_, y_;
  std::vector<void*> s_at_, y_at_;  // where they are
  Buffer curvature_, scale_;
};

}  // namespace mdbopt::search
