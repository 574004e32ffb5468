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

Memory moved(const std::vector<std::size_t>& numbers, const Where& where) {
  Memory memory(numbers.size() * sizeof(std::size_t), where);
  memory.write(numbers.data());
  return memory;
}

}  // namespace

Groups::Groups(std::span<const std::int64_t> labels, const Where& where) {
  std::vector<std::size_t> group_of(labels.size());
  std::unordered_map<std::int64_t, std::size_t> number;
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
