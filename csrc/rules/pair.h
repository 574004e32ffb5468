// pair – what one evaluated trial teaches, along whatever direction it was found.
//
//   pair          s = x⁺ − x, y = g⁺ − g, a copy of g⁺, and the inner products that judge the trial
//   learn         b ← min(b, ν/u) by co-coercivity (normal.h), u = y² or a given u, and six sums that say how well
//                 D = 1, √b, b explain the pair: (y·Dy)(s·D⁻¹s)/(s·y)² is 1 when Dy ∝ s and never below, and does
//                 not change when coordinates are rescaled
//   decrease      Σ b g², what a plain step from the box promises
//
// y is kept times `scale`, the power of two near 1/max|g|, so that its squares stay in range.
// Source: co-coercivity, Nesterov 2018, theorem 2.1.5, in the metric of q; the measure is that of Oren and Luenberger
// 1974 applied to a family of diagonal matrices.
#pragma once

#include "shapes.h"

namespace mdbopt::MDBOPT_ISA {

struct Pair {
  static constexpr const char* kName = "pair";
  static constexpr const char* kSummary = "s ← x_trial − x, y ← scale·(g_trial − g), g_copy ← g_trial, and their inner products";
  static constexpr Stream kStreams[] = {{"x", Role::kIn},  {"x_trial", Role::kIn}, {"g", Role::kIn},
                                        {"g_trial", Role::kIn}, {"s", Role::kOut}, {"y", Role::kOut},
                                        {"g_copy", Role::kOut}};
  enum { kX, kXTrial, kG, kGTrial, kS, kY, kGCopy };
  static constexpr Scalar kScalars[] = {{"scale", 1.0}};
  static constexpr Sum kEmitted[] = {{"gs"},       {"gs_trial"},        {"sy"}, {"sy_abs"},
                                     {"gmax", Fold::kMax}};
  struct Coef {
    double scale;
  };
  static bool prepare(const double* scalars, double, Coef& c) {
    c = {scalars[0]};
    return true;
  }
  template <class V>
  MDBOPT_INLINE static void apply(V& v, const Coef& c, double* sums) {
    const double g = c.scale * v[kG];
    const double g_trial = c.scale * v[kGTrial];
    const double s = v.put(kS, v[kXTrial] - v[kX]);
    const double y = v.put(kY, g_trial - g);
    v[kGCopy] = v[kGTrial];
    sums[0] = g * s;
    sums[1] = g_trial * s;
    sums[2] = s * y;
    sums[3] = abs(s * y);
    sums[4] = abs(g_trial);
  }
};

// The sums of both forms of learn, in this order; `deepest` is the largest factor by which a b was cut.
inline constexpr Sum kLearnSums[] = {{"y1"}, {"y_root"}, {"y_b"}, {"s1"}, {"s_root"}, {"s_b"}, {"deepest", Fold::kMax}};

MDBOPT_INLINE void learn(double s, double y, double w, double& b, double* sums) {
  const double old = b;
  b = shrink<Box>(b, w, 0.0, 1.0, kUnlimited);
  const double root = sqrt(b);
  const double inverse = 1.0 / b;
  sums[0] = y * y;
  sums[1] = (y * y) * root;
  sums[2] = (y * y) * b;
  sums[3] = s * s;
  sums[4] = (s * s) * (root * inverse);
  sums[5] = (s * s) * inverse;
  sums[6] = w * old;
}

struct Learn {
  static constexpr const char* kName = "learn";
  static constexpr const char* kSummary = "b ← min(b, 1/(cut·y²)), and how well D = 1, √b, b explain the pair";
  static constexpr Stream kStreams[] = {{"s", Role::kIn}, {"y", Role::kIn}, {"b", Role::kInOut, Storage::kWide}};
  enum { kS, kY, kB };
  static constexpr Scalar kScalars[] = {{"cut"}};
  static constexpr auto& kEmitted = kLearnSums;
  struct Coef {
    double cut;
  };
  static bool prepare(const double* scalars, double, Coef& c) {
    c = {scalars[0]};
    return true;
  }
  template <class V>
  MDBOPT_INLINE static void apply(V& v, const Coef& c, double* sums) {
    learn(v[kS], v[kY], c.cut * (v[kY] * v[kY]), v[kB], sums);
  }
};

struct LearnFrom {
  static constexpr const char* kName = "learn_from";
  static constexpr const char* kSummary = "as learn, b ← min(b, 1/(cut·u)) with u given";
  static constexpr Stream kStreams[] = {{"s", Role::kIn},
                                        {"y", Role::kIn},
                                        {"u", Role::kIn, Storage::kWide},
                                        {"b", Role::kInOut, Storage::kWide}};
  enum { kS, kY, kU, kB };
  static constexpr Scalar kScalars[] = {{"cut"}};
  static constexpr auto& kEmitted = kLearnSums;
  using Coef = Learn::Coef;
  static bool prepare(const double* scalars, double n, Coef& c) { return Learn::prepare(scalars, n, c); }
  template <class V>
  MDBOPT_INLINE static void apply(V& v, const Coef& c, double* sums) {
    learn(v[kS], v[kY], c.cut * v[kU], v[kB], sums);
  }
};

struct Decrease {
  static constexpr const char* kName = "decrease";
  static constexpr const char* kSummary = "Σ b·(scale·g)²";
  static constexpr Stream kStreams[] = {{"g", Role::kIn}, {"b", Role::kIn, Storage::kWide}};
  enum { kG, kB };
  static constexpr Scalar kScalars[] = {{"scale", 1.0}};
  static constexpr Sum kGathered[] = {{"decrease"}};
  struct Coef {
    double scale;
  };
  static bool prepare(const double* scalars, double, Coef& c) {
    c = {scalars[0]};
    return true;
  }
  template <class V>
  MDBOPT_INLINE static void gather(const V& v, const Coef& c, double* sums) {
    const double g = c.scale * v[kG];
    sums[0] = (v[kB] * g) * g;
  }
};

}  // namespace mdbopt::MDBOPT_ISA
