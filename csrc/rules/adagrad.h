// adagrad – steps divided by the root of the sum of all squared gradients.
//
//   adagrad       S ← S + g²,     d = g/(√(S + eps_root) + eps), S one number per coordinate
//   adagrad_norm  S ← S + ‖g‖²,   the same with one S for all arrays of a call
//
// Source: Duchi, Hazan, Singer 2011, section 1.3 (diagonal); Ward, Wu, Bottou 2019, algorithm 1.
#pragma once

#include "update.h"

namespace mdbopt::MDBOPT_ISA {

struct AdaGrad : Update {
  static constexpr const char* kName = "adagrad";
  static constexpr const char* kSummary =
      "sum_of_squares ← sum_of_squares + g², x ← x − lr·g/(√(sum_of_squares + eps_root) + eps)";
  static constexpr Stream kStreams[] = {
      {"x", Role::kInOut}, {"g", Role::kIn}, {"sum_of_squares", Role::kInOut, Storage::kState}};
  enum { kSum = 2 };
  static constexpr Scalar kScalars[] = {
      {"eps", 1e-10}, {"eps_root", 0.0}, {"weight_decay", 0.0}, {"l2", 0.0}, {"grad_scale", 1.0}};
  struct Coef {
    double eps, eps_root;
    Common common;
  };
  MDBOPT_HOST_DEVICE static bool prepare(const double* scalars, double, Coef& c) {
    c = {scalars[0], scalars[1], Common(scalars + 2)};
    return true;
  }
  template <class V>
  MDBOPT_INLINE static void apply(V& v, const Coef& c, double*) {
    using Real = typename V::Real;
    const Real g = c.common.gradient(v);
    v[kSum] = v[kSum] + g * g;
    c.common.move(v, g / (sqrt(v[kSum] + Real(c.eps_root)) + Real(c.eps)));
  }
};

struct AdaGradNorm : Update {
  static constexpr const char* kName = "adagrad_norm";
  static constexpr const char* kSummary =
      "sum_of_squares ← sum_of_squares + ‖g‖², a number; x ← x − lr·g/(√(sum_of_squares + "
      "eps_root) + eps)";
  static constexpr Stream kStreams[] = {{"x", Role::kInOut}, {"g", Role::kIn}};
  static constexpr Scalar kScalars[] = {
      {"sum_of_squares", 0.0}, {"eps", 1e-10}, {"eps_root", 0.0},
      {"weight_decay", 0.0},   {"l2", 0.0},    {"grad_scale", 1.0}};
  static constexpr Sum kGathered[] = {{"norm2"}};
  static constexpr Sum kSolved[] = {{"sum_of_squares"}};
  struct Coef {
    double before, eps, eps_root, inverse;
    Common common;
  };
  MDBOPT_HOST_DEVICE static bool prepare(const double* scalars, double, Coef& c) {
    c = {scalars[0], scalars[1], scalars[2], 0.0, Common(scalars + 3)};
    return true;
  }
  template <class V>
  MDBOPT_INLINE static void gather(const V& v, const Coef& c, double* sums) {
    const double g = c.common.gradient(v);
    sums[0] = g * g;
  }
  MDBOPT_HOST_DEVICE static bool solve(double* sums, double, Coef& c) {
    sums[1] = c.before + sums[0];
    const double divisor = sqrt(sums[1] + c.eps_root) + c.eps;
    c.inverse = divisor == 0.0 ? 0.0 : 1.0 / divisor;
    return true;
  }
  template <class V>
  MDBOPT_INLINE static void apply(V& v, const Coef& c, double*) {
    c.common.move(v, typename V::Real(c.inverse) * c.common.gradient(v));
  }
};

}  // namespace mdbopt::MDBOPT_ISA
