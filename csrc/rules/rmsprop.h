// rmsprop – steps divided by the root of an average of squared gradients, without Adam's corrections.
//
//   v ← alpha v + (1 − alpha) g²
//   centered:  a ← alpha a + (1 − alpha) g,  and max(v − a², 0) in place of v below
//   d = g/(√(v + eps_root) + eps)
//   momentum:  m ← momentum m + d,  and m in place of d
//
// Source: Tieleman, Hinton 2012, lecture 6.5; centred: Graves 2013, eq. 38–45. Rounding can take v
// below a²: the maximum keeps the root real, where PyTorch gives NaN.
#pragma once

#include "update.h"

namespace mdbopt::MDBOPT_ISA {

inline constexpr Stream kRmsPropStreams[] = {
    {"x", Role::kInOut}, {"g", Role::kIn}, {"v", Role::kInOut, Storage::kState}};
inline constexpr Stream kRmsPropCenteredStreams[] = {{"x", Role::kInOut},
                                                     {"g", Role::kIn},
                                                     {"v", Role::kInOut, Storage::kState},
                                                     {"a", Role::kInOut, Storage::kState}};
inline constexpr Stream kRmsPropMomentumStreams[] = {{"x", Role::kInOut},
                                                     {"g", Role::kIn},
                                                     {"v", Role::kInOut, Storage::kState},
                                                     {"m", Role::kInOut, Storage::kState}};
inline constexpr Stream kRmsPropCenteredMomentumStreams[] = {{"x", Role::kInOut},
                                                             {"g", Role::kIn},
                                                             {"v", Role::kInOut, Storage::kState},
                                                             {"a", Role::kInOut, Storage::kState},
                                                             {"m", Role::kInOut, Storage::kState}};

struct RmsPropCoef : Update::Coef {
  double momentum, alpha, eps, eps_root;
};
inline constexpr ScalarOf<RmsPropCoef> kRmsPropScalars[] = {
    {"alpha", &RmsPropCoef::alpha, 0.99},
    {"eps", &RmsPropCoef::eps, 1e-8},
    {"eps_root", &RmsPropCoef::eps_root, 0.0}};
inline constexpr ScalarOf<RmsPropCoef> kRmsPropMomentumScalars[] = {
    {"momentum", &RmsPropCoef::momentum, 0.9},
    {"alpha", &RmsPropCoef::alpha, 0.99},
    {"eps", &RmsPropCoef::eps, 1e-8},
    {"eps_root", &RmsPropCoef::eps_root, 0.0}};

struct Plain {
  static constexpr const char* kName = "rmsprop";
  static constexpr auto& kStreams = kRmsPropStreams;
  static constexpr auto& kScalars = kRmsPropScalars;
  static constexpr bool kCentered = false, kHasMomentum = false;
};
struct Centered {
  static constexpr const char* kName = "rmsprop_centered";
  static constexpr auto& kStreams = kRmsPropCenteredStreams;
  static constexpr auto& kScalars = kRmsPropScalars;
  static constexpr bool kCentered = true, kHasMomentum = false;
};
struct WithMomentum {
  static constexpr const char* kName = "rmsprop_momentum";
  static constexpr auto& kStreams = kRmsPropMomentumStreams;
  static constexpr auto& kScalars = kRmsPropMomentumScalars;
  static constexpr bool kCentered = false, kHasMomentum = true;
};
struct CenteredWithMomentum {
  static constexpr const char* kName = "rmsprop_centered_momentum";
  static constexpr auto& kStreams = kRmsPropCenteredMomentumStreams;
  static constexpr auto& kScalars = kRmsPropMomentumScalars;
  static constexpr bool kCentered = true, kHasMomentum = true;
};

template <class Form>
struct RmsProp : Update {
  static constexpr const char* kName = Form::kName;
  static constexpr const char* kSummary =
      "v ← alpha·v + (1 − alpha)g², less the squared average of g when centred; x ← x − lr·d or "
      "lr·m, d = g/(√(v + eps_root) + eps), m ← momentum·m + d";
  static constexpr auto& kStreams = Form::kStreams;
  enum { kV = 2, kA = 3, kM = Form::kCentered ? 4 : 3 };
  using Coef = RmsPropCoef;
  static constexpr auto& kScalars = Form::kScalars;
  template <class V>
  MDBOPT_INLINE static void apply(V& v, const Coef& c, double*) {
    using Real = typename V::Real;
    const Real g = c.gradient(v);
    Real variance = v[kV] = average(c.alpha, v[kV], g * g);
    if constexpr (Form::kCentered) {
      v[kA] = average(c.alpha, v[kA], g);
      variance = maximum(Real(0), variance - v[kA] * v[kA]);
    }
    Real direction = g / (sqrt(variance + Real(c.eps_root)) + Real(c.eps));
    if constexpr (Form::kHasMomentum) {
      direction = v[kM] = Real(c.momentum) * v[kM] + direction;
    }
    c.move(v, direction);
  }
};

}  // namespace mdbopt::MDBOPT_ISA
