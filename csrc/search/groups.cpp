// groups – sums of a group in the fixed order; threads share out whole groups.
#include "groups.h"

#include <algorithm>
#include <unordered_map>
#include <vector>

#include "../device.h"
#include "../group_sum.h"
#include "../pool.h"

namespace mdbopt::search {
namespace {

constexpr double kNanosecondsPerCoordinate = 2.0;  // read by an index

template <class Body>
void share(std::size_t count, std::size_t coordinates, const Execution& execution, Body body) {
  const std::size_t threads = threads_of(execution);
  const std::size_t wanted =
      parts_for(threads, kNanosecondsPerCoordinate * static_cast<double>(coordinates));
  const std::size_t parts = std::min(wanted, std::max<std::size_t>(1, count));
  struct Context {
    std::size_t count, parts;
    Body& body;
  } context{count, parts, body};
  parallel(
      parts, threads,
      [](void* opaque, std::size_t part) {
        const Context& c = *static_cast<Context*>(opaque);
        c.body(part * c.count / c.parts, (part + 1) * c.count / c.parts);
      },
      &context);
}

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

void Groups::sum(const Buffer& values, Buffer& sums, const Execution& execution) const {
  const std::size_t* member = indices(member_);
  const std::size_t* first = indices(first_);
  if (!execution.place.on_cpu()) {
    device_library().sum_groups(execution.place, values.doubles(),
                                {member, first, count_, values.size()}, sums.doubles());
    return;
  }
  share(count_, values.size(), execution, [&](std::size_t begin, std::size_t end) {
    for (std::size_t j = begin; j < end; ++j) {
      sums.doubles()[j] = sum_members(values.doubles(), member + first[j], first[j + 1] - first[j]);
    }
  });
}

void Groups::spread(const Buffer& per_group, Buffer& values, const Execution& execution) const {
  const std::size_t* group_of = indices(group_of_);
  if (!execution.place.on_cpu()) {
    device_library().spread_groups(execution.place, per_group.doubles(), group_of, values.size(),
                                   values.doubles());
    return;
  }
  share(values.size(), values.size(), execution, [&](std::size_t begin, std::size_t end) {
    for (std::size_t i = begin; i < end; ++i)
      values.doubles()[i] = per_group.doubles()[group_of[i]];
  });
}

}  // namespace mdbopt::search
