// direction – the walks that form a search direction and step along it.
//
//   scaled           q ← scale·a
//   add_pair(s)      q ← q + Σ c a                    the turns of the two-loop recursion
//   apply_metric     q ← D q                          and its middle, D = one + root·√b + box·b
//   metric           d ← D itself, to be kept
//   pair_dot(s)      Σ a q
//   coast            q ← c s
//   momentum_step    q ← βq − D g,                    emits ⟨g, q⟩
//   nesterov_step    z ← −D g, q ← z + β(z − (z_old − s)), emits ⟨g, q⟩
//   cg_products      δ·y, y·Dg, y·Dy, δ·g
//   along            x_trial ← x + t q, emits max|x_trial − x|
//
// Source: two-loop recursion, Nocedal 1980, algorithm 7.4 of Nocedal and Wright 2006; momentum,
// Polyak 1964; Nesterov 1983 written on the extrapolated points; conjugate gradients, Hager and
// Zhang 2005, eq. 1.3 in the metric of D.
#pragma once

#include "../engine/rule.h"

namespace mdbopt::MDBOPT_ISA {

// D = one + root·√b + box·b; two of the three are 0.
struct Metric {
  double one, root, box;
  MDBOPT_INLINE double metric(double b) const { return one + root * sqrt(b) + box * b; }
};

struct Scaled {
  static constexpr const char* kName = "scaled";
  static constexpr const char* kSummary = "q ← scale·a";
  static constexpr Stream kStreams[] = {{"a", Role::kIn}, {"q", Role::kOut}};
  enum { kA, kQ };
  struct Coef {
    double scale;
  };
  static constexpr ScalarOf<Coef> kScalars[] = {{"scale", &Coef::scale}};
  template <class V>
  MDBOPT_INLINE static void apply(V& v, const Coef& c, double*) {
    v[kQ] = c.scale * v[kA];
  }
};

// Five pairs at once, since one after the other leaves the memory waiting, or one of what is left.

struct AddPair {
  static constexpr const char* kName = "add_pair";
  static constexpr const char* kSummary = "q ← q + c·a, a an s or a y";
  static constexpr Stream kStreams[] = {{"a", Role::kIn, Storage::kNarrow}, {"q", Role::kInOut}};
  struct Coef {
    double c;
  };
  static constexpr ScalarOf<Coef> kScalars[] = {{"c", &Coef::c}};
};

struct AddPairs {
  static constexpr const char* kName = "add_pairs";
  static constexpr const char* kSummary = "q ← q + c0·a0 + … + c4·a4, each an s or a y";
  static constexpr Stream kStreams[] = {
      {"a0", Role::kIn, Storage::kNarrow}, {"a1", Role::kIn, Storage::kNarrow},
      {"a2", Role::kIn, Storage::kNarrow}, {"a3", Role::kIn, Storage::kNarrow},
      {"a4", Role::kIn, Storage::kNarrow}, {"q", Role::kInOut}};
  struct Coef {
    double c0, c1, c2, c3, c4;
  };
  static constexpr ScalarOf<Coef> kScalars[] = {{"c0", &Coef::c0},
                                                {"c1", &Coef::c1},
                                                {"c2", &Coef::c2},
                                                {"c3", &Coef::c3},
                                                {"c4", &Coef::c4}};
};

template <class Members>
struct Add : Members {
  using Coef = typename Members::Coef;
  static constexpr std::size_t kCount = OwnScalars<Members>::value;
  template <class V, std::size_t... K>
  MDBOPT_INLINE static double sum(const V& v, const Coef& c, std::index_sequence<K...>) {
    double q = v[kCount];
    ((q = q + c.*kMember<Members, K> * v[K]), ...);
    return q;
  }
  template <class V>
  MDBOPT_INLINE static void apply(V& v, const Coef& c, double*) {
    v[kCount] = sum(v, c, std::make_index_sequence<kCount>{});
  }
};

struct Coast {
  static constexpr const char* kName = "coast";
  static constexpr const char* kSummary = "q ← c·s: along a step once more";
  static constexpr Stream kStreams[] = {{"s", Role::kIn, Storage::kNarrow}, {"q", Role::kOut}};
  enum { kS, kQ };
  using Coef = Scaled::Coef;
  static constexpr ScalarOf<Coef> kScalars[] = {{"c", &Coef::scale}};
  template <class V>
  MDBOPT_INLINE static void apply(V& v, const Coef& c, double*) {
    v[kQ] = c.scale * v[kS];
  }
};

struct PairDot {
  static constexpr const char* kName = "pair_dot";
  static constexpr const char* kSummary = "Σ a·q, a an s or a y";
  static constexpr Stream kStreams[] = {{"a", Role::kIn, Storage::kNarrow}, {"q", Role::kIn}};
  static constexpr Sum kGathered[] = {{"dot"}};
};

struct PairDots {
  static constexpr const char* kName = "pair_dots";
  static constexpr const char* kSummary = "Σ a0·q, …, Σ a4·q, each an s or a y";
  static constexpr Stream kStreams[] = {
      {"a0", Role::kIn, Storage::kNarrow}, {"a1", Role::kIn, Storage::kNarrow},
      {"a2", Role::kIn, Storage::kNarrow}, {"a3", Role::kIn, Storage::kNarrow},
      {"a4", Role::kIn, Storage::kNarrow}, {"q", Role::kIn}};
  static constexpr Sum kGathered[] = {{"dot0"}, {"dot1"}, {"dot2"}, {"dot3"}, {"dot4"}};
};

template <class Members>
struct Dots : Members, NoScalars {
  static constexpr std::size_t kCount = sizeof(Members::kGathered) / sizeof(Sum);
  using Coef = NoScalars::Coef;
  template <class V>
  MDBOPT_INLINE static void gather(const V& v, const Coef&, double* sums) {
    for (std::size_t k = 0; k < kCount; ++k) sums[k] = v[k] * v[kCount];
  }
};

struct ApplyMetric {
  static constexpr const char* kName = "apply_metric";
  static constexpr const char* kSummary = "q ← (one + root·√b + box·b)·q";
  static constexpr Stream kStreams[] = {{"b", Role::kIn, Storage::kWide}, {"q", Role::kInOut}};
  enum { kB, kQ };
  using Coef = Metric;
  static constexpr ScalarOf<Coef> kScalars[] = {
      {"one", &Coef::one, 0.0}, {"root", &Coef::root, 0.0}, {"box", &Coef::box, 0.0}};
  template <class V>
  MDBOPT_INLINE static void apply(V& v, const Coef& c, double*) {
    v[kQ] = c.metric(v[kB]) * v[kQ];
  }
};

struct KeepMetric {
  static constexpr const char* kName = "metric";
  static constexpr const char* kSummary = "d ← one + root·√b + box·b";
  static constexpr Stream kStreams[] = {{"b", Role::kIn, Storage::kWide},
                                        {"d", Role::kOut, Storage::kWide}};
  enum { kB, kD };
  using Coef = ApplyMetric::Coef;
  static constexpr auto& kScalars = ApplyMetric::kScalars;
  template <class V>
  MDBOPT_INLINE static void apply(V& v, const Coef& c, double*) {
    v[kD] = c.metric(v[kB]);
  }
};

struct MomentumStep {
  static constexpr const char* kName = "momentum_step";
  static constexpr const char* kSummary =
      "q ← beta·q − (one + root·√b + box·b)·scale·g, emits ⟨scale·g, q⟩";
  static constexpr Stream kStreams[] = {
      {"g", Role::kIn}, {"b", Role::kIn, Storage::kWide}, {"q", Role::kInOut}};
  enum { kG, kB, kQ };
  static constexpr Sum kEmitted[] = {{"slope"}};
  struct Coef : Metric {
    double beta, scale;
  };
  static constexpr ScalarOf<Coef> kScalars[] = {{"beta", &Coef::beta, 0.0},
                                                {"scale", &Coef::scale, 1.0},
                                                {"one", &Coef::one, 0.0},
                                                {"root", &Coef::root, 0.0},
                                                {"box", &Coef::box, 0.0}};
  template <class V>
  MDBOPT_INLINE static void apply(V& v, const Coef& c, double* sums) {
    const double g = c.scale * v[kG];
    sums[0] = g * v.put(kQ, c.beta * v[kQ] - c.metric(v[kB]) * g);
  }
};

struct NesterovStep {
  static constexpr const char* kName = "nesterov_step";
  static constexpr const char* kSummary =
      "z ← −(one + root·√b + box·b)·scale·g, q ← z + beta·(z − (z_old − s_unscale·s)), emits "
      "⟨scale·g, q⟩";
  static constexpr Stream kStreams[] = {{"g", Role::kIn},
                                        {"b", Role::kIn, Storage::kWide},
                                        {"s", Role::kIn, Storage::kNarrow},
                                        {"z", Role::kInOut},
                                        {"q", Role::kOut}};
  enum { kG, kB, kS, kZ, kQ };
  static constexpr Sum kEmitted[] = {{"slope"}};
  struct Coef : Metric {
    double beta, scale, s_unscale;
  };
  static constexpr ScalarOf<Coef> kScalars[] = {
      {"beta", &Coef::beta, 0.0}, {"scale", &Coef::scale, 1.0},
      {"one", &Coef::one, 0.0},   {"root", &Coef::root, 0.0},
      {"box", &Coef::box, 0.0},   {"s_unscale", &Coef::s_unscale, 1.0}};
  template <class V>
  MDBOPT_INLINE static void apply(V& v, const Coef& c, double* sums) {
    const double g = c.scale * v[kG];
    const double before = v[kZ] - c.s_unscale * v[kS];
    const double z = -(c.metric(v[kB]) * g);
    v[kZ] = z;
    sums[0] = g * v.put(kQ, z + c.beta * (z - before));
  }
};

struct CgProducts {
  static constexpr const char* kName = "cg_products";
  static constexpr const char* kSummary =
      "inner products of delta, y, g and D = one + root·√b + box·b for conjugate gradients";
  static constexpr Stream kStreams[] = {{"g", Role::kIn},
                                        {"b", Role::kIn, Storage::kWide},
                                        {"delta", Role::kIn},
                                        {"y", Role::kIn, Storage::kNarrow}};
  enum { kG, kB, kDelta, kY };
  static constexpr Sum kGathered[] = {{"delta_y"}, {"y_dg"}, {"y_dy"}, {"delta_g"}};
  struct Coef : Metric {
    double scale;
  };
  static constexpr ScalarOf<Coef> kScalars[] = {{"scale", &Coef::scale, 1.0},
                                                {"one", &Coef::one, 0.0},
                                                {"root", &Coef::root, 0.0},
                                                {"box", &Coef::box, 0.0}};
  template <class V>
  MDBOPT_INLINE static void gather(const V& v, const Coef& c, double* sums) {
    const double g = c.scale * v[kG];
    const double metric = c.metric(v[kB]);
    sums[0] = v[kDelta] * v[kY];
    sums[1] = v[kY] * (metric * g);
    sums[2] = v[kY] * (metric * v[kY]);
    sums[3] = v[kDelta] * g;
  }
};

struct Along {
  static constexpr const char* kName = "along";
  static constexpr const char* kSummary = "x_trial ← x + t·q, emits max|x_trial − x|";
  static constexpr Stream kStreams[] = {
      {"x", Role::kIn}, {"q", Role::kIn}, {"x_trial", Role::kOut}};
  enum { kX, kQ, kXTrial };
  static constexpr Sum kEmitted[] = {{"moved", Fold::kMax}};
  struct Coef {
    double t;
  };
  static constexpr ScalarOf<Coef> kScalars[] = {{"t", &Coef::t}};
  template <class V>
  MDBOPT_INLINE static void apply(V& v, const Coef& c, double* sums) {
    sums[0] = abs(v.put(kXTrial, v[kX] + c.t * v[kQ]) - v[kX]);
  }
};

}  // namespace mdbopt::MDBOPT_ISA
