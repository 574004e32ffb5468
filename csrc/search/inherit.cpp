// inherit – the start of a guarded search from what an earlier one has learnt. docs/paths.md says what
// of it is exact.
#include <mdbopt/error.h>

#include <algorithm>
#include <string>

#include "../runtime/device.h"
#include "guarded.h"

namespace mdbopt::search {
namespace {

// The box is made this many times larger where nothing is known of the new objective: p* stays in it
// unless a curvature has become smaller by more than that.
constexpr double kUnknownChange = 100.0;
// A pair is left out where its new curvature is what is left of digits that cancel: pairs are float32.
constexpr double kDigits = 0x1p-18;

// The coefficients as an array, and none for the array that the caller has.
Buffer filled_with(const Ridge& ridge, const RuleRunner& runner) {
  if (ridge.each == nullptr) return runner.filled(ridge.number);
  Buffer copy = runner.zeros(Dtype::kFloat64);
  copy.write(ridge.each->data);
  return copy;
}

}  // namespace

void Guarded::inherit(const Heritage& heritage) {
  auto& earlier = static_cast<Guarded&>(*heritage.earlier);  // as its method says
  earlier.catch_up();
  if (earlier.there_ != nullptr) earlier.image_.read(*earlier.there_);  // its tables by slot
  const Guarding& old = earlier.control_.guard;
  if (!(old.growth > 0.0)) return;  // its box was never opened: it has learnt nothing
  if (lies_on_device()) device_library().order(earlier.location(), location());
  const Buffer before = filled_with(heritage.before, runner_);
  const Buffer now = filled_with(heritage.now, runner_);
  Guarding& guard = control_.guard;
  const double scale = control_.now.scale;
  const double unit = earlier.control_.now.scale / scale;  // both are powers of two
  set_growth(guard, old.growth * unit * (heritage.known ? 1.0 : kUnknownChange));
  static const std::size_t carry = find_rule("carry_box");
  runner_.run(carry, {earlier.b_.data(), before.data(), now.data(), b_.data()},
              {std::min(guard.growth * scale, kLargestNumber)});
  guard.state = kDirection;  // there is no first step
  // Pairs within bounds see their face alone.
  if (proposer_->inherits() && !bounded() && !earlier.bounded()) take_pairs(earlier, before, now);
}

// The oldest first, in the first slots.
void Guarded::take_pairs(Guarded& earlier, const Buffer& before, const Buffer& now) {
  static const std::size_t carry = find_rule("carry_pair");
  static const std::size_t learn = find_rule("learn");
  const double scale = control_.now.scale;
  const double unit = scale / earlier.control_.now.scale;
  Pairs& from = earlier.pairs_;
  double sums[kMaxSums];
  std::size_t kept = 0;
  for (std::size_t k = std::min(from.count(), pairs_.most()); k-- > 0;) {
    const std::size_t slot = from.slot(k);
    const double s_scale = from.scale(slot);
    runner_.run(
        carry,
        {from.s(slot), from.y(slot), before.data(), now.data(), pairs_.s(kept), pairs_.y(kept)},
        {unit, scale / s_scale}, sums);
    if (!(sums[0] > kDigits * sums[1]) || !is_finite(sums[1])) continue;
    // What H₀ is where the pair is the newest; a cut of 0 leaves the box as it is.
    double fits[kMaxSums];
    runner_.run(learn, {pairs_.s(kept), pairs_.y(kept), b_.data()}, {0.0, 1.0, 0.0}, fits);
    if (!control_.metric.fit(fit_of(fits), sums[0], s_scale)) continue;
    pairs_.curvature(kept) = sums[0];
    pairs_.scale(kept) = s_scale;
    ++kept;
  }
  pairs_.adopt(kept);
  if (kept > 0) proposer_->inherit(pairs_, runner_, g_.data(), scale);
}

}  // namespace mdbopt::search
