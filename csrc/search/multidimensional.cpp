// multidimensional – judging a candidate and keeping its set.
#include "multidimensional.h"

#include <cmath>

namespace mdbopt::search {
namespace {

constexpr double kGrowth = 1.1;  // the growth after an accepted step in the paper's experiments
constexpr double kSeekGrowth = 10.0;
// The first set reaches this far beyond the step that the scalar search found; cuts are cheap,
// growth is slow.
constexpr double kSetOverStep = 100.0;
// Quarterings that take any finite step size below the smallest one.
constexpr int kMostShrinks = 1100;

}  // namespace

void Multidimensional::allocate_more() {
  set_ = std::make_unique<Set>(options_, options_.method, walks_);
  Options one = options_;
  one.gamma = 1.0;
  seeker_ = std::make_unique<Set>(one, "backtracking", walks_);
  spare_x_ = walks_.zeros();
  spare_g_ = walks_.zeros();
  if (std::isnan(options_.forward)) options_.forward = kGrowth;
}

void Multidimensional::start() {
  set_->set_gradient_scale(now_.scale);
  seeker_->set_gradient_scale(now_.scale);
  if (std::isnan(options_.initial_scale)) {
    static const std::size_t norm = find_rule("norm");
    double sums[kMaxSums];
    walks_.run(norm, {g_.data()}, {now_.scale}, sums);
    seeking_ = 1;
    seeker_->resize(1.0 / std::sqrt(sums[0]));
  } else {
    set_->resize(options_.initial_scale / now_.scale);
  }
  proposal_ = active().propose(x_, g_, trial_);
  // A first set too small to move x at all: growing it costs no evaluation.
  for (int grown = 0; proposal_.moved == 0.0 && grown < kMostShrinks; ++grown) {
    active().grow(kSeekGrowth);
    proposal_ = active().propose(x_, g_, trial_);
  }
  settle();
}

// Shrinks until the trial is finite; ends when it no longer differs from x.
void Multidimensional::settle() {
  for (int shrinks = 0; !proposal_.finite() && shrinks < kMostShrinks; ++shrinks) {
    active().grow(kQuarter);
    proposal_ = active().propose(x_, g_, trial_);
  }
  search::settle(now_, proposal_, limits_);
}

void Multidimensional::fail_trial() {
  if (seeking_ != 0) seek_rejected_ = 1;
  active().grow(kQuarter);
  proposal_ = active().propose(x_, g_, trial_);
  settle();
}

bool Multidimensional::keeps_promise(double f, const Tensor& g, std::optional<Secant>& secant) {
  if (!noise(f)) return search::keeps_promise(now_, proposal_, f);
  secant = active().secant(g_, g);
  return search::keeps_promise(now_, *secant);
}

bool Multidimensional::judge_trial(double f, const Tensor& g) {
  std::optional<Secant> secant;  // a walk that an accepted trial outside of the noise is spared
  const bool kept = keeps_promise(f, g, secant);
  if (!kept && !secant) secant = active().secant(g_, g);
  measure_noise(now_, f, -proposal_.decrease, secant ? -secant->slope : kUnknownSlope);
  if (kept) return accept(f, g);
  now_.trial_gmax = secant->gmax;
  if (out_of_range(f, secant->gmax, kHuge))
    fail_trial();
  else
    reject(f, g, *secant);
  return false;
}

bool Multidimensional::accept(double f, const Tensor& g) {
  const std::int64_t was_seeking = seeking_;
  double growth = 1.0;
  if (seeking_ == 0) {
    growth = options_.forward;
  } else if (seek_rejected_ == 0) {
    growth = kSeekGrowth;
  } else {
    seeking_ = 0;
    set_->resize(kSetOverStep * seeker_->extent().growth);
  }
  active().grow(growth);
  Proposal next = active().propose(trial_, g, spare_x_, spare_g_);
  now_.trial_gmax = next.gmax;
  if (out_of_range(f, next.gmax, kHuge)) {
    seeking_ = was_seeking;
    active().grow(1.0 / growth);
    fail_trial();
    return false;
  }
  x_.swap(trial_);
  trial_.swap(spare_x_);
  g_.swap(spare_g_);
  now_.gmax = next.gmax;
  proposal_ = next;
  settle();
  return true;
}

void Multidimensional::reject(double f, const Tensor& g, const Secant& secant) {
  if (seeking_ != 0) {
    seek_rejected_ = 1;
    const double minimiser = proposal_.decrease / secant.curvature;
    seeker_->grow(is_finite(minimiser) ? clamped(minimiser, 0.1, kHalf) : kHalf);
    proposal_ = seeker_->propose(x_, g_, trial_);
    return settle();
  }
  const double nu = excluding(now_, proposal_, secant, f, options_.cocoercive, limits_);
  if (nu > 0.0 && set_->cut(x_, g_, g, secant, nu, trial_, proposal_)) {
    ++now_.ncut;
  } else {
    set_->grow(kHalf);
    proposal_ = set_->propose(x_, g_, trial_);
  }
  settle();
}

void Multidimensional::step_sizes(double* out) const {
  here();
  (seeking_ != 0 ? seeker_ : set_)->step_sizes(out);
}

void Multidimensional::fields(Fields& fields) {
  Search::fields(fields);
  fields.count("seeking", seeking_, 0, 1);
  fields.count("seek_rejected", seek_rejected_, 0, 1);
  fields.number("decrease", proposal_.decrease, of_trial(fields, kNotNegative));
  const Range& range = while_running(kNotNegative);
  seeker_->fields(fields, "seeker_", now_.scale, range);
  set_->fields(fields, "set_", now_.scale, range);
}

void Multidimensional::loaded() {
  proposal_.gmax = now_.gmax;
  proposal_.moved = now_.moved;
  if (!ended(now_) && !proposal_.finite()) settle();
}

}  // namespace mdbopt::search
