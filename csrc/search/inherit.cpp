// inherit – the start of a search from what an earlier one has learnt. docs/paths.md says what of it is
// exact.
#include <mdbopt/error.h>

#include <algorithm>
#include <string>

#include "../runtime/device.h"
#include "guarded.h"
#include "multidimensional.h"

namespace mdbopt::search {
namespace {

// A set is made this many times larger where nothing is known of the new objective: p* stays in it
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

// What a step size of the earlier search is multiplied by to be one of this.
double exchange_rate(double earlier_scale, double scale, const Heritage& heritage) {
  return earlier_scale / scale * (heritage.known ? 1.0 : kUnknownChange);  // powers of two
}

}  // namespace

void Multidimensional::inherit(const Heritage& heritage) {
  auto& earlier = static_cast<Multidimensional&>(*heritage.earlier);  // as its method says
  earlier.catch_up();
  const SetsControl& old = earlier.control_;
  if (old.seeking != 0 || old.now.gmax_start == 0.0) return;  // no set was opened
  if (lies_on_device()) device_library().order(earlier.location(), location());
  control_.seeking = 0;
  control_.growing = -1;  // it is no first set
  set_.inherit(earlier.set_, old.set.extent, heritage, control_.set.extent);
}

void Set::inherit(const Set& earlier, const Extent& old, const Heritage& heritage,
                  Extent& extent) const {
  const double growth = old.growth * exchange_rate(old.scale, extent.scale, heritage);
  extent.growth = std::clamp(growth, kSmallestGrowth, kLargestGrowth);
  const double unit = std::min(extent.growth * extent.scale, kLargestNumber);
  const Buffer before = filled_with(heritage.before, set_runner_);
  const Buffer now = filled_with(heritage.now, set_runner_);
  static const std::size_t carry_box = find_rule("carry_box");
  static const std::size_t carry_set = find_rule("carry_set");
  const auto carry = [&](const Buffer& from, const Buffer& to, double in_unit) {
    set_runner_.run(carry_box, {from.data(), before.data(), now.data(), to.data()}, {in_unit});
  };
  switch (facts_.kind) {
    case ShapeKind::kBox:
      return carry(earlier.set_, set_, unit);
    case ShapeKind::kSimplex:
    case ShapeKind::kEllipsoid: {
      // How many times its b, or axis, a single step size may be.
      const double reach = facts_.kind == ShapeKind::kSimplex ? facts_.dimension : 1.0;
      set_runner_.run(carry_set, {earlier.set_.data(), before.data(), now.data(), set_.data()},
                      {std::min(unit * reach, kLargestNumber), kUnknownChange});
      return;
    }
    case ShapeKind::kOneStepSize:
      break;
  }
  // One step size q for all: 1/q ≥ max(1/growth + min (l2_now − l2_before), max l2_now). The least
  // that carry_box makes of a coordinate's 1/b lies between the first of both and their maximum.
  constexpr double kRoom = 0x1p40;  // by which it may grow
  const RuleRunner wide = set_runner_.of(set_runner_.size, Dtype::kFloat64);
  static const std::size_t norm = find_rule("norm");
  const Buffer carried = set_runner_.zeros(Dtype::kFloat64);
  carry(set_runner_.filled(1.0 / kRoom), carried, std::min(unit * kRoom, kLargestNumber));
  double sums[kMaxSums];
  wide.run(norm, {carried.data()}, {1.0}, sums);
  const double without_floor = extent.growth * kRoom * sums[1];
  wide.run(norm, {now.data()}, {1.0}, sums);
  const double floor = extent.scale * sums[1];
  extent.growth = std::clamp(floor > 0.0 ? std::min(without_floor, 1.0 / floor) : without_floor,
                             kSmallestGrowth, kLargestGrowth);
}

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
  set_growth(guard, old.growth * exchange_rate(earlier.control_.now.scale, scale, heritage));
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
