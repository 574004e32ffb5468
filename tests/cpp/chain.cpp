// chain – several rules in one pass give the bits of one pass each, and move each array once.
#include <mdbopt/launch.h>

#include "check.h"

using mdbopt::Chain;
using mdbopt::Dtype;
using mdbopt::Execution;
using mdbopt::Job;

namespace {

// u ← (s g)², x_trial ← x − t u∘g, and ⟨g, x⟩: the second reads what the first wrote, the third
// shares its reads.
struct Data {
  std::vector<double> x, g, u, x_trial;
  explicit Data(std::size_t n)
      : x(check::Random(1).numbers(n)),
        g(check::Random(2).numbers(n)),
        u(n, 7.0),
        x_trial(n, 7.0) {}
};

struct Rules {
  std::size_t square = mdbopt::find_rule("square");
  std::size_t trial = mdbopt::find_rule("box_trial");
  std::size_t dot = mdbopt::find_rule("dot");
};

constexpr double kScale = 0.3;
constexpr double kStep = 0.7;

std::vector<double> one_by_one(Data& data) {
  const Rules rules;
  std::vector<double> sums(3 * mdbopt::kMaxSums);
  const auto run = [&](std::size_t rule, std::initializer_list<void*> streams,
                       std::initializer_list<double> scalars, double* into) {
    const Job job{streams.begin(), data.x.size()};
    mdbopt::launch(rule, Dtype::kFloat64, {&job, 1}, scalars.begin(), into, {});
  };
  run(rules.square, {data.g.data(), data.u.data()}, {kScale}, sums.data());
  run(rules.trial, {data.x.data(), data.g.data(), data.u.data(), data.x_trial.data()},
      {kStep, kScale}, sums.data());
  run(rules.dot, {data.g.data(), data.x.data()}, {}, sums.data() + 3);
  sums.resize(4);
  return sums;
}

void fill(Chain& chain, Data& data) {
  const Rules rules;
  chain.clear();
  CHECK_EQUAL(chain.add(rules.square, {data.g.data(), data.u.data()}, {kScale}), 0U);
  CHECK_EQUAL(
      chain.add(rules.trial, {data.x.data(), data.g.data(), data.u.data(), data.x_trial.data()},
                {kStep, kScale}),
      1U);
  CHECK_EQUAL(chain.add(rules.dot, {data.g.data(), data.x.data()}, {}), 2U);
}

void same_bits_as_one_by_one() {
  Chain chain;  // used again and again, as searches do
  for (std::size_t n : {0, 1, 1023, 1025, 100003}) {
    Data wanted(n);
    const std::vector<double> sums = one_by_one(wanted);
    for (std::size_t k = 0; k < mdbopt::backend_count(); ++k) {
      if (!mdbopt::backend_at(k).supported()) continue;
      for (std::size_t threads : {1, 2, 7}) {
        Data data(n);
        fill(chain, data);
        chain.run(Dtype::kFloat64, n, {&mdbopt::backend_at(k), threads});
        CHECK(data.u == wanted.u);
        CHECK(data.x_trial == wanted.x_trial);
        for (std::size_t j = 0; j < 3; ++j) CHECK_BITS(chain.sum(1, j), sums[j]);
        CHECK_BITS(chain.sum(2, 0), sums[3]);
      }
    }
  }
}

void each_array_moves_once() {
  constexpr std::size_t kSize = 3000;
  Data data(kSize);
  Chain chain;
  fill(chain, data);
  mdbopt::traffic() = {};
  chain.run(Dtype::kFloat64, kSize, {});
  CHECK_EQUAL(mdbopt::traffic().walks, 1U);
  CHECK_EQUAL(mdbopt::traffic().bytes, 4U * 8U * kSize);  // g, u, x and x_trial
}

}  // namespace

int main() {
  same_bits_as_one_by_one();
  each_array_moves_once();
  return check::result();
}
