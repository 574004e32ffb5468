// device_judge – judgements that are decided on the device leave the state of those that the host
// decides, there and on the CPU, bit for bit.
//
// Skips where no device can be used; MDBOPT_CUDA_LIBRARY may name one that is emulated.
#include <mdbopt/error.h>

#include "judged.h"

namespace {

std::vector<std::int64_t> groups_of_seven() {
  std::vector<std::int64_t> labels(kCoordinates);
  for (std::size_t i = 0; i < kCoordinates; ++i) labels[i] = static_cast<std::int64_t>(i % 7);
  return labels;
}

void every_set(bool brief, Seen& seen) {
  std::size_t turn = 0;
  for (const Set& set : kSets) {
    for (const Objective& objective : kObjectives) {
      for (const bool cocoercive : {true, false}) {
        Options options = options_of(set);
        options.cocoercive = cocoercive;
        const int steps = brief ? 8 : 16;
        ++turn;
        if (!brief || turn % 2 == 0) {
          same_judgements<double>(set.name, options, objective, steps, seen);
        }
        if (brief && turn % 2 == 0) continue;
        options.forward = 3.0;
        options.initial_scale = mdbopt::search::kDefault;
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
    // A first set that does not move x yet, with groups, and refined.
    for (const int refine : {0, 3}) {
      Options options = options_of(set);
      options.groups = groups_of_seven();
      options.refine = refine;
      options.initial_scale = 1e-30;
      same_judgements<double>(std::string(set.name) + ", groups", options, kObjectives[0], 12,
                              seen);
      options.groups.clear();
      options.initial_scale = 3.0;
      same_judgements<double>(std::string(set.name) + ", refined", options, kObjectives[4], 12,
                              seen);
    }
  }
  CHECK(seen.accepted > 100 && seen.cut > 100 && seen.more > 10);
}

// Fewer pairs than a bundle, bundles alone, bundles and singles.
constexpr std::size_t kMemories[] = {1, 3, 5, 10, 12};

// Whose plain steps, all that is left, begin beyond the range of x in a box that is far too large.
const Objective kNowhereElse = {"undefined but at the start",
                                [](double h, double a, double& slope) {
                                  slope = a == -1.0 ? h * a : kNaN;
                                  return a == -1.0 ? 0.5 * h : kNaN;
                                }};

std::string name_of(const Options& options) {
  return "guarded, " + options.proposer + ", " + std::to_string(options.memory) +
         " pairs, first box " + std::to_string(options.initial_scale) + ", forward " +
         std::to_string(options.forward);
}

void every_guarded(bool brief, Seen& seen) {
  std::size_t turn = 0;
  const auto judged = [&](const Options& options, const Objective& objective, int steps) {
    ++turn;
    if (!brief || turn % 2 == 0) {
      same_judgements<double>(name_of(options), options, objective, steps, seen);
    }
    if (!brief || turn % 2 == 1) {
      same_judgements<float>(name_of(options), options, objective, steps, seen);
    }
  };
  for (const Objective& objective : kObjectives) {
    Options options;
    for (const std::size_t memory : kMemories) {
      if (brief && memory != 12) continue;
      options.memory = memory;
      judged(options, objective, brief ? 8 : 20);
    }
    options.memory = 3;
    // A box that is far too large; one that nothing moves in.
    for (const double scale : {1e-3, 1e30, 1e-30}) {
      options.initial_scale = scale;
      judged(options, objective, brief ? 5 : 10);
    }
    // One that outgrows its number again and again, and trials beyond the range of x.
    for (const double forward : {0x1p200, 0x1p900}) {
      options.forward = forward;
      options.initial_scale = 1e-3;
      judged(options, objective, brief ? 5 : 12);
      options.initial_scale = mdbopt::search::kDefault;
    }
    for (const char* proposer : {"lbfgs", "heavy-ball", "nesterov", "cg"}) {
      options = {};
      options.memory = 6;
      options.proposer = proposer;
      judged(options, objective, brief ? 5 : 12);
      options.groups = groups_of_seven();
      options.cocoercive = false;
      judged(options, objective, brief ? 5 : 10);
    }
  }
  Options options;
  options.initial_scale = 1e100;
  same_judgements<float>(name_of(options), options, kNowhereElse, 60, seen);
  CHECK(brief || (seen.accepted > 1000 && seen.cut > 20 && seen.more > 10));
}

void answers(bool brief) {
  for (const Set& set : kSets) {
    Options options = options_of(set);
    options.forward = 1.3;
    every_answer(set.name, options);
  }
  for (const double forward : {mdbopt::search::kDefault, 1.3}) {
    if (brief && forward == 1.3) continue;
    Options options;
    options.memory = 6;
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

// An end is told, and nothing happens after it.
void ends() {
  const Where where = std::make_shared<Location>(Location{0});
  Side<double> side(options_of(kSets[4]), kObjectives[0], where);
  for (auto& h : side.problem.g) h = 0.0;
  side.problem.f = -1.0;
  side.told();
  side.search->propose_async();
  side.search->judge_async({-1e9}, side.g.tensor());
  CHECK_EQUAL(side.search->accepted(), std::int64_t{1});
  CHECK(side.search->converged(0.0));
  const State before = side.state();
  side.search->judge_async({-1e10}, side.g.tensor());
  CHECK(difference(side.state(), before, 0).empty());
  CHECK_THROWS(mdbopt::Error, "propose: the search has ended", side.search->propose());
}

// Each kind of judgement takes over from the other, on streams by turns.
void kinds_by_turns(const std::string& name, const Options& options) {
  const Where where = std::make_shared<Location>(Location{0});
  const Where other = std::make_shared<Location>(Location{0, reinterpret_cast<void*>(2)});
  for (const Objective& objective : kObjectives) {
    Side<float> cpu(options, objective, nullptr);
    Side<float> there(options, objective, where);
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
          << name << ", " << objective.name << ", by turns, step " << k << ':' << differs << '\n';
      return;
    }
  }
}

void saved_and_loaded(Options options) {
  const Where where = std::make_shared<Location>(Location{0});
  Side<double> there(options, kObjectives[1], where);
  for (int k = 0; k < 11; ++k) there.step_later();
  State saved = there.state();
  saved.load = true;
  options.execution.location = *where;
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
  const Where where = std::make_shared<Location>(Location{0});
  const Options box = options_of(kSets[0]);
  Side<double> here(box, kObjectives[0], nullptr);
  here.search->propose();
  CHECK_THROWS(mdbopt::Error, "wait: expected True for arrays on the CPU, got False",
               here.search->judge_async({1.0}, here.g.tensor()));
  here.step();  // this costs nothing
  const auto unborn = make(box);
  CHECK_THROWS(mdbopt::Error, "judge: the search has no point yet", unborn->judge_async({}, {}));
  Side<double> side(box, kObjectives[0], where);
  Tensor g = side.g.tensor();
  g.size -= 1;
  CHECK_THROWS(mdbopt::Error, "g: expected 1030 elements (as x), got 1029",
               side.search->judge_async({1.0}, g));
}

}  // namespace

// With an argument, for tools that slow every launch down: fewer steps.
int main(int count, char**) {
  if (const std::string why = mdbopt::no_device_because(); !why.empty()) {
    std::cerr << "skipped: " << why << '\n';
    return 77;
  }
  const bool brief = count > 1;
  Seen of_sets, of_guarded;
  every_set(brief, of_sets);
  every_guarded(brief, of_guarded);
  answers(brief);
  ends();
  Options options;
  options.memory = 6;
  kinds_by_turns("guarded", options);
  saved_and_loaded(options);
  options = options_of(kSets[0]);
  options.forward = 0x1p60;
  kinds_by_turns("box", options);
  saved_and_loaded(options_of(kSets[2]));
  refusals();
  CHECK_EQUAL(device_library().allocated(0), std::size_t{0});
  return check::result();
}
