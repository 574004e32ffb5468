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
  static constexpr Scalar kScalars[] = {{"weight_decay", 0.0}, {"l2", 0.0}, {"grad_scale", 1.0}};
  struct Coef {
    Common common;
  };
  MDBOPT_HOST_DEVICE static bool prepare(const double* scalars, double, Coef& c) {
    c = {Common(scalars)};
    return true;
  }
  template <class V>
  MDBOPT_INLINE static void apply(V& v, const Coef& c, double*) {
    c.common.move(v, c.common.gradient(v));
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
  static constexpr Scalar kScalars[] = {
      {"t"},       {"momentum", 0.9},  {"dampening", 0.0}, {"nesterov", 0.0}, {"weight_decay", 0.0},
      {"l2", 0.0}, {"grad_scale", 1.0}};
  struct Coef {
    double momentum, gain;
    bool nesterov;
    Common common;
  };
  MDBOPT_HOST_DEVICE static bool prepare(const double* scalars, double, Coef& c) {
    const double gain = scalars[0] == 1.0 ? 1.0 : 1.0 - scalars[2];
    c = {scalars[1], gain, scalars[3] != 0.0, Common(scalars + 4)};
    return true;
  }
  template <class V>
  MDBOPT_INLINE static void apply(V& v, const Coef& c, double*) {
    using Real = typename V::Real;
    const Real g = c.common.gradient(v);
    const Real m = v[kM] = Real(c.momentum) * v[kM] + Real(c.gain) * g;
    const Real ahead = g + Real(c.momentum) * m;
    c.common.move(v, select(c.nesterov, ahead, m));
  }
};

// x moves by lr·d and on by momentum (x − x_prev).
template <class V>
MDBOPT_INLINE void move_on(V& v, const Common& common, double momentum, std::size_t x_prev,
                           typename V::Real direction) {
  using Real = typename V::Real;
  const Real x = v[Update::kX];
  const Real inertia = Real(momentum) * (x - v[x_prev]);
  common.move(v, direction);
  v[Update::kX] = v[Update::kX] + inertia;
  v[x_prev] = x;
}

struct HeavyBall : Update {
  static constexpr const char* kName = "heavy_ball";
  static constexpr const char* kSummary = "x, x_prev ← x − lr·g + momentum(x − x_prev), x";
  static constexpr Stream kStreams[] = {
      {"x", Role::kInOut}, {"g", Role::kIn}, {"x_prev", Role::kInOut, Storage::kState}};
  enum { kXPrev = 2 };
  static constexpr Scalar kScalars[] = {
      {"momentum", 0.9}, {"weight_decay", 0.0}, {"l2", 0.0}, {"grad_scale", 1.0}};
  struct Coef {
    double momentum;
    Common common;
  };
  MDBOPT_HOST_DEVICE static bool prepare(const double* scalars, double, Coef& c) {
    c = {scalars[0], Common(scalars + 1)};
    return true;
  }
  template <class V>
  MDBOPT_INLINE static void apply(V& v, const Coef& c, double*) {
    move_on(v, c.common, c.momentum, kXPrev, c.common.gradient(v));
  }
};

struct NormalizedGd : Update {
  static constexpr const char* kName = "normalized_gd";
  static constexpr const char* kSummary = "x ← x − lr·g/‖g‖";
  static constexpr Stream kStreams[] = {{"x", Role::kInOut}, {"g", Role::kIn}};
  static constexpr Scalar kScalars[] = {{"weight_decay", 0.0}, {"l2", 0.0}, {"grad_scale", 1.0}};
  static constexpr Sum kGathered[] = {{"norm2"}};
  static constexpr unsigned kGatherReads = 1U << kX | 1U << kG;
  struct Coef {
    double inverse;
    Common common;
  };
  MDBOPT_HOST_DEVICE static bool prepare(const double* scalars, double, Coef& c) {
    c = {0.0, Common(scalars)};
    return true;
  }
  template <class V>
  MDBOPT_INLINE static void gather(const V& v, const Coef& c, double* sums) {
    const double g = c.common.gradient(v);
    sums[0] = g * g;
  }
  template <class C>
  MDBOPT_HOST_DEVICE static bool solve(const double* sums, double, C& c) {
    c.inverse = sums[0] == 0.0 ? 0.0 : 1.0 / sqrt(sums[0]);
    return true;
  }
  template <class V>
  MDBOPT_INLINE static void apply(V& v, const Coef& c, double*) {
    c.common.move(v, in_range<typename V::Real>(c.inverse) * c.common.gradient(v));
  }
};

struct NormalizedGdMomentum : NormalizedGd {
  static constexpr const char* kName = "normalized_gd_momentum";
  static constexpr const char* kSummary = "x, x_prev ← x − lr·g/‖g‖ + momentum(x − x_prev), x";
  static constexpr auto& kStreams = HeavyBall::kStreams;
  static constexpr auto& kScalars = HeavyBall::kScalars;
  struct Coef : NormalizedGd::Coef {
    double momentum;
  };
  MDBOPT_HOST_DEVICE static bool prepare(const double* scalars, double, Coef& c) {
    c = {{0.0, Common(scalars + 1)}, scalars[0]};
    return true;
  }
  template <class V>
  MDBOPT_INLINE static void apply(V& v, const Coef& c, double*) {
    move_on(v, c.common, c.momentum, HeavyBall::kXPrev,
            in_range<typename V::Real>(c.inverse) * c.common.gradient(v));
  }
};

}  // namespace mdbopt::MDBOPT_ISA
