// judged – judgements that are decided on a device beside those that the host decides, there and on the
// CPU.
#pragma once

#include "sides.h"

struct Seen {
  std::int64_t accepted = 0, cut = 0, more = 0;
};

template <class T>
void same_judgements(const std::string& name, const Options& options, const Objective& objective,
                     int steps, Seen& seen) {
  const Where where = std::make_shared<Location>(Location{0});
  Side<T> cpu(options, objective, nullptr);
  Side<T> waiting(options, objective, where);
  Side<T> later(options, objective, where);
  const void* trial = later.search->propose_async().data();
  std::int64_t more = 0;
  for (int k = 0; k < steps && !cpu.search->converged(0.0); ++k) {
    cpu.step();
    waiting.step();
    more += later.step_later_to_a_finite_trial();
    const State state = later.state();
    std::string differs = difference(state, cpu.state(), more);
    if (differs.empty()) differs = difference(state, waiting.state(), more);
    if (differs.empty() && step_sizes(*later.search) != step_sizes(*cpu.search)) {
      differs = " step sizes";
    }
    if (later.search->converged(0.0) != cpu.search->converged(0.0)) differs += " converged";
    if (differs.empty()) continue;
    check::fail(__FILE__, __LINE__)
        << name << ", " << objective.name << ", " << info(Problem<T>::kDtype).name << ", step " << k
        << ':' << differs << '\n';
    return;
  }
  CHECK(later.search->propose_async().data() == trial);
  seen.accepted += cpu.search->accepted();
  seen.cut += cpu.search->ncut();
  seen.more += more;
}

// What an objective answers: its own f with this added, its own g times that.
struct Answer {
  double f, g;
};
inline constexpr Answer kUsual = {0.0, 1.0};
inline constexpr Answer kFarBetter = {-1e7, 1.0};
// Gradients that keep no promise of a next point: too large, and too small to square.
inline constexpr Answer kTooSteep = {-1e7, 1e70};
inline constexpr Answer kTooFlat = {-1e7, 1e-250};
// Of which no step moves x.
inline constexpr Answer kVanished = {-1e7, 1e-318};

// A search that is told the same on the CPU and, without waiting, on a device.
inline void told(const std::string& name, const Options& options, const std::string& what,
                 const std::vector<Answer>& answers) {
  const Where where = std::make_shared<Location>(Location{0});
  Side<double> cpu(options, kObjectives[0], nullptr);
  Side<double> later(options, kObjectives[0], where);
  std::int64_t more = 0;
  for (std::size_t k = 0; k < answers.size(); ++k) {
    for (Side<double>* side : {&cpu, &later}) {
      side->problem.at(side == &cpu ? side->search->propose() : side->search->propose_async());
      side->problem.f += answers[k].f;
      for (double& g : side->problem.g) g *= answers[k].g;
      side->told();
    }
    cpu.search->judge(cpu.problem.f, cpu.g.tensor());
    more += later.judge_async_to_a_finite_trial(later.f_there());
    const std::string differs = difference(later.state(), cpu.state(), more);
    if (differs.empty()) continue;
    check::fail(__FILE__, __LINE__)
        << name << ", " << what << ", answer " << k << ':' << differs << '\n';
    return;
  }
}

inline void every_answer(const std::string& name, const Options& options) {
  const auto tell = [&](const std::string& what, const std::vector<Answer>& answers) {
    told(name, options, what, answers);
  };
  tell("too steep", {kUsual, kTooSteep, kUsual, kTooSteep, kTooSteep, kUsual, {1e7, 1e70}, kUsual});
  tell("not finite",
       {{kNaN, 1.0}, kUsual, {kInfinity, kInfinity}, kUsual, {-kInfinity, 1.0}, {-1e7, kNaN}});
  tell("too flat", {kUsual, kFarBetter, kTooFlat});
  tell("too flat on the way down", {kUsual, {-kInfinity, 1.0}, kTooFlat});
  tell("vanished", {kUsual, kFarBetter, kVanished});
  tell("vanished on the way down", {kUsual, {-kInfinity, 1.0}, kVanished});
  tell("no minimum", std::vector<Answer>(30, {-kInfinity, 1.0}));
}
