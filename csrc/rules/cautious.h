// cautious – updates that hold back where signs disagree.
//
//   cautious 1:               d ← 0 where d g ≤ 0     (Liang et al. 2025, algorithm 1, the mask alone)
//   cautious_weight_decay 1:  no decay where d x < 0  (Chen et al. 2026, algorithm 1)
//   cautious_adam, cautious_lion: the d of adam, of lion
//
// d is the direction of the last line of update.h, g the gradient as the update sees it. The decay looks
// at d as it was before the mask, which its paper leaves open. Rules of their own: as coefficients of
// every update these took a fifth more time in cache where they were off.
#pragma once

#include "adam.h"
#include "sign.h"

namespace mdbopt::MDBOPT_ISA {

// NaN is neither: it goes on into x.
template <class Real>
MDBOPT_INLINE bool opposed(Real direction, Real g) {
  return direction * g <= Real(0);
}

template <class Base>
struct Cautious : Base {
  struct Coef : Base::Coef {
    double cautious, cautious_weight_decay;
    // `kept`: what is left of the direction.
    template <class V>
    MDBOPT_INLINE void move(V& v, typename V::Real direction, typename V::Real kept) const {
      using Real = typename V::Real;
      const bool away = (direction * v[Base::kX] < Real(0)) & (cautious_weight_decay != 0.0);
      const Real decay = select(away, Real(0), Real(this->weight_decay));
      v[Base::kX] = (Real(1) - v.lr * decay) * v[Base::kX] - v.lr * kept;
    }
    template <class V>
    MDBOPT_INLINE void move(V& v, typename V::Real direction) const {
      using Real = typename V::Real;
      const bool masked = opposed(direction, this->gradient(v)) & (cautious != 0.0);
      move(v, direction, select(masked, Real(0), direction));
    }
  };
  static constexpr ScalarOf<Coef> kCommonScalars[] = {
      {"weight_decay", &Coef::weight_decay, 0.0},
      {"l2", &Coef::l2, 0.0},
      {"grad_scale", &Coef::grad_scale, 1.0},
      {"cautious", &Coef::cautious, 1.0},
      {"cautious_weight_decay", &Coef::cautious_weight_decay, 0.0}};
};

struct CautiousAdam : Cautious<Adam> {
  static constexpr const char* kName = "cautious_adam";
  static constexpr const char* kSummary =
      "as adam, without the step where its direction and g differ in sign when cautious is not 0, "
      "and without the decay where its direction and x do when cautious_weight_decay is not 0";
  template <class V>
  MDBOPT_INLINE static void apply(V& v, const Coef& c, double*) {
    moments(v, c);
    c.move(v, c.corrections.direction(v[kM], v[kV], c.eps, c.eps_root));
  }
};

struct CautiousLion : Cautious<Lion> {
  static constexpr const char* kName = "cautious_lion";
  static constexpr const char* kSummary =
      "as lion, without the step where its direction and g differ in sign when cautious is not 0, "
      "and without the decay where its direction and x do when cautious_weight_decay is not 0";
  template <class V>
  MDBOPT_INLINE static void apply(V& v, const Coef& c, double*) {
    const auto g = c.gradient(v);
    c.move(v, sign(average(c.beta1, v[kM], g)));
    v[kM] = average(c.beta2, v[kM], g);
  }
};

}  // namespace mdbopt::MDBOPT_ISA
