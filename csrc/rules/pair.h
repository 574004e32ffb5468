// pair – what one evaluated trial teaches, along whatever direction it was found.
//
//   pair             s = x⁺ − x, y = g⁺ − g, a copy of g⁺, and what judges the trial
//   pair_product(s)  s·y⁺ and s·g⁺ of older s: what the two-loop recursion needs of it
//   pair_normal      u = max(0, |y| − error)², for groups
//   learn(_from)     b ← min(b, ν/u) by co-coercivity (normal.h), u = max(0, |y| − error)² or a given
//                    u, and six sums that say how well D = 1, √b, b explain the pair:
//                    (y·Dy)(s·D⁻¹s)/(s·y)² is 1 when Dy ∝ s, never below, and the same however
//                    coordinates are rescaled
//   learn_from_points   the same from x, x⁺, g and g⁺, where no pair is kept
//   decrease         Σ b max(0, |g| − error)², what a plain step from the box promises
//
// `error` is how far an element of what is told may be from the truth: what is left of it is certain.
// y is kept times `scale`, the power of two near 1/max|g|, so that its squares stay in range.
// Source: co-coercivity, Nesterov 2018, theorem 2.1.5, in the metric of q; the measure is that of
// Oren and Luenberger 1974 applied to a family of diagonal matrices.
#pragma once

#include "shapes.h"

