// guarded_next – what the guarded search tries next: a first step, a direction, a longer step, a plain
// step; and the size of its box.
#include <cmath>

#include "guarded.h"

namespace mdbopt::search {

void Guarded::rescale() {
  // As in Set: cuts lower single step sizes, growth lowers none.
  static const std::size_t rule = find_rule("rescale");
  walks_.run(rule, {b_.data()}, {kFolding[0], kFolding[1]});
}

void Guarded::grow(double factor) {
  if (search::grow(guard_, metric_, factor)) rescale();
}

bool Guarded::go_on() {
  if (guard_.reopening != 0) {
    reopen();
    return true;
  }
  if (is_finite(now_.moved)) return false;
  if (guard_.state == kPlain) grow(kShorter);
  next(after_overshoot(guard_));
  return true;
}

void Guarded::next(Next next) {
  switch (next) {
    case Next::kFirst:
      return first();
    case Next::kDirection:
      return direct();
    case Next::kAlong:
      return along();
    case Next::kCoast:
      return coast();
    case Next::kPlain:
      return plain();
    case Next::kNone:
      if (guard_.reopening != 0) reopen();
      return;
  }
}

void Guarded::reopen() {
  static const std::size_t rule = find_rule("rescale");
  walks_.run(rule, {b_.data()}, {kReopening, kFolding[1]});
  pairs_.forget();
  proposer_->reset();
  delta_.clear();
  search::reopen(guard_, now_);
  first();
}

void Guarded::first() {
  static const std::size_t rule = find_rule("gradient_trial");
  double sums[kMaxSums];
  for (;; guard_.t *= kShorter) {
    if (!(guard_.t > 0.0)) return plain();
    walks_.run(rule, {x_.data(), g_.data(), trial_.data()},
               {guard_.t * guard_.unit_step, now_.scale}, sums);
    if (std::isfinite(sums[2])) break;
  }
  now_.moved = sums[2];
  if (too_short(now_.moved)) plain();
}

void Guarded::direct() {
  if (pairs_.count() == 0) return plain();
  const Proposer::Last last =
      proposer_->direction({walks_, g_, b_, now_.scale, pairs_, metric_, delta_}, chain_);
  begin_direction(guard_);
  step_along(chain_);
  const double slope = chain_.sum(last.slope_link, 0) * last.slope_scale;
  if (!downhill(slope)) {
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
  const std::size_t link = chain.add(rule, {x_.data(), delta_.data(), trial_.data()}, {guard_.t});
  walks_.run(chain);
  now_.moved = chain.sum(link, 0);
}

void Guarded::along() {
  for (;; guard_.t *= kShorter) {
    if (!(guard_.t > 0.0)) return plain();  // delta itself is not finite
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
  begin_direction(guard_);
  along();
}

void Guarded::plain() {
  static const std::size_t rule = find_rule("box_trial");
  begin_plain(guard_);
  double sums[kMaxSums];
  for (;; grow(kShorter)) {
    if (!(guard_.growth > 0.0)) return end(Status::kPrecision);
    walks_.run(rule, {x_.data(), g_.data(), b_.data(), trial_.data()},
               {facts_.gamma * guard_.growth, now_.scale}, sums);
    if (std::isfinite(sums[2]) && std::isfinite(sums[0])) break;
  }
  now_.moved = sums[2];
  settle_plain(guard_, now_, sums[0], limits_);
  if (guard_.reopening != 0) reopen();
}

}  // namespace mdbopt::search
