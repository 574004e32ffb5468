// gradient_descent – steps along the gradient, with momentum in its several forms, and along the
// normalised gradient.
//
//   sgd            d = g
//   sgd_momentum   m ← momentum m + (1 − dampening) g, m = g at t = 1; d = m, or g + momentum m
//                  (Nesterov; Sutskever et al. 2013, eq. 3–4, as PyTorch rearranges them)
//   heavy_ball     d = g, and x moves on by momentum (x − x_prev)          (Polyak 1964, eq. 9)
//   normalized_gd  d = g/‖g‖, 0 where g = 0, the norm over all arrays of a call; with x_prev as the
//                  heavy ball
#pragma once

#include "update.h"

namespace mdbopt::MDBOPT_ISA {

struct Sgd : Update {
  static constexpr const char* kName = "sgd";
  static constexpr const char* kSummary = "x ← (1 − lr·weight_decay)x − lr·g";
  static constexpr Stream kStreams[] = {{"x", Role::kInOut}, {"g", Role::kIn}};
  template <class V>
  MDBOPT_INLINE static void apply(V& v, const Coef& c, double*) {
    c.move(v, c.gradient(v));
  }
};

struct SgdMomentum : Update {
  static constexpr const char* kName = "sgd_momentum";
  static constexpr const char* kSummary =
      "m ← momentum·m + (1 − dampening)g (g at t = 1), x ← x − lr·m, or g + momentum·m for m when "
      "nesterov is not 0";
  static constexpr Stream kStreams[] = {
      {"x", Role::kInOut}, {"g", Role::kIn}, {"m", Role::kInOut, Storage::kState}};
  enum { kM = 2 };
  struct Coef : Update::Coef {
    double t, momentum, dampening, nesterov, gain;
  };
  static constexpr ScalarOf<Coef> kScalars[] = {{"t", &Coef::t},
                                                {"momentum", &Coef::momentum, 0.9},
                                                {"dampening", &Coef::dampening, 0.0},
                                                {"nesterov", &Coef::nesterov, 0.0}};
  MDBOPT_HOST_DEVICE static bool prepare(Coef& c, double) {
    c.gain = c.t == 1.0 ? 1.0 : 1.0 - c.dampening;
    return true;
  }
  template <class V>
  MDBOPT_INLINE static void apply(V& v, const Coef& c, double*) {
    using Real = typename V::Real;
    const Real g = c.gradient(v);
    const Real m = v[kM] = Real(c.momentum) * v[kM] + Real(c.gain) * g;
    const Real ahead = g + Real(c.momentum) * m;
    c.move(v, select(c.nesterov != 0.0, ahead, m));
  }
};

// x moves by lr·d and on by momentum (x − x_prev).
template <class V>
MDBOPT_INLINE void move_on(V& v, const Update::Coef& c, double momentum, std::size_t x_prev,
                           typename V::Real direction) {
  using Real = typename V::Real;
  const Real x = v[Update::kX];
  const Real inertia = Real(momentum) * (x - v[x_prev]);
  c.move(v, direction);
  v[Update::kX] = v[Update::kX] + inertia;
  v[x_prev] = x;
}

struct HeavyBall : Update {
  static constexpr const char* kName = "heavy_ball";
  static constexpr const char* kSummary = "x, x_prev ← x − lr·g + momentum(x − x_prev), x";
  static constexpr Stream kStreams[] = {
      {"x", Role::kInOut}, {"g", Role::kIn}, {"x_prev", Role::kInOut, Storage::kState}};
  enum { kXPrev = 2 };
  struct Coef : Update::Coef {
    double momentum;
  };
  static constexpr ScalarOf<Coef> kScalars[] = {{"momentum", &Coef::momentum, 0.9}};
  template <class V>
  MDBOPT_INLINE static void apply(V& v, const Coef& c, double*) {
    move_on(v, c, c.momentum, kXPrev, c.gradient(v));
  }
};

struct NormalizedGd : Update {
  static constexpr const char* kName = "normalized_gd";
  static constexpr const char* kSummary = "x ← x − lr·g/‖g‖";
  static constexpr Stream kStreams[] = {{"x", Role::kInOut}, {"g", Role::kIn}};
  static constexpr Sum kGathered[] = {{"norm2"}};
  static constexpr unsigned kGatherReads = 1U << kX | 1U << kG;
  struct Coef : Update::Coef {
    double inverse;
  };
  template <class V>
  MDBOPT_INLINE static void gather(const V& v, const Coef& c, double* sums) {
    const double g = c.gradient(v);
    sums[0] = g * g;
  }
  template <class C>
  MDBOPT_HOST_DEVICE static bool solve(const double* sums, double, C& c) {
    c.inverse = sums[0] == 0.0 ? 0.0 : 1.0 / sqrt(sums[0]);
    return true;
  }
  template <class V>
  MDBOPT_INLINE static void apply(V& v, const Coef& c, double*) {
    c.move(v, in_range<typename V::Real>(c.inverse) * c.gradient(v));
  }
};

struct NormalizedGdMomentum : NormalizedGd {
  static constexpr const char* kName = "normalized_gd_momentum";
  static constexpr const char* kSummary = "x, x_prev ← x − lr·g/‖g‖ + momentum(x − x_prev), x";
  static constexpr auto& kStreams = HeavyBall::kStreams;
  struct Coef : NormalizedGd::Coef {
    double momentum;
  };
  static constexpr ScalarOf<Coef> kScalars[] = {{"momentum", &Coef::momentum, 0.9}};
  template <class V>
  MDBOPT_INLINE static void apply(V& v, const Coef& c, double*) {
    move_on(v, c, c.momentum, HeavyBall::kXPrev,
            in_range<typename V::Real>(c.inverse) * c.gradient(v));
  }
};

}  // namespace mdbopt::MDBOPT_ISA
