// search – what all searches share: the start, the scale, the checks, and the bookkeeping around a
// judgement.
#include "search.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <string>

#include "../error.h"

namespace mdbopt::search {
namespace {

// Powers of two that keep both themselves and their reciprocals normal.
constexpr int kLargestExponent = 1000;
// An objective that has answered −inf this often is taken to have no minimum.
constexpr std::int64_t kInfiniteDescents = 30;
// As has one whose value, in units of the first gradient, is below minus this; the range of x is
// the limit.
constexpr double bottomless(Dtype dtype) { return dtype == Dtype::kFloat64 ? 1e60 : 1e30; }

}  // namespace

void Search::allocate(std::size_t size, Dtype dtype) {
  if (!options_.groups.empty() && options_.groups.size() != size) {
    throw Error("groups: expected one label per coordinate, " + std::to_string(size) + ", got " +
                std::to_string(options_.groups.size()));
  }
  limits_ = precision(dtype);
  walks_ = {size, dtype, options_.execution};
  x_ = Buffer(size, dtype);
  g_ = Buffer(size, dtype);
  trial_ = Buffer(size, dtype);
  allocate_more(size, dtype);
}

void Search::init(const Tensor& x, double f, const Tensor& g) {
  if (evaluations_ != 0) throw Error("init: the search has started already; make a new one");
  if (x.size == 0) throw Error("x: expected at least one element, got none");
  allocate(x.size, x.dtype);
  check_gradient(g);
  std::memcpy(x_.data(), x.data, x_.bytes());
  std::memcpy(g_.data(), g.data, g_.bytes());
  static const std::size_t norm = find_rule("norm");
  double sums[kMaxSums];
  walks_.run(norm, {x_.data()}, {1.0}, sums);
  if (!std::isfinite(sums[1])) throw Error("x: expected finite numbers, got NaN or inf");
  walks_.run(norm, {g_.data()}, {1.0}, sums);
  evaluations_ = 1;
  f_told_ = f_start_told_ = f;
  gmax_ = sums[1];
  if (!std::isfinite(f) || !std::isfinite(gmax_)) return end(Status::kNotFinite);
  trial_gmax_ = gmax_;
  if (gmax_ == 0.0) return;
  exponent_ = std::clamp(std::ilogb(gmax_), -kLargestExponent, kLargestExponent);
  scale_ = std::ldexp(1.0, static_cast<int>(-exponent_));
  gmax_ *= scale_;
  trial_gmax_ = gmax_;
  gmax_start_ = gmax_;
  f_ = scaled(f);
  start();
}

void Search::end(Status status) {
  // No step is left because f runs away downwards, not because x is good.
  const bool falls = infinite_descents_ > 0 ||
                     f_ < -bottomless(x_.dtype()) * std::max(1.0, std::abs(scaled(f_start_told_)));
  status_ = static_cast<std::int64_t>(status == Status::kPrecision && falls ? Status::kNotFinite
                                                                            : status);
}

bool Search::out_of_range(double f_trial, double gmax_trial, double huge) {
  if (gmax_trial < huge) return false;
  if (f_trial < f_) ++infinite_descents_;
  return true;
}

double Search::scaled(double value) const {
  return std::ldexp(value, static_cast<int>(-exponent_));
}

double Search::unscaled(double value) const {
  return std::ldexp(value, static_cast<int>(exponent_));
}

bool Search::noise(double f_trial) const {
  return std::abs(f_trial - f_) <= limits_.noise * std::abs(f_);
}

bool Search::too_short(double moved) const {
  const double epsilon = epsilon_of(x_.dtype());
  return !(moved > 0.0) ||
         (moved <= epsilon * epsilon * longest_move_ && gmax_ >= epsilon * gmax_start_);
}

void Search::check_gradient(const Tensor& g) const {
  if (g.size != x_.size()) {
    throw Error("g: expected " + std::to_string(x_.size()) + " elements (as x), got " +
                std::to_string(g.size));
  }
  if (g.dtype != x_.dtype()) {
    throw TypeError(std::string("g: expected dtype ") + info(x_.dtype()).name + " (as x), got " +
                    info(g.dtype).name);
  }
}

const Buffer& Search::propose() {
  if (x_.size() == 0) throw Error("propose: the search has no point yet; call init first");
  if (status() != Status::kRunning || gmax_ == 0.0) {
    throw Error("propose: the search has ended (converged() is true)");
  }
  proposed_ = 1;
  return trial_;
}

bool Search::judge(double f, const Tensor& g) {
  if (proposed_ == 0) throw Error("judge: no point is proposed; call propose first");
  check_gradient(g);
  proposed_ = 0;
  ++evaluations_;
  f_trial_told_ = f;
  const double f_trial = scaled(f);
  trial_gmax_ = std::numeric_limits<double>::quiet_NaN();
  bool moved = false;
  const double moving = moved_;
  if (std::isfinite(f_trial)) {
    moved = judge_trial(f_trial, g);
  } else {
    if (f < 0.0 && ++infinite_descents_ >= kInfiniteDescents)
      end(Status::kNotFinite);
    else
      fail_trial();
  }
  if (moved) {
    ++accepted_;
    infinite_descents_ = 0;
    longest_move_ = std::max(longest_move_, moving);
    f_ = f_trial;
    f_told_ = f_trial_told_;
  }
  return moved;
}

void Search::fields(Fields& fields) {
  fields.array("x", x_);
  fields.array("g", g_);
  fields.array("trial", trial_);
  fields.number("f", f_told_);
  fields.number("f_scaled", f_);
  fields.number("f_start", f_start_told_);
  fields.number("gmax_scaled", gmax_);
  fields.number("gmax_start", gmax_start_);
  fields.number("moved", moved_);
  fields.number("longest_move", longest_move_);
  fields.number("trial_gmax_scaled", trial_gmax_);
  fields.number("scale", scale_);
  fields.count("exponent", exponent_);
  fields.count("ncut", ncut_);
  fields.count("accepted", accepted_);
  fields.count("evaluations", evaluations_);
  fields.count("infinite_descents", infinite_descents_);
  fields.count("status", status_);
  fields.count("proposed", proposed_);
}

}  // namespace mdbopt::search
