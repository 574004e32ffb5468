// guarded – a fast direction proposes, the box of multidimensional backtracking guards.
//
// Every evaluated pair cuts the box by co-coercivity, so the box keeps every valid step-size vector
// of a convex function, whatever the direction did. A window of accepted steps must win what plain
// steps from the box would have been promised; while it does not, plain steps and directions take
// turns. docs/guarded.md says why each piece is as it is, and proves the rate.
#pragma once

#include <memory>

#include "metric.h"
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

 private:
  // What the walk over a trial says; gradients over the scale.
  struct Trial {
    double f, difference, gs, gs_trial, sy, sy_stored, gmax;
    bool curved;
  };

  void allocate_more() override;
  void start() override;
  bool judge_trial(double f, const Tensor& g) override;
  void fail_trial() override;

  Trial measure(double f, const Tensor& g);
  bool wins(const Trial& trial) const;
  bool judge_direction(const Trial& trial);
  bool judge_plain(const Trial& trial, const Tensor& g);
  bool move(const Trial& trial, bool plain, bool kept);
  bool overdue(const Trial& trial, bool plain, bool kept);

  Fit learn(double cut);
  Fit learn_hypergradient(const Tensor& g, double cut);
  void remember(const Trial& trial);
  void open_box(double step);
  void set_growth(double growth);
  void grow(double factor);

  // Each writes the next trial.
  void first();
  void direct();
  void along();
  void step_along(Chain& chain);
  void coast();
  void plain();
  void plain_failed();

  enum State : std::int64_t { kFirst, kDirection, kPlain };

  std::int64_t state_ = kFirst;
  double t_ = 1.0;  // along delta, or of the first step
  std::int64_t tries_ = 0;
  std::int64_t plain_fails_ = 0;
  double unit_step_ = 1.0;  // the first step's length over ‖g‖
  double growth_ = 0.0;     // the box is growth·b; 0 until the first finite trial opens it
  double largest_growth_ = 0.0;
  std::int64_t window_steps_ = 0, window_kept_ = 0;
  double window_won_ = 0.0;
  double gamma_ = 0.0;
  Groups groups_;
  Buffer b_, delta_, spare_g_;
  Buffer normal_, sums_;  // with groups or the hypergradient's cut: u, and its sums
  Pairs pairs_;
  DiagonalMetric metric_;
  std::unique_ptr<Proposer> proposer_;
  Chain chain_;
  Fit fit_{};
};

}  // namespace mdbopt::search
