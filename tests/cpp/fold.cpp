// fold – the trees of fold.h against recursions and against sums written out by hand.
#include "base/fold.h"

#include <cmath>
#include <limits>

#include "check.h"
#include "trees.h"

using mdbopt::combine;
using mdbopt::Fold;
using mdbopt::fold_chunks;
using mdbopt::fold_lanes;

namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kInfinity = std::numeric_limits<double>::infinity();

void lanes_fold_in_a_tree() {
  check::Random random(1);
  for (int trial = 0; trial < 20; ++trial) {
    std::vector<double> lanes = random.numbers(32);
    const double wanted = trees::lane(lanes, 1, 0);
    CHECK_BITS(fold_lanes(Fold::kAdd, lanes.data()), wanted);
  }
}

void chunks_fold_in_pairs() {
  check::Random random(2);
  for (std::size_t count = 0; count < 70; ++count) {
    for (const std::size_t stride : {1U, 3U}) {
      const std::vector<double> leaves = random.numbers(count);
      std::vector<double> partials = random.numbers(count * stride);
      for (std::size_t i = 0; i < count; ++i) partials[i * stride] = leaves[i];
      CHECK_BITS(fold_chunks(Fold::kAdd, partials.data(), count, stride), trees::pairs(leaves));
    }
  }
}

void written_out() {
  const std::vector<double> c = check::Random(3).numbers(7);
  const auto fold = [&](std::size_t count) {
    std::vector<double> partials = c;
    return fold_chunks(Fold::kAdd, partials.data(), count, 1);
  };
  CHECK_BITS(fold(0), 0.0);
  CHECK_BITS(fold(1), c[0]);
  CHECK_BITS(fold(3), (c[0] + c[1]) + c[2]);
  CHECK_BITS(fold(5), ((c[0] + c[1]) + (c[2] + c[3])) + c[4]);
  CHECK_BITS(fold(6), ((c[0] + c[1]) + (c[2] + c[3])) + (c[4] + c[5]));
  CHECK_BITS(fold(7), ((c[0] + c[1]) + (c[2] + c[3])) + ((c[4] + c[5]) + c[6]));
}

void a_stride_touches_no_neighbour() {
  std::vector<double> partials(12, 1.0);
  for (std::size_t i = 1; i < partials.size(); i += 2) partials[i] = 7.0;
  CHECK_BITS(fold_chunks(Fold::kAdd, partials.data(), 6, 2), 6.0);
  for (std::size_t i = 1; i < partials.size(); i += 2) CHECK_BITS(partials[i], 7.0);
}

void a_maximum_keeps_nan() {
  CHECK_BITS(combine(Fold::kMax, 1.0, 2.0), 2.0);
  CHECK_BITS(combine(Fold::kMax, 2.0, 1.0), 2.0);
  CHECK_BITS(combine(Fold::kMax, kInfinity, 1.0), kInfinity);
  CHECK(std::isnan(combine(Fold::kMax, kNan, kInfinity)));
  CHECK(std::isnan(combine(Fold::kMax, kInfinity, kNan)));
  for (std::size_t where = 0; where < 32; ++where) {
    std::vector<double> lanes(32, 1.0);
    lanes[where] = 5.0;
    CHECK_BITS(fold_lanes(Fold::kMax, lanes.data()), 5.0);
    lanes.assign(32, 1.0);
    lanes[where] = kNan;
    CHECK(std::isnan(fold_lanes(Fold::kMax, lanes.data())));
    std::vector<double> partials(33, kInfinity);
    partials[where] = kNan;
    CHECK(std::isnan(fold_chunks(Fold::kMax, partials.data(), partials.size(), 1)));
  }
}

}  // namespace

int main() {
  lanes_fold_in_a_tree();
  chunks_fold_in_pairs();
  written_out();
  a_stride_touches_no_neighbour();
  a_maximum_keeps_nan();
  return check::result();
}
