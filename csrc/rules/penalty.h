// penalty – points and gradients where the objective is F(x) = f(x) + Σ l1 |x|, lower ≤ x ≤ upper.
//
//   box_proximal, gradient_proximal  x_trial ← the proximal point of x − p∘g, behind the walk that
//                                    wrote that
//   orthant                          the pseudo-gradient at a point, and its orthant
//   composite                        what a trial says of F
//
// The pseudo-gradient is the derivative of F towards the side to which F falls, 0 where it falls to
// none: the subgradient of least norm that bounds leave. The orthant holds the points on x's side of
// each kink, x at the kink being on the side that F falls to and where it falls to none at a bound.
// There F is f and a linear function, with the pseudo-gradient for its gradient, and what within.h has
// for bounds goes on with the two.
// Source: docs/l1.md; the pseudo-gradient is that of Andrew and Gao 2007.
#pragma once

#include "within.h"

namespace mdbopt::MDBOPT_ISA {

MDBOPT_INLINE double pseudo_gradient(double x, double g, double l1, double lower, double upper) {
  const double right = g + select(x < 0.0, -l1, l1);
  const double left = g + select(x > 0.0, l1, -l1);
  const double falls_left = select((left > 0.0) & (x > lower), left, 0.0);
  return select((right < 0.0) & (x < upper), right, falls_left);
}

// Of a step by p from x with the gradient g and l1 over the scale: where it ends, and the sums of
// ClippedStep. A step that passes zero comes back by 2p·l1, at most to zero; of what is beyond zero
// the promise is less by 2l1 than that of the pseudo-gradient.
struct ProximalStep {
  double decrease, spent, trial;

