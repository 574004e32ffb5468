// learned_rates – a step size per coordinate that follows its own gradient, −g∘g_prev.
//
//   additive   p ← max(p + hyper_lr·g∘g_prev, 0)            (Almeida et al. 1999; Baydin et al. 2018)
//   log        p ← p·exp(hyper_lr·r)                        (Sutton 1992; Schraudolph 1999)
//   weights    p ← p·exp(hyper_lr·r)·n/Σ p·exp(hyper_lr·r)  (Amid et al. 2022: the mean of p stays 1)
//   osgm       h = g∘g_prev/‖g_prev‖², S ← S + h², p ← max(p + hyper_lr·h/(√S + eps), 0)
//                                                       (Gao et al. 2024, 2025: hypergradient + AdaGrad)
//
// then x ← x − lr·p∘g, g_prev ← g; p is relative to lr and 1 at first. r = g·g_prev over the larger
// of g² and g_prev², between −1 and 1: the normaliser takes the units away, where the papers use
// running averages. The maximum with 0 is ours: a negative step size would climb.
//
// osgm can take a step back (`moved` = 0): the next point is then made from x_prev and g_prev, the
// last point where f decreased, with the p that this failure taught.
#pragma once

#include "exponential.h"
#include "update.h"

namespace mdbopt::MDBOPT_ISA {

// g·g_prev/max(g², g_prev²), 0 where both are: the smaller over the larger.
template <class Real>
MDBOPT_INLINE Real agreement(Real g, Real g_prev) {
  const bool grew = abs(g) < abs(g_prev);
  const Real smaller = grew ? g : g_prev;
  const Real larger = grew ? g_prev : g;
  return smaller / (larger == 0 ? Real(1) : larger);
}

inline constexpr Stream kLearnedRatesStreams[] = {{"x", Role::kInOut},
                                                  {"g", Role::kIn},
                                                  {"g_prev", Role::kInOut, Storage::kState},
                                                  {"p", Role::kInOut, Storage::kState}};

struct AdditiveRates : Update {
  static constexpr const char* kName = "diagonal_hypergradient";
  static constexpr const char* kSummary =
      "p ← max(p + hyper_lr·g·g_prev, 0), x ← x − lr·p·g, g_prev ← g";
  static constexpr auto& kStreams = kLearnedRatesStreams;
  enum { kGPrev = 2, kP };
  struct Coef : Update::Coef {
    double hyper_lr, share;
  };
  static constexpr ScalarOf<Coef> kScalars[] = {{"hyper_lr", &Coef::hyper_lr}};
  template <class V>
  MDBOPT_INLINE static void finish(V& v, const Coef& c, typename V::Real g, typename V::Real p) {
    v[kP] = p;
    v[kGPrev] = g;
    c.move(v, p * g);
  }
  template <class V>
  MDBOPT_INLINE static void apply(V& v, const Coef& c, double*) {
    using Real = typename V::Real;
    const Real g = c.gradient(v);
    finish(v, c, g, maximum(Real(0), v[kP] + Real(c.hyper_lr) * (g * v[kGPrev])));
  }
};

struct LogRates : AdditiveRates {
  static constexpr const char* kName = "diagonal_hypergradient_log";
  static constexpr const char* kSummary =
      "p ← p·exp(hyper_lr·r), r = g·g_prev/max(g², g_prev²), x ← x − lr·p·g, g_prev ← g";
  // The exponent is hyper_lr at most, and exp is for 80.
  MDBOPT_HOST_DEVICE static bool prepare(const Coef& c, double) { return abs(c.hyper_lr) <= 80.0; }
  template <class V>
  MDBOPT_INLINE static typename V::Real grown(const V& v, const Coef& c, typename V::Real g) {
    return v[kP] * exp(typename V::Real(c.hyper_lr) * agreement(g, v[kGPrev]));
  }
  template <class V>
  MDBOPT_INLINE static void apply(V& v, const Coef& c, double*) {
    const auto g = c.gradient(v);
    finish(v, c, g, grown(v, c, g));
  }
};

struct WeightRates : LogRates {
  static constexpr const char* kName = "diagonal_hypergradient_weights";
  static constexpr const char* kSummary =
      "p ← p·exp(hyper_lr·r) divided by its mean, r = g·g_prev/max(g², g_prev²), x ← x − lr·p·g, "
      "g_prev ← g";
  static constexpr Sum kGathered[] = {{"total"}};
  template <class V>
  MDBOPT_INLINE static void gather(const V& v, const Coef& c, double* sums) {
    sums[0] = grown(v, c, c.gradient(v));
  }
  MDBOPT_HOST_DEVICE static bool solve(const double* sums, double n, Coef& c) {
    c.share = sums[0] > 0.0 ? n / sums[0] : 1.0;
    return true;
  }
  template <class V>
  MDBOPT_INLINE static void apply(V& v, const Coef& c, double*) {
    const auto g = c.gradient(v);
    finish(v, c, g, grown(v, c, g) * typename V::Real(c.share));
  }
};

// AdaGrad's step along h, which does not leave p >= 0.
template <class Real>
MDBOPT_INLINE Real learned(Real p, Real h, Real& sum_of_squares, Real lr, Real eps) {
  sum_of_squares = sum_of_squares + h * h;
  return maximum(Real(0), p + lr * h / (sqrt(sum_of_squares) + eps));
}

struct Osgm : Update {
  static constexpr const char* kName = "osgm";
  static constexpr const char* kSummary =
      "h = g·g_prev/norm2, sum_of_squares ← sum_of_squares + h², p ← max(p + "
      "hyper_lr·h/(√sum_of_squares + eps), 0), x_prev, g_prev ← x, g unless moved is 0, "
      "x ← x_prev − lr·p·g_prev";
  static constexpr Stream kStreams[] = {{"x", Role::kInOut},
                                        {"g", Role::kIn},
                                        {"x_prev", Role::kInOut, Storage::kState},
                                        {"g_prev", Role::kInOut, Storage::kState},
                                        {"p", Role::kInOut, Storage::kState},
                                        {"sum_of_squares", Role::kInOut, Storage::kState}};
  enum { kXPrev = 2, kGPrev, kP, kSum };
  static constexpr Sum kEmitted[] = {{"norm2"}};
  struct Coef : Update::Coef {
    double norm2, moved, hyper_lr, eps, inverse;
  };
  static constexpr ScalarOf<Coef> kScalars[] = {{"norm2", &Coef::norm2, 0.0},
                                                {"moved", &Coef::moved, 1.0},
                                                {"hyper_lr", &Coef::hyper_lr},
                                                {"eps", &Coef::eps, 1e-12}};
  MDBOPT_HOST_DEVICE static bool prepare(Coef& c, double) {
    c.inverse = c.norm2 > 0.0 ? 1.0 / sqrt(c.norm2) : 0.0;
    return true;
  }
  template <class V>
  MDBOPT_INLINE static void apply(V& v, const Coef& c, double* sums) {
    using Real = typename V::Real;
    const Real g = c.gradient(v);
    // The square of a small norm, or its inverse, would leave the range of float32.
    const Real inverse = in_range<Real>(c.inverse);
    const Real h = (g * inverse) * (v[kGPrev] * inverse);
    Real sum = v[kSum];
    v[kP] = learned(Real(v[kP]), h, sum, Real(c.hyper_lr), Real(c.eps));
    v[kSum] = sum;
    const bool moved = c.moved != 0.0;
    v[kX] = v[kXPrev] = select(moved, v[kX], v[kXPrev]);
    v[kGPrev] = select(moved, g, v[kGPrev]);
    sums[0] = static_cast<double>(v[kGPrev]) * static_cast<double>(v[kGPrev]);
    c.move(v, v[kP] * v[kGPrev]);
  }
};

}  // namespace mdbopt::MDBOPT_ISA
