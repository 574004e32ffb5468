// device_judge – judgements that are decided on the device leave the state of those that the host
// decides, there and on the CPU, bit for bit.
//
// Skips where no device can be used; MDBOPT_CUDA_LIBRARY may name one that is emulated.
#include <mdbopt/error.h>

#include "judged.h"

namespace {

void every_judgement(bool brief) {
  Seen seen;
  for (const Set& set : kSets) {
    for (const Objective& objective : kObjectives) {
      for (const bool cocoercive : {true, false}) {
        Options options = options_of(set);
        options.cocoercive = cocoercive;
        const int steps = brief ? 8 : 24;
        same_judgements<double>(set.name, options, objective, steps, seen);
        options.forward = 3.0;
        same_judgements<float>(set.name, options, objective, steps, seen);
      }
    }
    // A set that outgrows its number again and again, and trials beyond the range of x.
    for (const double forward : {0x1p200, 0x1p900}) {
      Options options = options_of(set);
      options.forward = forward;
      same_judgements<double>(set.name, options, kObjectives[0], 12, seen);
      same_judgements<float>(set.name, options, kObjectives[5], 12, seen);
    }
  }
  CHECK(seen.accepted > 100 && seen.cut > 100 && seen.more > 10);
}

void answers() {
  for (const Set& set : kSets) {
    Options options = options_of(set);
    options.forward = 1.3;
    every_answer(set.name, options);
  }
}

// An end is told, and nothing happens after it.
void ends() {
  const Where where = std::make_shared<Place>(Place{0});
  Side<double> side(options_of(kSets[4]), kObjectives[0], where);
  for (auto& h : side.problem.g) h = 0.0;
  side.problem.f = -1.0;
  side.told();
  side.search->propose_later();
  side.search->judge_later({-1e9}, side.g.tensor());
  CHECK_EQUAL(side.search->accepted(), std::int64_t{1});
  CHECK(side.search->converged(0.0));
  const State before = side.state();
  side.search->judge_later({-1e10}, side.g.tensor());
  CHECK(difference(side.state(), before, 0).empty());
  CHECK_THROWS(mdbopt::Error, "propose: the search has ended", side.search->propose());
}

// Each kind of judgement takes over from the other.
void kinds_by_turns() {
  const Where where = std::make_shared<Place>(Place{0});
  const Where other = std::make_shared<Place>(Place{0, reinterpret_cast<void*>(2)});
  Options options = options_of(kSets[0]);
  options.forward = 0x1p60;
  Side<float> cpu(options, kObjectives[2], nullptr);
  Side<float> there(options, kObjectives[2], where);
  std::int64_t more = 0;
  for (int k = 0; k < 24; ++k) {
    cpu.step();
    there.g = Buffer(kCoordinates, Dtype::kFloat32, k % 2 == 0 ? where : other);
    if (k % 3 == 2)
      more += there.step_later_to_a_finite_trial();
    else
      there.step();
    const std::string differs = difference(there.state(), cpu.state(), more);
    if (!differs.empty()) {
      check::fail(__FILE__, __LINE__) << "by turns, step " << k << ':' << differs << '\n';
      return;
    }
  }
}

void saved_and_loaded() {
  const Where where = std::make_shared<Place>(Place{0});
  Options options = options_of(kSets[2]);
  Side<double> there(options, kObjectives[1], where);
  for (int k = 0; k < 7; ++k) there.step_later();
  State saved = there.state();
  saved.load = true;
  options.execution.place = *where;
  Side<double> loaded(options, kObjectives[1], where);
  loaded.search = make(options, kCoordinates, Dtype::kFloat64);
  loaded.search->fields(saved);
  loaded.search->loaded();
  for (int k = 0; k < 9; ++k) {
    there.step_later();
    loaded.step_later();
  }
  CHECK_EQUAL(difference(loaded.state(), there.state(), 0), std::string());
}

void refusals() {
  const Where where = std::make_shared<Place>(Place{0});
  const auto refused = [&](const char* what, Options options, const Where& at) {
    Side<double> side(options, kObjectives[0], at);
    side.search->propose();
    CHECK_THROWS(mdbopt::Error, what, side.search->judge_later({1.0}, side.g.tensor()));
    side.step();  // this costs nothing
  };
  const Options box = options_of(kSets[0]);
  refused("wait: expected True for arrays on the CPU, got False", box, nullptr);
  Options options = box;
  options.groups.assign(kCoordinates, 1);
  refused("wait: expected True with groups, got False", options, where);
  options = options_of(kSets[3]);
  options.refine = 1;
  refused("wait: expected True with refine > 0, got False", options, where);
  options = box;
  options.initial_scale = mdbopt::search::kDefault;
  refused("wait: expected True until the first set is found", options, where);
  const auto unborn = make(box);
  CHECK_THROWS(mdbopt::Error, "judge: the search has no point yet", unborn->judge_later({}, {}));
  Side<double> side(box, kObjectives[0], where);
  Tensor g = side.g.tensor();
  g.size -= 1;
  CHECK_THROWS(mdbopt::Error, "g: expected 1030 elements (as x), got 1029",
               side.search->judge_later({1.0}, g));
}

}  // namespace

// With an argument, for tools that slow every launch down: fewer steps.
int main(int count, char**) {
  if (const std::string why = mdbopt::no_device_because(); !why.empty()) {
    std::cerr << "skipped: " << why << '\n';
    return 77;
  }
  every_judgement(count > 1);
  answers();
  ends();
  kinds_by_turns();
  saved_and_loaded();
  refusals();
  CHECK_EQUAL(device_library().allocated(0), std::size_t{0});
  return check::result();
}
