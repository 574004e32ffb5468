// multidimensional – multidimensional backtracking: one candidate from a set, accepted if it keeps
// its promise, else the set is cut.
//
// Accept when f(x⁺) − f(x) + ½ Σ p g² ≤ 0 (Armijo). Else a half-space that holds every valid
// step-size vector cuts the set (normaliser.h). Within the rounding of f the promise is judged by
// the trapezoid ½⟨g + g⁺, x⁺ − x⟩ in place of f(x⁺) − f(x), which is exact on quadratics. A pair
// that gives no cut (f not convex along it) halves the set, as classic backtracking does; a trial
// that is not finite quarters it. Source: Kunstner et al. 2023, algorithm 1 and section 3; forward
// growth as in their experiments.
#pragma once

#include <optional>

#include "judging.h"
#include "search.h"
#include "set.h"

namespace mdbopt::search {

class Multidimensional final : public Search {
 public:
  explicit Multidimensional(const Options& options) : Search(options) {}
  void step_sizes(double* out) const override;
  void fields(Fields& fields) override;
  void loaded() override;
  void judge_later(const DeviceNumber& f, const Tensor& g) override;

 private:
  void allocate_more() override;
  void start() override;
  bool judge_trial(double f, const Tensor& g) override;
  void fail_trial() override;
  std::int64_t patience() const override { return patience_of_set(now_); }
  bool judged_there(double f, const Tensor& g, bool& moved) override;
  void fetch() override;
  const Groups& groups() const override { return set_->groups(); }

  // The set that proposes now: one step size while the scale is being sought, then the user's.
  Set& active() { return seeking_ != 0 ? *seeker_ : *set_; }
  bool accept(double f, const Tensor& g);
  void reject(double f, const Tensor& g, const Secant& secant);
  void settle();
  void check_judge_later() const;
  void move_there(const Place& place);
  void send();
  bool keeps_promise(double f, const Tensor& g, std::optional<Secant>& secant);

  std::unique_ptr<Set> set_, seeker_;
  Buffer spare_x_, spare_g_;
  Proposal proposal_;
  std::unique_ptr<Judgement> judgement_;  // null until the first of judge_later
  std::int64_t swapped_ = 0;  // x and g lie in each other's spare arrays, as judgement_ counts them
  bool stale_ = false;        // judgement_ knows better
  std::int64_t seeking_ = 0;  // looking for the scale of the first set
  std::int64_t seek_rejected_ = 0;
};

}  // namespace mdbopt::search
