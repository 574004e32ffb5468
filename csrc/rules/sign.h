// sign – steps by the sign of the gradient or of an average of gradients.
//
//   sign_descent           d = sign(g)
//   sign_descent_momentum  the same, and x moves on by momentum (x − x_prev): the momentum is
//                          outside the sign (Kunstner et al. 2023, "Noise is not the main factor")
//   sign_descent_l1        d = ‖g‖₁ sign(g), the norm over all arrays of a call: the steepest descent
//                          of the largest absolute value; sign_descent_l1_momentum moves on as well
//                          (its authors' code, where for one lr m ← momentum m + d is the same)
//   signum                 m ← momentum m + (1 − momentum) g, d = sign(m): inside
//                          (Bernstein et al. 2018, algorithm 2)
//   lion                   d = sign(β₁ m + (1 − β₁) g), m ← β₂ m + (1 − β₂) g
//                          (Chen et al. 2023, algorithm 2)
//
// sign(0) = 0; NaN stays NaN.
#pragma once

#include "gradient_descent.h"

namespace mdbopt::MDBOPT_ISA {

struct SignDescent : Sgd {
  static constexpr const char* kName = "sign_descent";
  static constexpr const char* kSummary = "x ← x − lr·sign(g)";
  template <class V>
  MDBOPT_INLINE static void apply(V& v, const Coef& c, double*) {
    c.move(v, sign(c.gradient(v)));
  }
};

struct SignDescentMomentum : HeavyBall {
  static constexpr const char* kName = "sign_descent_momentum";
  static constexpr const char* kSummary = "x, x_prev ← x − lr·sign(g) + momentum(x − x_prev), x";
  template <class V>
  MDBOPT_INLINE static void apply(V& v, const Coef& c, double*) {
    move_on(v, c, c.momentum, kXPrev, sign(c.gradient(v)));
  }
};

// ‖g‖₁, in the factor of the sign.
template <class Base>
struct SignDescentL1Of : Base {
  static constexpr Sum kGathered[] = {{"norm1"}};
  static constexpr unsigned kGatherReads = 1U << Base::kX | 1U << Base::kG;
  struct Coef : Base::Coef {
    double norm1;
    template <class V>
    MDBOPT_INLINE typename V::Real direction(const V& v) const {
      return in_range<typename V::Real>(norm1) * sign(this->gradient(v));
    }
  };
  template <class V>
  MDBOPT_INLINE static void gather(const V& v, const Coef& c, double* sums) {
    sums[0] = abs(c.gradient(v));
  }
  MDBOPT_HOST_DEVICE static bool solve(const double* sums, double, Coef& c) {
    c.norm1 = sums[0];
    return true;
  }
};

struct SignDescentL1 : SignDescentL1Of<Sgd> {
  static constexpr const char* kName = "sign_descent_l1";
  static constexpr const char* kSummary = "x ← x − lr·‖g‖₁·sign(g)";
  template <class V>
  MDBOPT_INLINE static void apply(V& v, const Coef& c, double*) {
    c.move(v, c.direction(v));
  }
};

struct SignDescentL1Momentum : SignDescentL1Of<HeavyBall> {
  static constexpr const char* kName = "sign_descent_l1_momentum";
  static constexpr const char* kSummary =
      "x, x_prev ← x − lr·‖g‖₁·sign(g) + momentum(x − x_prev), x";
  template <class V>
  MDBOPT_INLINE static void apply(V& v, const Coef& c, double*) {
    move_on(v, c, c.momentum, kXPrev, c.direction(v));
  }
};

struct Signum : Update {
  static constexpr const char* kName = "signum";
  static constexpr const char* kSummary = "m ← momentum·m + (1 − momentum)g, x ← x − lr·sign(m)";
  static constexpr Stream kStreams[] = {
      {"x", Role::kInOut}, {"g", Role::kIn}, {"m", Role::kInOut, Storage::kState}};
  enum { kM = 2 };
  using Coef = HeavyBall::Coef;
  static constexpr auto& kScalars = HeavyBall::kScalars;
  template <class V>
  MDBOPT_INLINE static void apply(V& v, const Coef& c, double*) {
    v[kM] = average(c.momentum, v[kM], c.gradient(v));
    c.move(v, sign(v[kM]));
  }
};

struct Lion : Update {
  static constexpr const char* kName = "lion";
  static constexpr const char* kSummary =
      "x ← (1 − lr·weight_decay)x − lr·sign(β₁m + (1 − β₁)g), m ← β₂m + (1 − β₂)g";
  static constexpr auto& kStreams = Signum::kStreams;
  enum { kM = 2 };
  struct Coef : Update::Coef {
    double beta1, beta2;
  };
  static constexpr ScalarOf<Coef> kScalars[] = {{"beta1", &Coef::beta1, 0.9},
                                                {"beta2", &Coef::beta2, 0.99}};
  template <class V>
  MDBOPT_INLINE static void apply(V& v, const Coef& c, double*) {
    const auto g = c.gradient(v);
    c.move(v, sign(average(c.beta1, v[kM], g)));
    v[kM] = average(c.beta2, v[kM], g);
  }
};

}  // namespace mdbopt::MDBOPT_ISA
