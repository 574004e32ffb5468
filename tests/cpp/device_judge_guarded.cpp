// device_judge_guarded – guarded judgements that are decided on the device leave the state of those
// that the host decides, there and on the CPU, bit for bit.
//
// Skips where no device can be used; MDBOPT_CUDA_LIBRARY may name one that is emulated.
#include <mdbopt/error.h>

#include "judged.h"

namespace {

// Fewer pairs than a bundle, bundles alone, bundles and singles.
constexpr std::size_t kMemories[] = {1, 3, 5, 10, 12};

// Whose plain steps, all that is left, begin beyond the range of x in a box that is far too large.
const Objective kNowhereElse = {"undefined but at the start",
                                [](double h, double a, double& slope) {
                                  slope = a == -1.0 ? h * a : kNaN;
                                  return a == -1.0 ? 0.5 * h : kNaN;
                                }};

std::string name_of(const Options& options) {
  return "guarded, " + std::to_string(options.memory) + " pairs, first box " +
         std::to_string(options.initial_scale) + ", forward " + std::to_string(options.forward);
}

void every_judgement(bool brief) {
  Seen seen;
  const auto judged = [&](const Options& options, const Objective& objective, int steps) {
    same_judgements<double>(name_of(options), options, objective, steps, seen);
    same_judgements<float>(name_of(options), options, objective, steps, seen);
  };
  Options options;
  for (const Objective& objective : kObjectives) {
    for (const std::size_t memory : kMemories) {
      if (brief && memory != 12) continue;
      options.memory = memory;
      judged(options, objective, brief ? 12 : 30);
    }
    options.memory = 3;
    // A box that is far too large; one that nothing moves in.
    for (const double scale : {1e-3, 1e30, 1e-30}) {
      options.initial_scale = scale;
      judged(options, objective, brief ? 5 : 20);
    }
    // One that outgrows its number again and again, and trials beyond the range of x.
    for (const double forward : {0x1p200, 0x1p900}) {
      options.forward = forward;
      options.initial_scale = 1e-3;
      judged(options, objective, brief ? 5 : 16);
      options.initial_scale = mdbopt::search::kDefault;
    }
    options.forward = mdbopt::search::kDefault;
  }
  options.initial_scale = 1e100;
  same_judgements<float>(name_of(options), options, kNowhereElse, 60, seen);
  CHECK(brief || (seen.accepted > 1000 && seen.cut > 20 && seen.more > 10));
}

void answers(bool brief) {
  for (const double forward : {mdbopt::search::kDefault, 1.3}) {
    if (brief && forward == 1.3) continue;
    Options options;
    options.forward = forward;
    every_answer("guarded", options);
    // Plain steps, until none is left.
    told("guarded", options, "worse and worse", std::vector<Answer>(90, {1e7, 1.0}));
    told("guarded", options, "holes", std::vector<Answer>(90, {kNaN, 1.0}));
    // A step that met no curvature, and one that went uphill.
    told("guarded", options, "straight", std::vector<Answer>(9, {-1e7, 3.0}));
    told("guarded", options, "the other way", {kUsual, kUsual, {-1e7, -1.0}, kUsual, {-1e7, -2.0}});
  }
}

void kinds_by_turns() {
  const Where where = std::make_shared<Place>(Place{0});
  const Where other = std::make_shared<Place>(Place{0, reinterpret_cast<void*>(2)});
  for (const Objective& objective : kObjectives) {
    Side<float> cpu({}, objective, nullptr);
    Side<float> there({}, objective, where);
    std::int64_t more = 0;
    for (int k = 0; k < 24 && !cpu.search->converged(0.0); ++k) {
      cpu.step();
      there.g = Buffer(kCoordinates, Dtype::kFloat32, k % 2 == 0 ? where : other);
      if (k % 3 == 2)
        more += there.step_later_to_a_finite_trial();
      else
        there.step();
      const std::string differs = difference(there.state(), cpu.state(), more);
      if (differs.empty()) continue;
      check::fail(__FILE__, __LINE__)
          << objective.name << ", by turns, step " << k << ':' << differs << '\n';
      return;
    }
  }
}

void saved_and_loaded() {
  const Where where = std::make_shared<Place>(Place{0});
  Options options;
  options.memory = 6;
  Side<double> there(options, kObjectives[1], where);
  for (int k = 0; k < 11; ++k) there.step_later();
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
  const auto refused = [&](const char* what, const Options& options, const Where& at) {
    Side<double> side(options, kObjectives[0], at);
    side.search->propose();
    CHECK_THROWS(mdbopt::Error, what, side.search->judge_later({1.0}, side.g.tensor()));
    side.step();  // this costs nothing
  };
  refused("wait: expected True for arrays on the CPU, got False", {}, nullptr);
  Options options;
  options.groups.assign(kCoordinates, 1);
  refused("wait: expected True with groups, got False", options, where);
  options = {};
  options.cocoercive = false;
  refused("wait: expected True with cut='hypergradient', got False", options, where);
  options = {};
  options.proposer = "cg";
  refused("wait: expected True for proposer cg, got False", options, where);
  const auto unborn = make(Options{});
  CHECK_THROWS(mdbopt::Error, "judge: the search has no point yet", unborn->judge_later({}, {}));
}

}  // namespace

// With an argument, for tools that slow every launch down: fewer steps.
int main(int count, char**) {
  if (const std::string why = mdbopt::no_device_because(); !why.empty()) {
    std::cerr << "skipped: " << why << '\n';
    return 77;
  }
  const bool brief = count > 1;
  every_judgement(brief);
  answers(brief);
  kinds_by_turns();
  saved_and_loaded();
  refusals();
  CHECK_EQUAL(device_library().allocated(0), std::size_t{0});
  return check::result();
}
