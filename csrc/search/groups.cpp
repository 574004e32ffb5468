// groups – labels to a partition.
#include "groups.h"

#include <unordered_map>
#include <vector>

namespace mdbopt::search {
namespace {

// FNV-1a.
std::uint64_t hash_of(const std::vector<std::size_t>& numbers) {
  std::uint64_t hash = 0xcbf29ce484222325U;
  for (const std::uint64_t number : numbers) {
    for (unsigned shift = 0; shift < 64; shift += 8) {
      hash = (hash ^ (number >> shift & 0xffU)) * 0x100000001b3U;
    }
  }
  return hash;
}

using Numbering = std::unordered_map<std::int64_t, std::size_t>;

// Labels in the order in which they first appear.
Numbering numbering(std::span<const std::int64_t> labels) {
  Numbering number;
  for (const std::int64_t label : labels) number.try_emplace(label, number.size());
  return number;
}

// Those of all shards in their order, through doubles of half a label each.
std::vector<std::int64_t> of_all(const Numbering& own, Reduction& reduction) {
  std::vector<double> halves(2 * own.size());
  for (const auto& [label, place] : own) {
    const auto bits = static_cast<std::uint64_t>(label);
    halves[2 * place] = static_cast<double>(bits >> 32U);
    halves[2 * place + 1] = static_cast<double>(bits & 0xffffffffU);
  }
  const std::vector<double> all = reduction.collect(halves);
  std::vector<std::int64_t> labels;
  for (std::size_t k = 0; k < all.size(); k += 2) {
    const auto high = static_cast<std::uint64_t>(all[k]);
    labels.push_back(
        static_cast<std::int64_t>(high << 32U | static_cast<std::uint64_t>(all[k + 1])));
  }
  return labels;
}

Memory moved(const std::vector<std::size_t>& numbers, const Where& where) {
  Memory memory(numbers.size() * sizeof(std::size_t), where);
  memory.write(numbers.data());
  return memory;
}

}  // namespace

Groups::Groups(std::span<const std::int64_t> labels, const Where& where, Reduction* reduction) {
  std::vector<std::size_t> group_of(labels.size());
  Numbering number;
  if (reduction != nullptr) number = numbering(of_all(numbering(labels), *reduction));
  for (std::size_t i = 0; i < labels.size(); ++i) {
    group_of[i] = number.try_emplace(labels[i], number.size()).first->second;
  }
  count_ = number.size();
  labels_ = labels.size();
  identity_ = std::to_string(count_) + " groups of " + std::to_string(labels.size()) +
              " coordinates, hash " + std::to_string(hash_of(group_of));
  std::vector<std::size_t> first(count_ + 1, 0);
  for (std::size_t group : group_of) ++first[group + 1];
  for (std::size_t j = 0; j < count_; ++j) first[j + 1] += first[j];
  std::vector<std::size_t> next(first.begin(), first.end() - 1);
  std::vector<std::size_t> member(labels.size());
  for (std::size_t i = 0; i < labels.size(); ++i) member[next[group_of[i]]++] = i;
  group_of_ = moved(group_of, where);
  member_ = moved(member, where);
  first_ = moved(first, where);
}

}  // namespace mdbopt::search
