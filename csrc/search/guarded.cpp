// guarded – the state machine: first step, then directions and, when they owe it, plain steps.
#include "guarded.h"

#include <algorithm>
#include <cmath>

namespace mdbopt::search {
namespace {

constexpr double kArmijo = 1e-4;          // the share of its slope's promise a step must win
constexpr std::int64_t kTries = 5;        // trial points of one direction before a plain step
constexpr std::int64_t kFirstTries = 60;  // trial points of the first step
constexpr std::int64_t kMostTries = 600;  // quarterings that take any first step to nothing
constexpr std::int64_t kWindow = 10;      // accepted steps between two settlements of the guard
constexpr double kStraight = 0.5;         // cubic over secant: a try this straight teaches
constexpr double kForward = 1.1;  // growth of the box after a plain step that kept its promise
constexpr double kDirectionShare = 0.2;  // of that growth, after a step of the proposer
constexpr double kHuge = 1e30;           // over the first gradient: out of a float32 pair's range
constexpr double kQuarter = 0.25;
constexpr double kRounding = 1.0 - 0x1p-22;  // keeps a cut by a float32 y on the safe side

struct LineMinimiser {
  double cubic, secant;
};

// Minimisers on (0, t] of the cubic through (0, 0) and (t, df) with slopes d0 < 0 and d1, and of
// the parabola with those slopes.
LineMinimiser line_minimiser(double t, double d0, double df, double d1) {
  const double secant = d1 > d0 ? t * d0 / (d0 - d1) : 0.0;
  const double a = d0 + d1 - 3.0 * df / t;
  const double root = std::sqrt(a * a - d0 * d1);
  const double cubic = t * (1.0 - (d1 + root - a) / (d1 - d0 + 2.0 * root));
  return {cubic > 0.0 ? std::min(cubic, t) : secant, secant};
}

double within(double t_new, double t) { return std::clamp(t_new, 0.1 * t, 0.7 * t); }

}  // namespace

Guarded::Guarded(const Options& options) : Search(options) {
  if (std::isnan(options_.forward)) options_.forward = kForward;
  make_proposer(options.proposer, options.memory, {});
}

void Guarded::allocate_more() {
  if (!options_.groups.empty()) groups_ = Groups(options_.groups, walks_.where());
  b_ = walks_.filled(1.0);
  delta_ = walks_.zeros();
  spare_g_ = walks_.zeros();
  if (!groups_.empty() || !options_.cocoercive) normal_ = walks_.zeros(Dtype::kFloat64);
  if (!groups_.empty()) sums_ = walks_.of(groups_.count(), Dtype::kFloat64).zeros();
  const std::size_t memory = options_.proposer == "lbfgs" ? options_.memory : 1;
  pairs_ = Pairs(memory, walks_);
  proposer_ = make_proposer(options_.proposer, memory, walks_);
  const double d = static_cast<double>(groups_.empty() ? walks_.size : groups_.count());
  gamma_ = std::isnan(options_.gamma) ? 1.0 / (2.0 * d) : options_.gamma;
}

void Guarded::start() {
  static const std::size_t norm = find_rule("norm");
  double sums[kMaxSums];
  walks_.run(norm, {x_.data()}, {1.0}, sums);
  const double xmax = sums[1];
  walks_.run(norm, {g_.data()}, {now_.scale}, sums);
  // Length 1, unless x is so far out that 1 is lost in it.
  unit_step_ =
      std::clamp(std::sqrt(epsilon_of(x_.dtype())) * xmax, 1.0, 1e150) / std::sqrt(sums[0]);
  if (!std::isnan(options_.initial_scale)) {
    set_growth(options_.initial_scale / now_.scale *
               static_cast<double>(groups_.empty() ? x_.size() : groups_.count()));
  }
  first();
}

Guarded::Trial Guarded::measure(double f, const Tensor& g) {
  static const std::size_t pair = find_rule("pair");
  const double s_scale = std::ldexp(1.0, -std::clamp(std::ilogb(now_.moved), -1000, 1000));
  chain_.clear();
  chain_.add(pair,
             {x_.data(), trial_.data(), g_.data(), g.data, pairs_.next_s().data(),
              pairs_.next_y().data(), spare_g_.data()},
             {now_.scale, s_scale});
  proposer_->measure(chain_, pairs_, now_.scale, spare_g_);
  walks_.run(chain_);
  pairs_.written(s_scale);
  const auto sum = [&](std::size_t k) { return chain_.sum(0, k); };
  proposer_->measured(chain_, pairs_, sum(5), sum(6));
  Trial trial{f,      f - now_.f, sum(0), sum(1),
              sum(2), sum(7),     sum(4), sum(2) > epsilon_of(x_.dtype()) * sum(3)};
  if (noise(f)) trial.difference = 0.5 * (trial.gs + trial.gs_trial);
  return trial;
}

bool Guarded::wins(const Trial& trial) const {
  return trial.gs < 0.0 && trial.difference <= kArmijo * trial.gs && no_worse_than_start();
}

bool Guarded::judge_trial(double f, const Tensor& g) {
  const Trial trial = measure(f, g);
  now_.trial_gmax = trial.gmax;
  if (out_of_range(f, trial.gmax, kHuge)) {
    fail_trial();
    return false;
  }
  if (growth_ == 0.0) open_box(t_ * unit_step_);
  return state_ == kPlain ? judge_plain(trial, g) : judge_direction(trial);
}

bool Guarded::judge_direction(const Trial& trial) {
  if (trial.curved) fit_ = learn(options_.cocoercive ? kRounding * growth_ / trial.sy : 0.0);
  if (wins(trial)) return move(trial, false, false);
  ++tries_;
  const LineMinimiser best =
      line_minimiser(t_, trial.gs / t_, trial.difference, trial.gs_trial / t_);
  if (state_ == kFirst) {
    t_ = within(best.cubic, t_);
    if (tries_ >= kFirstTries)
      plain();
    else
      first();
  } else if (tries_ >= kTries) {
    plain();
  } else if (proposer_->relearns() && trial.curved && best.cubic >= kStraight * best.secant) {
    remember(trial);
    direct();
  } else {
    t_ = within(best.cubic, t_);
    along();
  }
  return false;
}

bool Guarded::judge_plain(const Trial& trial, const Tensor& g) {
  const bool kept = trial.difference <= 0.5 * trial.gs;
  double cut = 0.0;
  if (kept) {
    if (trial.curved && options_.cocoercive) cut = kRounding * growth_ / trial.sy;
    if (trial.curved) fit_ = learn(cut);
  } else {
    const double nu =
        normaliser(now_.f, trial.f, -trial.gs_trial, trial.sy, options_.cocoercive, limits_);
    if (trial.curved && nu > 0.0) cut = kRounding * growth_ / nu;
    if (trial.curved) fit_ = options_.cocoercive ? learn(cut) : learn_hypergradient(g, cut);
    if (trial.curved && fit_.deepest >= 2.0)
      ++now_.ncut;
    else
      grow(0.5);
  }
  if (wins(trial)) {
    plain_fails_ = 0;
    return move(trial, true, kept);
  }
  if (trial.curved) remember(trial);
  plain_failed();
  return false;
}

bool Guarded::move(const Trial& trial, bool by_plain, bool kept) {
  if (trial.curved) remember(trial);
  proposer_->moved(t_, by_plain);
  x_.swap(trial_);
  g_.swap(spare_g_);
  now_.gmax = trial.gmax;
  now_.f = trial.f;
  tries_ = 0;
  if (now_.gmax == 0.0) return true;
  if (kept)
    grow(options_.forward);
  else if (!by_plain)
    grow(1.0 + kDirectionShare * (options_.forward - 1.0));
  if (overdue(trial, by_plain, kept))
    plain();
  else if (!trial.curved && !by_plain && trial.gs_trial <= trial.gs)
    coast();
  else
    direct();
  return true;
}

// One settlement per window: what its steps won against as many plain promises from where it ended.
bool Guarded::overdue(const Trial& trial, bool by_plain, bool kept) {
  static const std::size_t decrease = find_rule("decrease");
  ++window_steps_;
  window_won_ -= trial.difference;
  if (kept) ++window_kept_;
  if (window_steps_ < kWindow) return false;
  double sums[kMaxSums];
  walks_.run(decrease, {g_.data(), b_.data()}, {now_.scale}, sums);
  const double promise = 0.5 * gamma_ * growth_ * sums[0];
  if (window_won_ >= static_cast<double>(kWindow) * promise || window_kept_ >= kWindow) {
    window_steps_ = window_kept_ = 0;
    window_won_ = 0.0;
    return false;
  }
  return !by_plain;
}

void Guarded::fail_trial() {
  ++tries_;
  if (state_ == kPlain) {
    grow(kQuarter);
    return plain_failed();
  }
  t_ *= kQuarter;
  if (tries_ >= (state_ == kFirst ? kMostTries : 2 * kTries))
    plain();
  else if (state_ == kFirst)
    first();
  else
    along();
}

Fit Guarded::learn(double cut) {
  static const std::size_t rule = find_rule("learn");
  static const std::size_t rule_from = find_rule("learn_from");
  static const std::size_t pair_normal = find_rule("pair_normal");
  double sums[kMaxSums];
  void* s = pairs_.next_s().data();
  void* y = pairs_.next_y().data();
  if (groups_.empty()) {
    walks_.run(rule, {s, y, b_.data()}, {cut}, sums);
  } else {
    walks_.run(pair_normal, {y, normal_.data()}, {});
    groups_.sum(normal_, sums_, *walks_.execution);
    groups_.spread(sums_, normal_, *walks_.execution);
    walks_.run(rule_from, {s, y, normal_.data(), b_.data()}, {cut}, sums);
  }
  return {{sums[0], sums[1], sums[2]}, {sums[3], sums[4], sums[5]}, sums[6]};
}

Fit Guarded::learn_hypergradient(const Tensor& g, double cut) {
  static const std::size_t rule_from = find_rule("learn_from");
  static const std::size_t hypergradient = find_rule("hypergradient");
  walks_.run(hypergradient, {g_.data(), g.data, normal_.data()}, {now_.scale, 0.0});
  if (!groups_.empty()) {
    groups_.sum(normal_, sums_, *walks_.execution);
    groups_.spread(sums_, normal_, *walks_.execution);
  }
  double sums[kMaxSums];
  walks_.run(rule_from, {pairs_.next_s().data(), pairs_.next_y().data(), normal_.data(), b_.data()},
             {cut}, sums);
  return {{sums[0], sums[1], sums[2]}, {sums[3], sums[4], sums[5]}, sums[6]};
}

void Guarded::remember(const Trial& trial) {
  if (!(trial.sy_stored > 0.0) || !metric_.fit(fit_, trial.sy_stored, pairs_.last_scale())) return;
  proposer_->learn(fit_, trial.sy, metric_, pairs_);
  pairs_.keep(trial.sy_stored);
}

void Guarded::step_sizes(double* out) const {
  // Before the first finite trial has opened the box, the first step is all that is known.
  const double factor = now_.scale * (growth_ > 0.0 ? gamma_ * growth_ : unit_step_);
  static const std::size_t scaled = find_rule("scaled");
  walks_.of(walks_.size, Dtype::kFloat64).run(scaled, {b_.data(), out}, {factor});
}

void Guarded::fields(Fields& fields) {
  Search::fields(fields);
  fields.count("state", state_);
  fields.number("t", t_);
  fields.count("tries", tries_);
  fields.count("plain_fails", plain_fails_);
  fields.number("unit_step", unit_step_);
  fields.number("set_growth", growth_);
  fields.number("largest_growth", largest_growth_);
  fields.count("window_steps", window_steps_);
  fields.count("window_kept", window_kept_);
  fields.number("window_won", window_won_);
  fields.array("set_b", b_);
  fields.array("delta", delta_);
  pairs_.fields(fields);
  metric_.fields(fields);
  proposer_->fields(fields);
}

}  // namespace mdbopt::search