namespace mdbopt::MDBOPT_ISA {

struct Pair {
  static constexpr const char* kName = "pair";
  static constexpr const char* kSummary =
      "s ← s_scale·(x_trial − x), y ← scale·(g_trial − g), g_copy ← g_trial; inner products exact "
      "and as stored";
  static constexpr Stream kStreams[] = {{"x", Role::kIn},
                                        {"x_trial", Role::kIn},
                                        {"g", Role::kIn},
                                        {"g_trial", Role::kIn},
                                        {"s", Role::kOut, Storage::kNarrow},
                                        {"y", Role::kOut, Storage::kNarrow},
                                        {"g_copy", Role::kOut}};
  enum { kX, kXTrial, kG, kGTrial, kS, kY, kGCopy };
  static constexpr Sum kEmitted[] = {
      {"gs"},        {"gs_trial"},        {"sy"},        {"sy_abs"}, {"gmax", Fold::kMax},
      {"gs_stored"}, {"gs_trial_stored"}, {"sy_stored"}, {"ss"}};
  struct Coef {
    double scale, s_scale;
  };
  static constexpr ScalarOf<Coef> kScalars[] = {{"scale", &Coef::scale, 1.0},
                                                {"s_scale", &Coef::s_scale, 1.0}};
  template <class V>
  MDBOPT_INLINE static void apply(V& v, const Coef& c, double* sums) {
    const double g = c.scale * v[kG];
    const double g_trial = c.scale * v[kGTrial];
    const double s = v[kXTrial] - v[kX];
    const double y = g_trial - g;
    const double s_stored = v.put(kS, c.s_scale * s);
    const double y_stored = v.put(kY, y);
    v[kGCopy] = v[kGTrial];
    sums[0] = g * s;
    sums[1] = g_trial * s;
    sums[2] = s * y;
    sums[3] = abs(s * y);
    sums[4] = abs(g_trial);
    sums[5] = g * s_stored;
    sums[6] = g_trial * s_stored;
    sums[7] = s_stored * y_stored;
    sums[8] = s * s;
  }
};

struct PairProduct {
  static constexpr const char* kName = "pair_product";
  static constexpr const char* kSummary = "s·y and s·(scale·g)";
  static constexpr Stream kStreams[] = {
      {"s", Role::kIn, Storage::kNarrow}, {"y", Role::kIn, Storage::kNarrow}, {"g", Role::kIn}};
  static constexpr Sum kGathered[] = {{"sy"}, {"sg"}};
};

struct PairProducts {
  static constexpr const char* kName = "pair_products";
  static constexpr const char* kSummary = "s·y and s·(scale·g) of five s";
  static constexpr Stream kStreams[] = {{"s0", Role::kIn, Storage::kNarrow},
                                        {"s1", Role::kIn, Storage::kNarrow},
                                        {"s2", Role::kIn, Storage::kNarrow},
                                        {"s3", Role::kIn, Storage::kNarrow},
                                        {"s4", Role::kIn, Storage::kNarrow},
                                        {"y", Role::kIn, Storage::kNarrow},
                                        {"g", Role::kIn}};
  static constexpr Sum kGathered[] = {{"sy0"}, {"sg0"}, {"sy1"}, {"sg1"}, {"sy2"},
                                      {"sg2"}, {"sy3"}, {"sg3"}, {"sy4"}, {"sg4"}};
};

template <class Members>
struct Products : Members, ScaleOnly {
  static constexpr std::size_t kCount = sizeof(Members::kGathered) / sizeof(Sum) / 2;
  using Coef = ScaleOnly::Coef;
  template <class V>
  MDBOPT_INLINE static void gather(const V& v, const Coef& c, double* sums) {
    const double y = v[kCount];
    const double g = c.scale * v[kCount + 1];
    for (std::size_t k = 0; k < kCount; ++k) {
      sums[2 * k] = v[k] * y;
      sums[2 * k + 1] = v[k] * g;
    }
  }
};

// The part of a value that an error cannot have made.
MDBOPT_INLINE double certain(double value, double error) { return max(abs(value) - error, 0.0); }

struct ErrorOnly {
  struct Coef {
    double error;
  };
  static constexpr ScalarOf<Coef> kScalars[] = {{"error", &Coef::error, 0.0}};
};

struct PairNormal : ErrorOnly {
  static constexpr const char* kName = "pair_normal";
  static constexpr const char* kSummary = "u ← max(0, |y| − error)²";
  static constexpr Stream kStreams[] = {{"y", Role::kIn, Storage::kNarrow},
                                        {"u", Role::kOut, Storage::kWide}};
  enum { kY, kU };
  template <class V>
  MDBOPT_INLINE static void apply(V& v, const Coef& c, double*) {
    const double y = certain(v[kY], c.error);
    v[kU] = y * y;
  }
};

// The sums of all forms of learn, in this order; `deepest` is the largest factor by which a b was
// cut.
inline constexpr Sum kLearnSums[] = {
    {"y1"}, {"y_root"}, {"y_b"}, {"s1"}, {"s_root"}, {"s_b"}, {"deepest", Fold::kMax}};

MDBOPT_INLINE void learn(double s, double y, double w, double depth, const Limits& limits,
                         double& b, double* sums) {
  const double old = b;
  b = shrink<Box>(b, w, 0.0, depth, limits);
  const double root = sqrt(b);
  const double inverse = 1.0 / b;
  sums[0] = y * y;
  sums[1] = (y * y) * root;
  sums[2] = (y * y) * b;
  sums[3] = s * s;
  sums[4] = (s * s) * (root * inverse);
  sums[5] = (s * s) * inverse;
  sums[6] = without_sign(w * old);
}

struct Learn {
  static constexpr const char* kName = "learn";
  static constexpr const char* kSummary =
      "b ← min(b, 1/(cut·max(0, |y| − error)²)), by no more than depth, and how well D = 1, √b, b "
      "explain the pair";
  static constexpr Stream kStreams[] = {{"s", Role::kIn, Storage::kNarrow},
                                        {"y", Role::kIn, Storage::kNarrow},
                                        {"b", Role::kInOut, Storage::kWide}};
  enum { kS, kY, kB };
  static constexpr auto& kEmitted = kLearnSums;
  struct Coef {
    double cut, depth, error;
    Limits limits;
  };
  static constexpr ScalarOf<Coef> kScalars[] = {
      {"cut", &Coef::cut}, {"depth", &Coef::depth, kUnlimited}, {"error", &Coef::error, 0.0}};
  template <class V>
  MDBOPT_INLINE static void apply(V& v, const Coef& c, double* sums) {
    const double y = certain(v[kY], c.error);
    learn(v[kS], v[kY], c.cut * (y * y), c.depth, c.limits, v[kB], sums);
  }
};

struct LearnFrom {
  static constexpr const char* kName = "learn_from";
  static constexpr const char* kSummary = "as learn, b ← min(b, 1/(cut·u)) with u given";
  static constexpr Stream kStreams[] = {{"s", Role::kIn, Storage::kNarrow},
                                        {"y", Role::kIn, Storage::kNarrow},
                                        {"u", Role::kIn, Storage::kWide},
                                        {"b", Role::kInOut, Storage::kWide}};
  enum { kS, kY, kU, kB };
  static constexpr auto& kEmitted = kLearnSums;
  struct Coef {
    double cut, depth;
    Limits limits;
  };
  static constexpr ScalarOf<Coef> kScalars[] = {{"cut", &Coef::cut},
                                                {"depth", &Coef::depth, kUnlimited}};
  template <class V>
  MDBOPT_INLINE static void apply(V& v, const Coef& c, double* sums) {
    learn(v[kS], v[kY], c.cut * v[kU], c.depth, c.limits, v[kB], sums);
  }
};

struct LearnFromPoints {
  static constexpr const char* kName = "learn_from_points";
  static constexpr const char* kSummary =
      "as learn, of s = x_trial − x and y = scale·(g_trial − g), by any depth";
  static constexpr Stream kStreams[] = {{"x", Role::kIn},
                                        {"x_trial", Role::kIn},
                                        {"g", Role::kIn},
                                        {"g_trial", Role::kIn},
                                        {"b", Role::kInOut, Storage::kWide}};
  enum { kX, kXTrial, kG, kGTrial, kB };
  static constexpr auto& kEmitted = kLearnSums;
  struct Coef {
    double cut, scale;
    Limits limits;
  };
  static constexpr ScalarOf<Coef> kScalars[] = {{"cut", &Coef::cut}, {"scale", &Coef::scale, 1.0}};
  template <class V>
  MDBOPT_INLINE static void apply(V& v, const Coef& c, double* sums) {
    const double y = c.scale * v[kGTrial] - c.scale * v[kG];
    learn(v[kXTrial] - v[kX], y, c.cut * (y * y), kUnlimited, c.limits, v[kB], sums);
  }
};

struct Decrease {
  static constexpr const char* kName = "decrease";
  static constexpr const char* kSummary = "Σ b·max(0, |scale·g| − error)²";
  static constexpr Stream kStreams[] = {{"g", Role::kIn}, {"b", Role::kIn, Storage::kWide}};
  enum { kG, kB };
  static constexpr Sum kGathered[] = {{"decrease"}};
  struct Coef {
    double scale, error;
  };
  static constexpr ScalarOf<Coef> kScalars[] = {{"scale", &Coef::scale, 1.0},
                                                {"error", &Coef::error, 0.0}};
  template <class V>
  MDBOPT_INLINE static void gather(const V& v, const Coef& c, double* sums) {
    const double g = certain(c.scale * v[kG], c.error);
    sums[0] = (v[kB] * g) * g;
  }
};

}  // namespace mdbopt::MDBOPT_ISA
