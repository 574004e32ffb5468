// program – walks that join one pass give the bits of one pass each, and move each array once; walks that
// are not wanted do nothing.
#include "check.h"
#include "engine/launch.h"
#include "engine/runner.h"
#include "rules/rules.h"

using mdbopt::Dtype;
using mdbopt::Execution;
using mdbopt::Job;
using mdbopt::Slot;
using mdbopt::Step;

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

// A control whose one decision wants all walks, or all but one.
struct Control {
  mdbopt::Told told;
  Data* data;
  Slot square, trial, dot;
  bool wants_dot = true;
};

template <class Rule>
void want(Slot& slot, std::initializer_list<void*> streams, std::initializer_list<double> scalars) {
  std::copy(streams.begin(), streams.end(), slot.job.streams);
  mdbopt::MDBOPT_ISA::make_coef<Rule>(scalars.begin(), 0.0,
                                      *reinterpret_cast<typename Rule::Coef*>(slot.coef.bytes));
  slot.skip = 0;
}

void decide(void* control) {
  namespace rules = mdbopt::MDBOPT_ISA;
  Control& c = *static_cast<Control*>(control);
  Data& data = *c.data;
  want<rules::Square>(c.square, {data.g.data(), data.u.data()}, {kScale});
  want<rules::Trial<rules::LinearCandidate>>(
      c.trial, {data.x.data(), data.g.data(), data.u.data(), data.x_trial.data()}, {kStep, kScale});
  want<rules::Dot>(c.dot, {data.g.data(), data.x.data()}, {0.0});
  c.dot.skip = c.wants_dot ? 0 : 1;
}

mdbopt::Program program_of(Control& control, Data& data) {
  const Rules rules;
  control.data = &data;
  mdbopt::Program program;
  program.control = &control;
  Step decision{Step::Kind::kDecide};
  decision.decide = decide;
  program.steps.push_back(decision);
  const auto walk = [&](Step::Kind kind, std::size_t rule, Slot& slot) {
    Step step{kind};
    step.what = rule;
    step.slot = &slot;
    step.size = data.x.size();
    step.joins = true;
    program.steps.push_back(step);
  };
  walk(Step::Kind::kApply, rules.square, control.square);
  walk(Step::Kind::kApply, rules.trial, control.trial);
  walk(Step::Kind::kGather, rules.dot, control.dot);
  return program;
}

void same_bits_as_one_by_one() {
  for (std::size_t n : {1U, 1023U, 1025U, 100003U}) {
    Data wanted(n);
    const std::vector<double> sums = one_by_one(wanted);
    for (std::size_t k = 0; k < mdbopt::backend_count(); ++k) {
      if (!mdbopt::backend_at(k).supported()) continue;
      for (std::size_t threads : {1U, 2U, 7U}) {
        Data data(n);
        Control control{};
        mdbopt::ProgramRunner{program_of(control, data)}.run({}, {&mdbopt::backend_at(k), threads});
        CHECK(data.u == wanted.u);
        CHECK(data.x_trial == wanted.x_trial);
        for (std::size_t j = 0; j < 3; ++j) CHECK_BITS(control.trial.sums[j], sums[j]);
        CHECK_BITS(control.dot.sums[0], sums[3]);
      }
    }
  }
}

void each_array_moves_once() {
  constexpr std::size_t kSize = 3000;
  Data data(kSize);
  Control control{};
  mdbopt::ProgramRunner runner{program_of(control, data)};
  mdbopt::traffic() = {};
  runner.run({}, {});
  CHECK_EQUAL(mdbopt::traffic().walks, 1U);
  CHECK_EQUAL(mdbopt::traffic().bytes, 4U * 8U * kSize);  // g, u, x and x_trial
  runner.program.steps[2].joins = false;
  runner.run({}, {});
  CHECK_EQUAL(mdbopt::traffic().walks, 3U);
}

void what_is_not_wanted() {
  Data data(100);
  Control control{};
  control.wants_dot = false;
  control.dot.sums[0] = 7.0;
  mdbopt::ProgramRunner{program_of(control, data)}.run({}, {});
  CHECK_BITS(control.dot.sums[0], 7.0);
}

}  // namespace

int main() {
  same_bits_as_one_by_one();
  each_array_moves_once();
  what_is_not_wanted();
  return check::result();
}
