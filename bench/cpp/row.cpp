// row – batches in turn: put back the numbers, copy, launch; only launches count as time.
#include "row.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <iterator>
#include <vector>

#include "copy.h"

namespace bench {
namespace {

using mdbopt::Description;

// For scalars without a fallback.
constexpr double kUngiven = 0.5;
// A batch is long enough that clocks do not count, and short enough that a large row ends.
constexpr std::size_t kMostLaunches = 64;
constexpr std::size_t kBatchBytes = std::size_t{1} << 29;

std::vector<double> scalars_of(const Description& rule) {
  std::vector<double> scalars(rule.scalar_count);
  for (std::size_t k = 0; k < scalars.size(); ++k) {
    const double fallback = rule.scalars[k].fallback;
    scalars[k] = std::isnan(fallback) ? kUngiven : fallback;
  }
  return scalars;
}

std::size_t bytes_of(const Row& row) {
  const Description& rule = mdbopt::rule_description(row.rule);
  return row.size * (mdbopt::gather_bytes(rule, row.dtype) + mdbopt::apply_bytes(rule, row.dtype));
}

// A row with all that its launches need.
class Case {
 public:
  Case(const Row& row, Arrays& arrays)
      : row_(row),
        rule_(mdbopt::rule_description(row.rule)),
        arrays_(arrays),
        scalars_(scalars_of(rule_)),
        sums_(rule_.sum_count()) {
    arrays_.hold(rule_, row_.dtype, row_.size);
  }

  Copy copy() const { return {rule_, row_.dtype, arrays_.streams(), row_.size, row_.threads}; }
  void refill() { arrays_.refill(row_.threads); }
  bool launch() {
    const mdbopt::Job job{arrays_.streams(), row_.size};
    return mdbopt::launch(row_.rule, row_.dtype, {&job, 1}, scalars_.data(), sums_.data(),
                          {row_.backend, row_.threads});
  }

  // How many launches make a batch: until one refuses or leaves the normal numbers, for subnormal
  // ones, inf and NaN would be timed in their place. 0 when the first one refuses.
  std::size_t batch() {
    const std::size_t most =
        std::clamp<std::size_t>(kBatchBytes / bytes_of(row_), 1, kMostLaunches);
    refill();
    if (!launch()) return 0;
    std::size_t done = 1;
    while (done < most && arrays_.normal() && launch()) ++done;
    return arrays_.normal() || done == 1 ? done : done - 1;
  }

 private:
  const Row& row_;
  const Description& rule_;
  Arrays& arrays_;
  std::vector<double> scalars_;
  std::vector<double> sums_;
};

template <class Body>
double seconds(std::size_t times, const Body& body) {
  using Clock = std::chrono::steady_clock;
  const Clock::time_point begin = Clock::now();
  for (std::size_t k = 0; k < times; ++k) body();
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

bool fits(benchmark::State& state, const Row& row) {
  const double needed = static_cast<double>(
      Arrays::bytes_needed(mdbopt::rule_description(row.rule), row.dtype, row.size));
  static const double limit = static_cast<double>(memory_limit());
  if (needed <= limit) return true;
  char text[100];
  std::snprintf(text, sizeof text, "skipped: needs %.1f GB, half of the memory left is %.1f GB",
                needed / 1e9, limit / 1e9);
  state.SkipWithError(text);
  return false;
}

}  // namespace

std::string Row::name() const {
  return std::string(mdbopt::rule_description(rule).name) + '/' + mdbopt::info(dtype).name + '/' +
         backend->name + "/n:" + std::to_string(size) + "/threads:" + std::to_string(threads);
}

void measure(benchmark::State& state, const Row& row, Arrays& arrays) {
  if (!fits(state, row)) return;
  Case launched(row, arrays);
  const Copy copy = launched.copy();
  const std::size_t batch = launched.batch();
  if (batch == 0) return state.SkipWithError("skipped: the rule refuses these numbers");
  double launching = 0.0;
  double copying[std::size(Copy::kBlocks)] = {};
  while (state.KeepRunningBatch(static_cast<benchmark::IterationCount>(batch))) {
    launched.refill();
    for (std::size_t k = 0; k < std::size(copying); ++k) {
      copying[k] += seconds(batch, [&] { copy.run(Copy::kBlocks[k]); });
    }
    const double spent = seconds(batch, [&] { launched.launch(); });
    state.SetIterationTime(spent);
    launching += spent;
  }
  const double copied = *std::min_element(std::begin(copying), std::end(copying));
  const double bytes = static_cast<double>(bytes_of(row)) * static_cast<double>(state.iterations());
  state.counters[kRate] = bytes / launching;
  state.counters[kCopyRate] = bytes / copied;
  state.counters[kPercent] = 100.0 * copied / launching;
}

}  // namespace bench
