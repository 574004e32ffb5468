// trees – the order of summation of fold.h a second time, as recursions that mirror its definition.
#pragma once

#include <algorithm>
#include <cstddef>
#include <vector>

namespace trees {

// Lane i after the folds down to `half` lanes.
inline double lane(const std::vector<double>& lanes, std::size_t half, std::size_t i) {
  if (half == lanes.size()) return lanes[i];
  return lane(lanes, 2 * half, i) + lane(lanes, 2 * half, i + half);
}

inline double chunk(const std::vector<double>& values, std::size_t begin, std::size_t end) {
  std::vector<double> lanes(32, 0.0);
  for (std::size_t i = begin; i < end; ++i) lanes[(i - begin) % 32] += values[i];
  return lane(lanes, 1, 0);
}

// Node i of a level: its two children, or the only one.
inline double node(const std::vector<double>& leaves, std::size_t level, std::size_t i) {
  if (level == 0) return leaves[i];
  const std::size_t below = std::size_t{1} << (level - 1);
  const double left = node(leaves, level - 1, 2 * i);
  return (2 * i + 1) * below < leaves.size() ? left + node(leaves, level - 1, 2 * i + 1) : left;
}

inline double pairs(const std::vector<double>& leaves) {
  if (leaves.empty()) return 0.0;
  std::size_t level = 0;
  while ((std::size_t{1} << level) < leaves.size()) ++level;
  return node(leaves, level, 0);
}

inline void add_chunks(const std::vector<double>& values, std::vector<double>& chunks) {
  for (std::size_t i = 0; i < values.size(); i += 1024) {
    chunks.push_back(chunk(values, i, std::min(values.size(), i + 1024)));
  }
}

inline double sum(const std::vector<double>& values) {
  std::vector<double> chunks;
  add_chunks(values, chunks);
  return pairs(chunks);
}

}  // namespace trees
