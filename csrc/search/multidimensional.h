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

#include "search.h"
#include "set.h"

namespace mdbopt::search {

class Multidimensional final : public Search {
 public:
  explicit Multidimensional(const Options& options) : Search(options, control_) {}
  void step_sizes(double* out) override;
  void fields(Fields& fields) override;

 private:
  void allocate_more() override;
  void start() override;
  void inherit(const Heritage& heritage) override;
  bool outgrown() override { return linked_seeker_ && control_.seeking == 0; }
  bool ready() const override { return control_.proposal.finite(); }
  void link(Program& program, void* control) override;
  const Groups& groups() const override { return set_.groups(); }

  SetsControl control_;
  Set set_, seeker_;
  bool linked_seeker_ = false;  // the program has the seeker's walks, too
};

}  // namespace mdbopt::search
