// update – what the first-order updates share: the gradient as an update sees it, and the last line.
//
//   g ← grad_scale · gradient + l2 · x          (−1 maximises; 1/scale undoes a loss scale)
//   x ← (1 − lr · weight_decay) x − lr · d      (decoupled decay: Loshchilov, Hutter 2019, eq. 12)
//
// lr is a number for all elements or one for each.
#pragma once

#include <limits>

#include "../base/power.h"
#include "../engine/rule.h"

namespace mdbopt::MDBOPT_ISA {

// As Real, its largest number at most: the inverse of a tiny norm times 0 must stay 0.
template <class Real>
MDBOPT_INLINE Real in_range(double x) {
  return static_cast<Real>(min(x, static_cast<double>(std::numeric_limits<Real>::max())));
}

// A first-order update: x is read and written, g read.
struct Update {
  static constexpr bool kIsUpdate = true;
  static constexpr bool kTakesHalf = true;
  enum { kX, kG };
  struct Coef {
    double weight_decay, l2, grad_scale;
    template <class V>
    MDBOPT_INLINE typename V::Real gradient(const V& v) const {
      using Real = typename V::Real;
      return Real(grad_scale) * v[kG] + Real(l2) * v[kX];
    }
    template <class V>
    MDBOPT_INLINE void move(V& v, typename V::Real direction) const {
      using Real = typename V::Real;
      v[kX] = (Real(1) - v.lr * Real(weight_decay)) * v[kX] - v.lr * direction;
    }
    // For a norm that has the decay in it.
    template <class V>
    MDBOPT_INLINE typename V::Real decayed(const V& v, typename V::Real direction) const {
      return direction + typename V::Real(weight_decay) * v[kX];
    }
  };
  static constexpr ScalarOf<Coef> kCommonScalars[] = {{"weight_decay", &Coef::weight_decay, 0.0},
                                                      {"l2", &Coef::l2, 0.0},
                                                      {"grad_scale", &Coef::grad_scale, 1.0}};
};

// β old + (1 − β) new.
template <class Real>
MDBOPT_INLINE Real average(double beta, Real old, Real sample) {
  return Real(beta) * old + Real(1.0 - beta) * sample;
}

}  // namespace mdbopt::MDBOPT_ISA
