// groups – sums over groups in the fixed order, and one number per group back to its coordinates.
#include <map>

#include "check.h"
#include "engine/partition.h"
#include "runtime/device.h"
#include "search/buffer.h"
#include "search/groups.h"
#include "trees.h"

using mdbopt::Dtype;
using mdbopt::Execution;
using mdbopt::search::Buffer;
using mdbopt::search::filled;
using mdbopt::search::Groups;
using Labels = std::vector<std::int64_t>;

namespace {

Buffer buffer(const std::vector<double>& values) {
  Buffer made = filled(values.size(), 0.0);
  std::copy(values.begin(), values.end(), made.doubles());
  return made;
}

// The members of each group in the order of coordinates, groups in the order of their first member.
std::vector<std::vector<double>> members(const Labels& labels, const std::vector<double>& values) {
  std::map<std::int64_t, std::size_t> number;
  std::vector<std::vector<double>> groups;
  for (std::size_t i = 0; i < labels.size(); ++i) {
    const auto [location, is_new] = number.emplace(labels[i], groups.size());
    if (is_new) groups.emplace_back();
    groups[location->second].push_back(values[i]);
  }
  return groups;
}

// Where a device can be used, it gives the same bits.
void check_on_device(const Labels& labels, const Buffer& values, const Buffer& sums,
                     const Buffer& spread) {
  if (!mdbopt::no_device_because().empty()) return;
  const auto where = std::make_shared<mdbopt::Location>(mdbopt::Location{0, nullptr});
  const auto there = [&](const Buffer& from) {
    Buffer made(from.size(), Dtype::kFloat64, where);
    made.write(from.data());
    return made;
  };
  const auto same = [&](const Buffer& device, const Buffer& host) {
    Buffer back = filled(host.size(), 7.0);
    device.read(back.data());
    mdbopt::device_library().synchronize(*where);
    for (std::size_t i = 0; i < host.size(); ++i) CHECK_BITS(back.doubles()[i], host.doubles()[i]);
  };
  const Groups groups(labels, where);
  Execution how;
  how.location = *where;
  Buffer sums_there(sums.size(), Dtype::kFloat64, where);
  Buffer spread_there(values.size(), Dtype::kFloat64, where);
  sum_groups(groups.partition(), there(values).doubles(), sums_there.doubles(), how);
  spread_groups(groups.partition(), sums_there.doubles(), spread_there.doubles(), how);
  same(sums_there, sums);
  same(spread_there, spread);
}

void check_sums(const Labels& labels, const std::vector<double>& values) {
  const Groups groups(labels);
  const auto wanted = members(labels, values);
  CHECK_EQUAL(groups.count(), wanted.size());
  for (std::size_t threads : {1U, 3U}) {
    const Execution how{nullptr, threads};
    Buffer sums = filled(groups.count(), 7.0);
    sum_groups(groups.partition(), buffer(values).doubles(), sums.doubles(), how);
    for (std::size_t j = 0; j < wanted.size(); ++j) {
      CHECK_BITS(sums.doubles()[j], wanted[j].size() == 1 ? wanted[j][0] : trees::sum(wanted[j]));
    }
    Buffer spread = filled(values.size(), 7.0);
    spread_groups(groups.partition(), sums.doubles(), spread.doubles(), how);
    std::map<std::int64_t, double> seen;
    for (std::size_t i = 0; i < labels.size(); ++i) {
      const double first = seen.emplace(labels[i], sums.doubles()[seen.size()]).first->second;
      CHECK_BITS(spread.doubles()[i], first);
    }
    if (threads == 1) check_on_device(labels, buffer(values), sums, spread);
  }
}

void none() {
  const Groups groups;
  CHECK(groups.empty());
  CHECK_EQUAL(groups.count(), 0U);
}

// Also where a value is −0.0, which a sum that starts at 0 would lose.
void singletons_are_the_identity() {
  check::Random random(1);
  std::vector<double> values = random.numbers(1000);
  values[17] = -0.0;
  Labels labels(values.size());
  for (std::size_t i = 0; i < labels.size(); ++i) {
    labels[i] = static_cast<std::int64_t>(5000 - 3 * i);
  }
  const Groups groups(labels);
  Buffer sums = filled(values.size(), 7.0);
  sum_groups(groups.partition(), buffer(values).doubles(), sums.doubles(), {});
  for (std::size_t i = 0; i < values.size(); ++i) CHECK_BITS(sums.doubles()[i], values[i]);
  check_sums(labels, values);
}

void random_partitions() {
  check::Random random(2);
  for (std::uint64_t count : {1U, 2U, 40U, 3000U}) {
    const std::vector<double> values = random.numbers(30000);
    Labels labels(values.size());
    for (auto& label : labels) label = static_cast<std::int64_t>(random.bits() % count) - 20;
    check_sums(labels, values);
  }
}

// One group over k chunks: every shape of the tree up to ten, and more than a warp folds at once.
void large_groups() {
  check::Random random(3);
  for (std::size_t chunks :
       {1U, 2U, 3U, 4U, 5U, 6U, 7U, 8U, 9U, 10U, 31U, 32U, 33U, 65U, 96U, 97U}) {
    for (std::size_t more : {0U, 1U, 500U}) {
      const std::size_t size = 1024 * chunks + more;
      check_sums(Labels(size, -1), random.numbers(size));
    }
  }
}

}  // namespace

int main() {
  none();
  singletons_are_the_identity();
  random_partitions();
  large_groups();
  return check::result();
}