  MDBOPT_INLINE ProximalStep(double x, double pg, double p, double l1, double lower, double upper) {
    const double whole = -(p * pg);
    const double side = select(select(x == 0.0, whole, x) > 0.0, 1.0, -1.0);
    const double beyond = -side * (x + whole);
    const double back = 2.0 * (p * l1);
    const double crossed = select(beyond <= back, -x, whole + side * back);
    const double unbounded = select(beyond > 0.0, crossed, whole);
    const double s = clip(unbounded, lower - x, upper - x);
    const double share = select(s == whole, 1.0, s / whole);
    const double over = max(-side * (x + s), 0.0);
    decrease = -(s * pg) * (2.0 - share) - 4.0 * (l1 * over);
    spent = -(s * pg) * share;
    trial = clip(x + unbounded, lower, upper);
  }
};

inline constexpr Sum kProximalSums[] = {
    {"decrease"}, {"gmax", Fold::kMax}, {"moved", Fold::kMax}, {"spent"}, {"penalty"}};

struct LinearProximal {
  using Candidate = LinearCandidate;
  static constexpr const char* kName = "box_proximal";
  static constexpr Stream kStreams[] = {
      {"x", Role::kIn},       {"g", Role::kIn},     {"b", Role::kIn, Storage::kWide},
      {"l1", Role::kIn},      {"lower", Role::kIn}, {"upper", Role::kIn},
      {"x_trial", Role::kOut}};
  enum { kSet = 2, kL1 = 3, kLower = 4, kUpper = 5, kXTrial = 6 };
};

struct UniformProximal {
  using Candidate = UniformCandidate;
  static constexpr const char* kName = "gradient_proximal";
  static constexpr Stream kStreams[] = {{"x", Role::kIn},     {"g", Role::kIn},
                                        {"l1", Role::kIn},    {"lower", Role::kIn},
                                        {"upper", Role::kIn}, {"x_trial", Role::kOut}};
  enum { kSet = 0, kL1 = 2, kLower = 3, kUpper = 4, kXTrial = 5 };
};

template <class Form>
struct Proximal {
  static constexpr const char* kName = Form::kName;
  static constexpr const char* kSummary =
      "x_trial ← clip(soft(x − p∘(scale·g), p∘(scale·l1)), lower, upper), soft towards 0; what it "
      "promises, and Σ l1·|x_trial|";
  static constexpr auto& kStreams = Form::kStreams;
  enum { kX, kG };
  static constexpr auto& kEmitted = kProximalSums;
  using Coef = typename Trial<typename Form::Candidate>::Coef;
  static constexpr auto& kScalars = Trial<typename Form::Candidate>::kScalars;
  template <class V>
  MDBOPT_INLINE static void apply(V& v, const Coef& c, double* sums) {
    const double x = v[kX];
    const double l1 = v[Form::kL1];
    const double lower = v[Form::kLower];
    const double upper = v[Form::kUpper];
    const double pg = pseudo_gradient(x, v[kG], l1, lower, upper);
    const double p = Form::Candidate::p(v[Form::kSet], c.scale * v[kG], c.step);
    const ProximalStep step(x, c.scale * pg, p, c.scale * l1, lower, upper);
    const double trial = v.put(Form::kXTrial, step.trial);
    sums[0] = step.decrease;
    sums[1] = projected(x, pg, c.scale, lower, upper);
    sums[2] = abs(trial - x);
    sums[3] = step.spent;
    sums[4] = l1 * abs(trial);
  }
};

struct Orthant : ScaleOnly {
  static constexpr const char* kName = "orthant";
  static constexpr const char* kSummary =
      "pg ← the pseudo-gradient, least and most ← the orthant within the bounds; Σ "
      "(scale·pg)², its largest as projected, whether x lies within the bounds, and Σ "
      "l1·|x|";
  static constexpr Stream kStreams[] = {
      {"x", Role::kIn},     {"g", Role::kIn},   {"l1", Role::kIn},     {"lower", Role::kIn},
      {"upper", Role::kIn}, {"pg", Role::kOut}, {"least", Role::kOut}, {"most", Role::kOut}};
  enum { kX, kG, kL1, kLower, kUpper, kPg, kLeast, kMost };
  static constexpr Sum kEmitted[] = {
      {"norm2"}, {"gmax", Fold::kMax}, {"outside", Fold::kMax}, {"penalty"}};
  template <class V>
  MDBOPT_INLINE static void apply(V& v, const Coef& c, double* sums) {
    const double x = v[kX];
    const double l1 = v[kL1];
    const double lower = v[kLower];
    const double upper = v[kUpper];
    const double pg = pseudo_gradient(x, v[kG], l1, lower, upper);
    const bool no_less = (x > 0.0) | ((x == 0.0) & (pg <= 0.0));
    const bool no_more = (x < 0.0) | ((x == 0.0) & (pg >= 0.0));
    v[kPg] = pg;
    v[kLeast] = select((l1 > 0.0) & no_less, max(lower, 0.0), lower);
    v[kMost] = select((l1 > 0.0) & no_more, min(upper, 0.0), upper);
    sums[0] = (c.scale * pg) * (c.scale * pg);
    sums[1] = projected(x, pg, c.scale, lower, upper);
    sums[2] = select((x < lower) | (x > upper), 1.0, 0.0);
    sums[3] = l1 * abs(x);
  }
};

struct Composite : ScaleOnly {
  static constexpr const char* kName = "composite";
  static constexpr const char* kSummary =
      "⟨scale·g, x_trial − x⟩ and ⟨scale·g_trial, x_trial − x⟩, each and scale·(Σ l1·|x_trial| − Σ "
      "l1·|x|); s·(scale·pg) and s·(scale·pg_trial); whether a coordinate stops at x_trial";
  static constexpr Stream kStreams[] = {
      {"x", Role::kIn},        {"x_trial", Role::kIn},
      {"g", Role::kIn},        {"g_trial", Role::kIn},
      {"l1", Role::kIn},       {"pg", Role::kIn},
      {"pg_trial", Role::kIn}, {"s", Role::kIn, Storage::kNarrow}};
  enum { kX, kXTrial, kG, kGTrial, kL1, kPg, kPgTrial, kS };
  static constexpr Sum kGathered[] = {
      {"gs"}, {"gs_trial"}, {"gs_stored"}, {"gs_trial_stored"}, {"closing", Fold::kMax}};
  template <class V>
  MDBOPT_INLINE static void gather(const V& v, const Coef& c, double* sums) {
    const double s = v[kXTrial] - v[kX];
    const double change = (c.scale * v[kL1]) * (abs(v[kXTrial]) - abs(v[kX]));
    sums[0] = (c.scale * v[kG]) * s + change;
    sums[1] = (c.scale * v[kGTrial]) * s + change;
    sums[2] = v[kS] * (c.scale * v[kPg]);
    sums[3] = v[kS] * (c.scale * v[kPgTrial]);
    const bool open = v[kPg] != 0.0, closed = v[kPgTrial] == 0.0;
    sums[4] = select(open & closed, 1.0, 0.0);
  }
};

}  // namespace mdbopt::MDBOPT_ISA
