// pairs – a ring of the latest secant pairs (s, y), and one slot beside them where the next is
// written.
//
// Pairs are float32: a direction needs no more digits, and they are most of what it reads. s is
// kept times a power of two that brings max|s| near 1, so that float32's range never matters.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "buffer.h"
#include "fields.h"
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
  }

  std::size_t count() const { return static_cast<std::size_t>(count_); }
  // Pair k, 0 the newest.
  const Buffer& s(std::size_t k) const { return s_[slot(k)]; }
  const Buffer& y(std::size_t k) const { return y_[slot(k)]; }
  // ⟨s, y⟩ > 0 as stored.
  double curvature(std::size_t k) const { return curvature_.doubles()[slot(k)]; }
  // The power of two that s is stored times.
  double scale(std::size_t k) const { return scale_.doubles()[slot(k)]; }
  // The place of pair k in the ring; it stays the same while the pair is kept.
  std::size_t slot(std::size_t k) const {
    return static_cast<std::size_t>((next_ + slots() - 1 - static_cast<std::int64_t>(k)) % slots());
  }
  std::size_t next_slot() const { return static_cast<std::size_t>(next_); }
  std::size_t slot_count() const { return s_.size(); }

  // Where the next pair is written, until keep makes it the newest.
  Buffer& next_s() { return s_[static_cast<std::size_t>(next_)]; }
  Buffer& next_y() { return y_[static_cast<std::size_t>(next_)]; }
  // The pair last written, kept or not.
  const Buffer& last_s() const { return s_[static_cast<std::size_t>(last_)]; }
  const Buffer& last_y() const { return y_[static_cast<std::size_t>(last_)]; }
  double last_scale() const { return scale_.doubles()[static_cast<std::size_t>(last_)]; }
  void written(double scale) {
    last_ = next_;
    scale_.doubles()[static_cast<std::size_t>(next_)] = scale;
  }

  void keep(double curvature) {
    curvature_.doubles()[static_cast<std::size_t>(next_)] = curvature;
    next_ = (next_ + 1) % slots();
    count_ = std::min(count_ + 1, slots() - 1);
  }
  void forget() { count_ = 0; }

  void fields(Fields& fields) {
    fields.count("pairs", count_);
    fields.count("pairs_next", next_);
    fields.count("pairs_last", last_);
    fields.array("pairs_curvature", curvature_);
    fields.array("pairs_scale", scale_);
    for (std::size_t k = 0; k < s_.size(); ++k) {
      const std::string number = std::to_string(k);
      fields.array("s" + number, s_[k]);
      fields.array("y" + number, y_[k]);
    }
  }

 private:
  std::int64_t slots() const { return static_cast<std::int64_t>(s_.size()); }

  std::vector<Buffer> s_, y_;
  Buffer curvature_, scale_;
  std::int64_t count_ = 0;
  std::int64_t next_ = 0;
  std::int64_t last_ = 0;
};

}  // namespace mdbopt::search
