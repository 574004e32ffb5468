// guarded_next – what the guarded search tries next: a first step, a direction, a longer step, a plain
// step; and the size of its box.
#include <algorithm>
#include <cmath>

#include "guarded.h"

namespace mdbopt::search {
namespace {

constexpr double kRoom = 1e10;  // first box over first step: cuts are free, growth is slow
constexpr double kCoast = 4.0;  // over a step that met no positive curvature
constexpr std::int64_t kPlainFails = 60;  // failed plain steps in a row: nothing will help
constexpr double kQuarter = 0.25;

}  // namespace

void Guarded::open_box(double step) { set_growth(kRoom * step); }

void Guarded::set_growth(double growth) {
  growth_ = std::min(growth, kLargestGrowth);
  largest_growth_ = growth_ * kFold;
}

void Guarded::grow(double factor) {
  growth_ *= factor;
  if (growth_ <= largest_growth_) return;
  // As in Set: cuts lower single step sizes, growth lowers none.
  static const std::size_t rescale = find_rule("rescale");
  walks_.run(rescale, {b_.data()}, {kFold, 1.0});
  metric_.box_rescaled(kFold);
  growth_ /= kFold;
}

void Guarded::first() {
  static const std::size_t rule = find_rule("gradient_trial");
  state_ = kFirst;
  double sums[kMaxSums];
  for (;;) {
    walks_.run(rule, {x_.data(), g_.data(), trial_.data()}, {t_ * unit_step_, now_.scale}, sums);
    if (std::isfinite(sums[2])) break;
    t_ *= kQuarter;
  }
  now_.moved = sums[2];
  if (too_short(now_.moved)) plain();
}

void Guarded::direct() {
  if (pairs_.count() == 0) return plain();
  const Proposer::Last last =
      proposer_->direction({walks_, g_, b_, now_.scale, pairs_, metric_, delta_}, chain_);
  state_ = kDirection;
  t_ = 1.0;
  step_along(chain_);
  const double slope = chain_.sum(last.slope_link, 0) * last.slope_scale;
  if (!(slope < 0.0) || !std::isfinite(slope)) {
    pairs_.forget();
    proposer_->reset();
    delta_.clear();
    return plain();
  }
  if (!std::isfinite(now_.moved))
    along();
  else if (too_short(now_.moved))
    plain();
}

// Adds the step to the walk that forms delta, and runs it.
void Guarded::step_along(Chain& chain) {
  static const std::size_t rule = find_rule("along");
  const std::size_t link = chain.add(rule, {x_.data(), delta_.data(), trial_.data()}, {t_});
  walks_.run(chain);
  now_.moved = chain.sum(link, 0);
}

void Guarded::along() {
  for (;; t_ *= kQuarter) {
    if (t_ == 0.0) return plain();  // delta itself is not finite
    chain_.clear();
    step_along(chain_);
    if (std::isfinite(now_.moved)) break;
  }
  if (too_short(now_.moved)) plain();
}

void Guarded::coast() {
  static const std::size_t along_pair = find_rule("coast");
  walks_.run(along_pair, {pairs_.last_s().data(), delta_.data()}, {kCoast / pairs_.last_scale()});
  proposer_->reset();
  state_ = kDirection;
  t_ = 1.0;
  along();
}

void Guarded::plain() {
  static const std::size_t rule = find_rule("box_trial");
  state_ = kPlain;
  t_ = 1.0;
  tries_ = 0;
  if (growth_ == 0.0) open_box(unit_step_);
  double sums[kMaxSums];
  for (;;) {
    walks_.run(rule, {x_.data(), g_.data(), b_.data(), trial_.data()},
               {gamma_ * growth_, now_.scale}, sums);
    if (std::isfinite(sums[2]) && std::isfinite(sums[0])) break;
    grow(kQuarter);
  }
  now_.moved = sums[2];
  if (too_short(now_.moved) || !(sums[0] > 0.0)) end(Status::kPrecision);
}

void Guarded::plain_failed() {
  if (++plain_fails_ >= kPlainFails)
    end(Status::kPrecision);
  else
    plain();
}

}  // namespace mdbopt::search
