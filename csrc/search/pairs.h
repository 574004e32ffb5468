// pairs – a ring of the latest secant pairs (s, y), and one slot beside them where the next is
// written.
//
// Pairs are float32: a direction needs no more digits, and they are most of what it reads. s is
// kept times a power of two that brings max|s| near 1, so that float32's range never matters.
#pragma once

#include <string>
#include <vector>

#include "buffer.h"
#include "fields.h"
#include "recursion.h"
#include "walks.h"

namespace mdbopt::search {

class Pairs {
 public:
  Pairs() = default;
  Pairs(std::size_t memory, const Walks& walks)
      : curvature_(filled(memory + 1, 0.0)), scale_(filled(memory + 1, 1.0)) {
    for (std::size_t k = 0; k <= memory; ++k) {
      s_.push_back(walks.zeros(Dtype::kFloat32));
      y_.push_back(walks.zeros(Dtype::kFloat32));
    }
    ring_.slots = static_cast<std::int64_t>(memory + 1);
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
    ring_.keep();
  }
  void forget() { ring_.count = 0; }

  void fields(Fields& fields) {
    fields.same_count("memory", ring_.slots - 1);
    fields.count("pairs", ring_.count, 0, ring_.slots - 1);
    fields.count("pairs_next", ring_.next, 0, ring_.slots - 1);
    fields.count("pairs_last", ring_.last, 0, ring_.slots - 1);
    fields.array("pairs_curvature", curvature_, kAnything);
    fields.array("pairs_scale", scale_, kPositive);
    for (std::size_t slot = 0; slot < s_.size(); ++slot) {
      const std::string number = std::to_string(slot);
      // What a trial that is not finite has left in the next slot is written anew before it is read.
      const Range& range = keeps(slot) ? kFinite : kAnything;
      fields.array("s" + number, s_[slot], range);
      fields.array("y" + number, y_[slot], range);
      fields.agree("pairs_curvature", !keeps(slot) || kPositive.holds(curvatures()[slot]),
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

  std::vector<Buffer> s_, y_;
  Buffer curvature_, scale_;
  Ring ring_;
};

}  // namespace mdbopt::search
