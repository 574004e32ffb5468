// gradient_descent – steps along the gradient, with momentum in its several forms, and along the
// normalised gradient.
//
//   sgd            d = g
//   sgd_momentum   m ← momentum m + (1 − dampening) g, m = g at t = 1; d = m, or g + momentum m
//                  (Nesterov; Sutskever et al. 2013, eq. 3–4, as PyTorch rearranges them)
//   heavy_ball     d = g, and x moves on by momentum (x − x_prev)          (Polyak 1964, eq. 9)
//   normalized_gd  d = g/‖g‖, 0 where g = 0, the norm over all arrays of a call; with x_prev as the
//                  heavy ball
//   normalized_gd_array  the same with a norm for each array       (Yu et al. 2017, algorithm 1)
//   agc            g ← g min(1, clipping max(‖x‖, eps)/‖g‖), the norms of each array, then as
//                  sgd_momentum (Brock et al. 2021, eq. 3, where the norms are of each unit, a row)
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
  MDBOPT_INLINE static void follow(V& v, const Coef& c, typename V::Real g) {
    using Real = typename V::Real;
    const Real m = v[kM] = Real(c.momentum) * v[kM] + Real(c.gain) * g;
    const Real ahead = g + Real(c.momentum) * m;
    c.move(v, select(c.nesterov != 0.0, ahead, m));
  }
  template <class V>
  MDBOPT_INLINE static void apply(V& v, const Coef& c, double*) {
    follow(v, c, c.gradient(v));
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

struct NormalizedGdArray : NormalizedGd {
  static constexpr const char* kName = "normalized_gd_array";
  static constexpr const char* kSummary = "x ← x − lr·g/‖g‖, the norm of each array";
  static constexpr Scope kScope = Scope::kArray;
};

struct NormalizedGdArrayMomentum : NormalizedGdMomentum {
  static constexpr const char* kName = "normalized_gd_array_momentum";
  static constexpr const char* kSummary =
      "x, x_prev ← x − lr·g/‖g‖ + momentum(x − x_prev), x, the norm of each array";
  static constexpr Scope kScope = Scope::kArray;
};

// Σ x² and Σ g² of each array.
inline constexpr Sum kNormsOfPair[] = {{"x2"}, {"g2"}};

template <class V>
MDBOPT_INLINE void squares_of_pair(const V& v, double g, double* sums) {
  const double x = v[Update::kX];
  sums[0] = x * x;
  sums[1] = g * g;
}

struct Agc : SgdMomentum {
  static constexpr const char* kName = "agc";
  static constexpr const char* kSummary =
      "g ← g·min(1, clipping·max(‖x‖, eps)/‖g‖) in each array, then m and x as sgd_momentum";
  static constexpr Scope kScope = Scope::kArray;
  static constexpr auto& kGathered = kNormsOfPair;
  static constexpr Sum kSolved[] = {{"factor"}};
  struct Coef : SgdMomentum::Coef {
    double clipping, eps, factor;
  };
  static constexpr ScalarOf<Coef> kScalars[] = {{"t", &Coef::t},
                                                {"momentum", &Coef::momentum, 0.9},
                                                {"dampening", &Coef::dampening, 0.0},
                                                {"nesterov", &Coef::nesterov, 0.0},
                                                {"clipping", &Coef::clipping, 0.01},
                                                {"eps", &Coef::eps, 1e-3}};
  template <class V>
  MDBOPT_INLINE static void gather(const V& v, const Coef& c, double* sums) {
    squares_of_pair(v, c.gradient(v), sums);
  }
  MDBOPT_HOST_DEVICE static bool solve(double* sums, double, Coef& c) {
    const double norm = sqrt(sums[1]);
    const double bound = c.clipping * max(sqrt(sums[0]), c.eps);
    sums[2] = c.factor = norm <= bound ? 1.0 : bound / norm;
    return true;
  }
  template <class V>
  MDBOPT_INLINE static void apply(V& v, const Coef& c, double*) {
    follow(v, c, typename V::Real(c.factor) * c.gradient(v));
  }
};

}  // namespace mdbopt::MDBOPT_ISA
