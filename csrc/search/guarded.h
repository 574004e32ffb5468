// guarded – a fast direction proposes, the box of multidimensional backtracking guards.
//
// Every evaluated pair cuts the box by co-coercivity, so the box keeps every valid step-size vector
// of a convex function, whatever the direction did. A window of accepted steps must win what plain
// steps from the box would have been promised; while it does not, plain steps and directions take
// turns. docs/guarded.md says why each piece is as it is, and proves the rate; guarded_program.h has the
// decisions.
#pragma once

#include <memory>

#include "face_walks.h"
#include "image.h"
#include "pairs.h"
#include "proposer.h"
#include "search.h"

namespace mdbopt::search {

class Guarded final : public Search {
 public:
  explicit Guarded(const Options& options);
  void step_sizes(double* out) override;
  void fields(Fields& fields) override;

 private:
  void allocate_more() override;
  void start() override;
  void inherit(const Heritage& heritage) override;
  void take_pairs(Guarded& earlier, const Buffer& before, const Buffer& now);
  bool outgrown() override { return !lies_on_device() && pairs_.make_way(); }
  bool ready() const override;
  void link(Program& program, void* control) override;
  void send() override { image_.write(*there_); }
  const Groups& groups() const override { return groups_; }
  std::size_t most_sums() const override;
  std::size_t memory() const;
  double dimension() const;
  void learn(Builder& builder);
  void follow();

  GuardedControl control_;
  Groups groups_;
  Buffer b_, delta_;
  Buffer pg_[2], least_[2], most_[2];  // with a penalty: at x and at the trial, in either order
  Buffer normal_, sums_;               // with groups or the hypergradient's cut: u, and its sums
  Pairs pairs_;
  std::unique_ptr<Proposer> proposer_;
  FaceWalks face_;  // where x is bounded
  Image image_;     // of what goes by slot
};

}  // namespace mdbopt::search
