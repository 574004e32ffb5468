// guarded – a fast direction proposes, the box of multidimensional backtracking guards.
//
// Every evaluated pair cuts the box by co-coercivity, so the box keeps every valid step-size vector
// of a convex function, whatever the direction did. A window of accepted steps must win what plain
// steps from the box would have been promised; while it does not, plain steps and directions take
// turns. docs/guarded.md says why each piece is as it is, and proves the rate.
#pragma once

#include <memory>

#include "guarding.h"
#include "pairs.h"
#include "proposer.h"
#include "search.h"
#include "set.h"

namespace mdbopt::search {

class Guarded final : public Search {
 public:
  explicit Guarded(const Options& options);
  void step_sizes(double* out) const override;
  void fields(Fields& fields) override;
  void loaded() override;
  void judge_later(const DeviceNumber& f, const Tensor& g) override;

 private:
  void allocate_more() override;
  void start() override;
  bool judge_trial(double f, const Tensor& g) override;
  void fail_trial() override;
  std::int64_t patience() const override { return kPatience; }
  bool judged_there(double f, const Tensor& g, bool& moved) override;
  void fetch() override;
  const Groups& groups() const override { return groups_; }

  void check_judge_later() const;
  void move_there(const Place& place);
  Tables tables() const;
  void send();

  Measured measure(double f, const Tensor& g);
  bool judge_direction(const Measured& trial);
  bool judge_plain(const Measured& trial, const Tensor& g);
  bool move(const Measured& trial, bool promise_kept);

  Fit learn(const Measured& trial);
  Fit learn_hypergradient(const Measured& trial, const Tensor& g);
  void remember(const Measured& trial, const Fit& fit);
  // Does what a judgement on a device leaves to the next: opens the box anew, or puts a shorter trial
  // in the place of one that is not finite. False: there was nothing to do.
  bool go_on();
  // Takes what growing has put beyond its range into b.
  void rescale();
  void grow(double factor);
  // Starts afresh from x.
  void reopen();

  void next(Next next);
  // Each writes the next trial.
  void first();
  void direct();
  void along();
  void step_along(Chain& chain);
  void coast();
  void plain();

  GuardingFacts facts_{};
  Guarding guard_;
  Groups groups_;
  Buffer b_, delta_, spare_g_;
  Buffer normal_, sums_;  // with groups or the hypergradient's cut: u, and its sums
  Pairs pairs_;
  DiagonalMetric metric_;
  std::unique_ptr<Proposer> proposer_;
  Chain chain_;
  Buffer spare_x_;                               // from the first of judge_later on
  std::unique_ptr<GuardedJudgement> judgement_;  // null until then
  std::int64_t swapped_ = 0;  // x and g lie in each other's spare arrays, as judgement_ counts them
  bool stale_ = false;        // judgement_ knows better
};

}  // namespace mdbopt::search
