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
#include "recursion.h"
#include "walks.h"

namespace mdbopt::search {

// As many pairs as cost little beside an evaluation, at `size` variables: the more, the fewer
// evaluations. They are read three times a step, so that many of them pay as long as they stay in the
// cache that a core has for itself; beyond it ten are what their traffic is worth.
inline std::size_t auto_memory(std::size_t size) {
  constexpr std::size_t kMost = 80;
  constexpr std::size_t kLeast = 10;
  constexpr std::size_t kCached = std::size_t{1} << 22U;  // bytes
  return std::clamp(kCached / (2 * sizeof(float) * size), kLeast, kMost);
}

// More than any run can keep; sizes of tables stay far from overflow.
inline constexpr std::size_t kMostPairs = std::size_t{1} << 30U;

// It takes memory for the pairs that there are, not for those there may be.
class Pairs {
 public:
  Pairs() = default;
  Pairs(std::size_t memory, const Walks& walks)
      : memory_(std::min(memory, kMostPairs)), walks_(walks) {
    make_room(1);
  }

  const Ring& ring() const { return ring_; }
  void set_ring(const Ring& ring) { ring_ = ring; }
  std::size_t count() const { return static_cast<std::size_t>(ring_.count); }
  // Pair k, 0 the newest.
  const Buffer& s(std::size_t k) const { return s_[slot(k)]; }
  const Buffer& y(std::size_t k) const { return y_[slot(k)]; }
  std::size_t slot(std::size_t k) const {
    return static_cast<std::size_t>(ring_.slot(static_cast<std::int64_t>(k)));
  }
  // The whole ring, by slot.
  const std::vector<Buffer>& all_s() const { return s_; }
  const std::vector<Buffer>& all_y() const { return y_; }
  double* curvatures() const { return curvature_.doubles(); }
  double* scales() const { return scale_.doubles(); }

  // Takes memory for all pairs there may be, where it must not move any more.
  void reserve() { make_room(memory_ + 1); }

  // Where the next pair is written, until keep makes it the newest.
  Buffer& next_s() { return s_[next()]; }
  Buffer& next_y() { return y_[next()]; }
  // The pair last written, kept or not.
  const Buffer& last_s() const { return s_[last()]; }
  const Buffer& last_y() const { return y_[last()]; }
  double last_scale() const { return scales()[last()]; }
  void written(double scale) {
    ring_.last = ring_.next;
    scales()[next()] = scale;
  }

  void keep(double curvature) {
    curvatures()[next()] = curvature;
    // As long as slots are added in place of the oldest pair's being taken, they follow each other.
    if (next() + 1 == s_.size() && s_.size() <= memory_) make_room(s_.size() + 1);
    ring_.keep();
  }
  void forget() { ring_.count = 0; }

  void fields(Fields& fields) {
    fields.same_count("memory", static_cast<std::int64_t>(memory_));
    auto room = static_cast<std::int64_t>(s_.size());
    const auto most = static_cast<std::int64_t>(memory_ + 1);
    fields.count("pairs_room", room, 1, most);
    ring_.slots = static_cast<std::int64_t>(table_size(static_cast<std::size_t>(room)));
    fields.count("pairs_next", ring_.next, 0, room - 1);
    fields.count("pairs_last", ring_.last, 0, room - 1);
    // The ring closes once it has all its slots.
    fields.count("pairs", ring_.count, 0, room < most ? ring_.next : room - 1);
    for (std::size_t slot = 0; slot < static_cast<std::size_t>(room); ++slot) {
      if (slot == s_.size()) add_slot();
      const std::string number = std::to_string(slot);
      // What a trial that is not finite has left in the next slot is written anew before it is read.
      const Range& range = keeps(slot) ? kFinite : kAnything;
      fields.array("s" + number, s_[slot], range);
      fields.array("y" + number, y_[slot], range);
    }
    make_room(static_cast<std::size_t>(room));
    fields.array("pairs_curvature", curvature_, kAnything);
    fields.array("pairs_scale", scale_, kPositive);
    for (std::size_t k = 0; k < count(); ++k) {
      fields.agree("pairs_curvature", kPositive.holds(curvatures()[slot(k)]),
                   "finite numbers > 0 where pairs are kept");
    }
  }
  // Whether the slot holds a pair.
  bool keeps(std::size_t at) const {
    return (ring_.next + ring_.slots - 1 - static_cast<std::int64_t>(at)) % ring_.slots <
           ring_.count;
  }

 private:
  std::size_t next() const { return static_cast<std::size_t>(ring_.next); }
  std::size_t last() const { return static_cast<std::size_t>(ring_.last); }

  void add_slot() {
    s_.push_back(walks_.zeros(Dtype::kFloat32));
    y_.push_back(walks_.zeros(Dtype::kFloat32));
  }
  // Of tables by slot, for so many slots: it doubles, so that they are seldom copied.
  std::size_t table_size(std::size_t slots) const {
    std::size_t size = 0;
    while (size < slots) size = std::min(memory_ + 1, 2 * size + 8);
    return size;
  }
  void make_room(std::size_t slots) {
    while (s_.size() < slots) add_slot();
    const std::size_t size = table_size(slots);
    if (size > curvature_.size()) {
      curvature_ = grown(curvature_, size, 0.0);
      scale_ = grown(scale_, size, 1.0);
    }
    ring_.slots = static_cast<std::int64_t>(size);
  }

  std::size_t memory_ = 0;
  Walks walks_;
  std::vector<Buffer> s_, y_;
  Buffer curvature_, scale_;
  Ring ring_;
};

}  // namespace mdbopt::search
