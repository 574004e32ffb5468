// guarded – the state machine: first step, then directions and, when they owe it, plain steps.
#include "guarded.h"

#include <algorithm>
#include <cmath>

namespace mdbopt::search {
namespace {

constexpr double kForward = 1.1;  // growth of the box after a plain step that kept its promise

}  // namespace

Guarded::Guarded(const Options& options) : Search(options) {
  if (std::isnan(options_.forward)) options_.forward = kForward;
  make_proposer(options.proposer, {});
}

void Guarded::allocate_more() {
  if (!options_.groups.empty()) groups_ = Groups(options_.groups, walks_.where());
  b_ = walks_.filled(1.0);
  delta_ = walks_.zeros();
  spare_g_ = walks_.zeros();
  if (!groups_.empty() || !options_.cocoercive) normal_ = walks_.zeros(Dtype::kFloat64);
  if (!groups_.empty()) sums_ = walks_.of(groups_.count(), Dtype::kFloat64).zeros();
  const std::size_t asked = options_.memory == 0 ? auto_memory(walks_.size) : options_.memory;
  pairs_ = Pairs(options_.proposer == "lbfgs" ? asked : 1, walks_);
  proposer_ = make_proposer(options_.proposer, walks_);
  proposer_->follow(pairs_.ring());
  const double d = static_cast<double>(groups_.empty() ? walks_.size : groups_.count());
  facts_.limits = limits_;
  facts_.gamma = std::isnan(options_.gamma) ? 1.0 / (2.0 * d) : options_.gamma;
  facts_.forward = options_.forward;
  facts_.cocoercive = options_.cocoercive;
}

void Guarded::start() {
  static const std::size_t norm = find_rule("norm");
  double sums[kMaxSums];
  walks_.run(norm, {x_.data()}, {1.0}, sums);
  const double xmax = sums[1];
  walks_.run(norm, {g_.data()}, {now_.scale}, sums);
  // Length 1, unless x is so far out that 1 is lost in it.
  guard_.first_step =
      std::clamp(std::sqrt(limits_.epsilon) * xmax, 1.0, 1e150) / std::sqrt(sums[0]);
  guard_.unit_step = guard_.first_step;
  if (!std::isnan(options_.initial_scale)) {
    set_growth(guard_, options_.initial_scale / now_.scale *
                           static_cast<double>(groups_.empty() ? x_.size() : groups_.count()));
  }
  first();
}

Measured Guarded::measure(double f, const Tensor& g) {
  static const std::size_t pair = find_rule("pair");
  const double s_scale = unit_over(now_.moved);
  chain_.clear();
  chain_.add(pair,
             {x_.data(), trial_.data(), g_.data(), g.data, pairs_.next_s().data(),
              pairs_.next_y().data(), spare_g_.data()},
             {now_.scale, s_scale});
  proposer_->measure(chain_, pairs_, now_.scale, spare_g_);
  walks_.run(chain_);
  pairs_.written(s_scale);
  double sums[kMaxSums];
  for (std::size_t k = 0; k < kPairSums; ++k) sums[k] = chain_.sum(0, k);
  proposer_->measured(chain_, pairs_, sums[5], sums[6]);
  return measured(now_, f, sums, limits_);
}

bool Guarded::judge_trial(double f, const Tensor& g) {
  const Measured trial = measure(f, g);
  now_.trial_gmax = trial.gmax;
  measure_noise(now_, f, trial.gs, trial.gs_trial);
  if (out_of_range(f, trial.gmax, kTooSteep)) {
    fail_trial();
    return false;
  }
  open_box(guard_, guard_.t * guard_.unit_step);
  return guard_.state == kPlain ? judge_plain(trial, g) : judge_direction(trial);
}

bool Guarded::judge_direction(const Measured& trial) {
  Fit fit{};
  if (learns(guard_, now_, trial)) fit = learn(trial);
  if (wins(now_, trial)) {
    if (trial.curved) remember(trial, fit);
    return move(trial, false);
  }
  const Next then = after_failure(guard_, trial, proposer_->relearns());
  if (then == Next::kDirection) remember(trial, fit);
  next(then);
  return false;
}

bool Guarded::judge_plain(const Measured& trial, const Tensor& g) {
  const bool promise_kept = kept(trial);
  Fit fit{};
  if (trial.curved) {
    fit = promise_kept || options_.cocoercive ? learn(trial) : learn_hypergradient(trial, g);
  }
  if (!promise_kept && break_promise(guard_, now_, metric_, trial, fit)) rescale();
  if (trial.curved) remember(trial, fit);
  if (wins(now_, trial)) return move(trial, promise_kept);
  next(after_plain_failure(guard_, now_));
  return false;
}

bool Guarded::move(const Measured& trial, bool promise_kept) {
  proposer_->moved(guard_.t, guard_.state == kPlain);
  x_.swap(trial_);
  g_.swap(spare_g_);
  arrive(guard_, now_, trial);
  if (now_.gmax == 0.0) return true;
  if (grow_after(guard_, metric_, promise_kept, options_.forward)) rescale();
  bool owes = false;
  if (count_step(guard_, trial, promise_kept)) {
    static const std::size_t decrease = find_rule("decrease");
    double sums[kMaxSums];
    walks_.run(decrease, {g_.data(), b_.data()}, {now_.scale}, sums);
    owes = overdue(guard_, sums[0], facts_.gamma);
  }
  next(after_step(guard_, trial, owes));
  return true;
}

void Guarded::fail_trial() {
  if (guard_.state == kPlain) grow(kShorter);
  next(after_hole(guard_, now_));
}

Fit Guarded::learn(const Measured& trial) {
  static const std::size_t rule = find_rule("learn");
  static const std::size_t rule_from = find_rule("learn_from");
  static const std::size_t pair_normal = find_rule("pair_normal");
  const Learning by = learning(guard_, now_, trial, facts_);
  double sums[kMaxSums];
  void* s = pairs_.next_s().data();
  void* y = pairs_.next_y().data();
  if (groups_.empty()) {
    walks_.run(rule, {s, y, b_.data()}, {by.cut, by.depth}, sums);
  } else {
    walks_.run(pair_normal, {y, normal_.data()}, {});
    groups_.sum(normal_, sums_, *walks_.execution);
    groups_.spread(sums_, normal_, *walks_.execution);
    walks_.run(rule_from, {s, y, normal_.data(), b_.data()}, {by.cut, by.depth}, sums);
  }
  return fit_of(sums);
}

Fit Guarded::learn_hypergradient(const Measured& trial, const Tensor& g) {
  static const std::size_t rule_from = find_rule("learn_from");
  static const std::size_t hypergradient = find_rule("hypergradient");
  walks_.run(hypergradient, {g_.data(), g.data, normal_.data()}, {now_.scale, 0.0});
  if (!groups_.empty()) {
    groups_.sum(normal_, sums_, *walks_.execution);
    groups_.spread(sums_, normal_, *walks_.execution);
  }
  const Learning by = learning(guard_, now_, trial, facts_);
  double sums[kMaxSums];
  walks_.run(rule_from, {pairs_.next_s().data(), pairs_.next_y().data(), normal_.data(), b_.data()},
             {by.cut, by.depth}, sums);
  return fit_of(sums);
}

void Guarded::remember(const Measured& trial, const Fit& fit) {
  if (!(trial.sy_stored > 0.0) || !metric_.fit(fit, trial.sy_stored, pairs_.last_scale())) return;
  proposer_->learn(fit, trial.sy, metric_, pairs_);
  pairs_.keep(trial.sy_stored);
  proposer_->follow(pairs_.ring());
}

void Guarded::step_sizes(double* out) const {
  here();
  // Before the first finite trial has opened the box, the first step is all that is known.
  const double factor =
      now_.scale * (guard_.growth > 0.0 ? facts_.gamma * guard_.growth : guard_.unit_step);
  static const std::size_t scaled = find_rule("scaled");
  walks_.of(walks_.size, Dtype::kFloat64).run(scaled, {b_.data(), out}, {factor});
}

void Guarded::fields(Fields& fields) {
  Search::fields(fields);
  const std::int64_t judged = now_.evaluations - 1;
  fields.word("proposer", options_.proposer);
  fields.same("gamma", facts_.gamma);
  fields.count("state", guard_.state, kFirst, kPlain);
  fields.number("t", guard_.t, kPositive);
  fields.count("tries", guard_.tries, 0, judged);
  fields.count("plain_fails", guard_.plain_fails, 0, judged);
  fields.number("unit_step", guard_.unit_step, kPositive);
  fields.number("first_step", guard_.first_step, kPositive);
  fields.number("set_growth", guard_.growth, kNotNegative);
  fields.number("largest_growth", guard_.largest_growth, kNotNegative);
  fields.count("window_steps", guard_.window_steps, 0, judged);
  fields.count("window_kept", guard_.window_kept, 0, guard_.window_steps);
  fields.number("window_won", guard_.window_won, kAnything);
  fields.count("reopened", guard_.reopened, -1, now_.gains);
  fields.count("reopening", guard_.reopening, 0, fields.judged_later() ? 1 : 0);
  fields.array("set_b", b_, kNotNegative);
  fields.array("delta", delta_, guard_.state == kDirection ? of_trial(fields, kFinite) : kAnything);
  pairs_.fields(fields);
  fields.count("metric_kind", metric_.kind, 0, 2);
  fields.number("metric_scale", metric_.scale, kNotNegative);
  proposer_->fields(fields, pairs_, judged);
}

void Guarded::loaded() {
  if (!ended(now_)) go_on();
}

}  // namespace mdbopt::search
