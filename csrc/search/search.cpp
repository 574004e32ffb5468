// search – what all searches share: the start, the scale, the checks, and the bookkeeping around a
// judgement.
#include "search.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "../device.h"
#include "../error.h"

namespace mdbopt::search {
namespace {

// Powers of two that keep both themselves and their reciprocals normal.
constexpr int kLargestExponent = 1000;
// Of a saved search: counts stay in their range however long it goes on.
constexpr std::int64_t kMostEvaluations = std::int64_t{1} << 62;

void check_gradient(const Tensor& g, const Tensor& x) {
  if (g.size != x.size) {
    throw Error("g: expected " + std::to_string(x.size) + " elements (as x), got " +
                std::to_string(g.size));
  }
  if (g.dtype != x.dtype) {
    throw TypeError(std::string("g: expected dtype ") + info(x.dtype).name + " (as x), got " +
                    info(g.dtype).name + "; pass g in " + info(x.dtype).name +
                    ", or start from x in " + info(g.dtype).name);
  }
  if (!g.place.same_memory(x.place)) {
    throw Error("g: lives on " + memory_name(g.place.device) + ", expected " +
                memory_name(x.place.device) + " (as x)");
  }
}

}  // namespace

void Search::allocate(std::size_t size, Dtype dtype) {
  if (!options_.groups.empty() && options_.groups.size() != size) {
    throw Error("groups: expected one label per coordinate, " + std::to_string(size) + ", got " +
                std::to_string(options_.groups.size()));
  }
  limits_ = precision(dtype);
  walks_ = {size, dtype, execution_};
  x_ = walks_.zeros();
  g_ = walks_.zeros();
  trial_ = walks_.zeros();
  allocate_more();
}

// The caller's work may move to another stream: what is queued comes first there, all that is still
// to come goes there.
void Search::follow(const Place& place) {
  if (place.on_cpu() || place.stream == execution_->place.stream) return;
  // A graph that is recorded cannot wait for work outside of it, and its recorder has.
  if (!device_library().capturing(place)) device_library().order(execution_->place, place);
  execution_->place = place;
}

void Search::init(const Tensor& x, double f, const Tensor& g) {
  if (now_.evaluations != 0) throw Error("init: the search has started already; make a new one");
  if (x.size == 0) throw Error("x: expected at least one element, got none");
  check_gradient(g, x);
  // Made anew: arrays of an init that failed are freed where they are.
  execution_ = std::make_shared<Execution>(options_.execution);
  execution_->place = x.place;
  allocate(x.size, x.dtype);
  x_.write(x.data);
  follow(g.place);
  g_.write(g.data);
  static const std::size_t norm = find_rule("norm");
  double sums[kMaxSums];
  walks_.run(norm, {x_.data()}, {1.0}, sums);
  if (!std::isfinite(sums[1])) throw Error("x: expected finite numbers, got NaN or inf");
  walks_.run(norm, {g_.data()}, {1.0}, sums);
  now_.evaluations = 1;
  now_.f_told = now_.f_start_told = f;
  now_.gmax = sums[1];
  if (!std::isfinite(f) || !std::isfinite(now_.gmax)) return end(Status::kNotFinite);
  now_.trial_gmax = now_.gmax;
  now_.f = f;
  if (now_.gmax == 0.0) return;
  now_.exponent = std::clamp(std::ilogb(now_.gmax), -kLargestExponent, kLargestExponent);
  now_.scale = std::ldexp(1.0, static_cast<int>(-now_.exponent));
  now_.gmax *= now_.scale;
  now_.trial_gmax = now_.gmax;
  now_.gmax_start = now_.gmax;
  now_.f = now_.least_f = scaled(f);
  now_.least_gmax = now_.gmax;
  start();
}

const Buffer& Search::propose() {
  if (x_.size() == 0) throw Error("propose: the search has no point yet; call init first");
  if (ended(here().now_)) {
    throw Error("propose: the search has ended (converged() is true)");
  }
  proposed_ = 1;
  return trial_;
}

const Buffer& Search::propose_later() {
  if (!away_) return propose();
  proposed_ = 1;
  return trial_;
}

void Search::check_fits(const Tensor& g) const { check_gradient(g, x_.tensor()); }

void Search::take(const Tensor& g) {
  follow(g.place);
  proposed_ = 0;
}

bool Search::judge(double f, const Tensor& g) {
  if (proposed_ == 0) throw Error("judge: no point is proposed; call propose first");
  check_fits(g);
  take(g);
  bool moved = false;
  if (judged_there(f, g, moved)) return moved;
  const double f_trial = begin_trial(now_, f);
  const double moving = now_.moved;
  if (is_finite(f_trial)) {
    moved = judge_trial(f_trial, g);
  } else if (!has_no_minimum(now_)) {
    fail_trial();
  }
  if (moved) move(now_, f_trial, moving);
  if (is_finite(f_trial)) count_gain(now_, f_trial, patience(), limits_);
  return moved;
}

void Search::fields(Fields& fields) {
  here();
  fields.word("method", options_.method);
  fields.word("groups", groups().identity());
  fields.word("cut", options_.cocoercive ? "cocoercive" : "hypergradient");
  fields.same("forward", options_.forward);
  auto status = static_cast<std::int64_t>(now_.status);
  fields.count("status", status, -1, 3);
  fields.agree("status", status != 0 && status != 1, "-1, 2 or 3");
  now_.status = static_cast<Status>(status);
  fields.count("evaluations", now_.evaluations, 1, kMostEvaluations);
  const std::int64_t judged = now_.evaluations - 1;
  fields.count("accepted", now_.accepted, 0, judged);
  fields.count("ncut", now_.ncut, 0, judged);
  fields.count("infinite_descents", now_.infinite_descents, 0, judged);
  fields.count("proposed", proposed_, 0, 1);
  // A start where f or g is not finite is all that such a search keeps.
  const bool stillborn = now_.status == Status::kNotFinite && judged == 0;
  const Range& finite = stillborn ? kAnything : kFinite;
  const Range& size = stillborn ? kAnything : kNotNegative;
  fields.count("exponent", now_.exponent, -kLargestExponent, kLargestExponent);
  fields.number("scale", now_.scale, kPositive);
  fields.agree("scale", now_.scale == std::ldexp(1.0, static_cast<int>(-now_.exponent)),
               "2 to the power of -exponent");
  fields.number("gmax_scaled", now_.gmax, size);
  fields.number("gmax_start", now_.gmax_start, kNotNegative);
  fields.number("f", now_.f_told, finite);
  fields.number("f_start", now_.f_start_told, finite);
  fields.number("f_scaled", now_.f, kAnything);
  fields.number("moved", now_.moved, of_trial(fields, kNotNegative));
  fields.number("longest_move", now_.longest_move, kNotNegative);
  fields.number("trial_gmax_scaled", now_.trial_gmax, {0.0, kInfinity, true});
  fields.number("least_f_scaled", now_.least_f, finite);
  fields.number("least_gmax_scaled", now_.least_gmax, kNotNegative);
  fields.number("noise_scaled", now_.noise, kNotNegative);
  fields.count("gains", now_.gains, 0, judged);
  fields.count("quiet", now_.quiet, 0, judged);
  fields.array("x", x_, kFinite);
  fields.array("g", g_, finite);
  const bool waits = fields.judged_later() && !is_finite(now_.moved);
  fields.array("trial", trial_, waits ? kAnything : while_running(kFinite));
  if (!fields.loading() || stillborn) return;
  fields.agree("f_scaled", now_.f == scaled(now_.f_told), "f times scale");
  static const std::size_t norm = find_rule("norm");
  double sums[kMaxSums];
  walks_.run(norm, {g_.data()}, {1.0}, sums);
  fields.agree("gmax_scaled", now_.gmax == scaled(sums[1]), "max|g| times scale");
}

}  // namespace mdbopt::search
