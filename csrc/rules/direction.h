// direction – the walks that form a search direction and step along it.
//
//   scaled_dot       q ← scale·a,       emits Σ w q
//   axpy_dot         q ← q + c a,       emits Σ (scale·w) q        one turn of the two-loop recursion
//   metric_dot       q ← D (q + c a),   emits Σ w q                its middle, D = one + root·√b + box·b
//   momentum_step    q ← βm − D g,      emits ⟨g, q⟩
//   nesterov_step    z ← −D g, q ← z + β(z − (z_old − s)), emits ⟨g, q⟩
//   cg_products      δ·y, y·Dg, y·Dy, δ·g
//   along            x_trial ← x + t q, emits max|x_trial − x|
//
// Source: two-loop recursion, Nocedal 1980, algorithm 7.4 of Nocedal and Wright 2006; momentum, Polyak 1964; Nesterov
// 1983 written on the extrapolated points; conjugate gradients, Hager and Zhang 2005, eq. 1.3 in the metric of D.
#pragma once

#include "../rule.h"

namespace mdbopt::MDBOPT_ISA {

// D = one + root·√b + box·b; two of the three are 0.
struct Metric {
  double one, root, box;
  MDBOPT_INLINE double operator()(double b) const { return one + root * sqrt(b) + box * b; }
};

struct ScaledDot {
  static constexpr const char* kName = "scaled_dot";
  static constexpr const char* kSummary = "q ← scale·a, emits Σ w·q";
  static constexpr Stream kStreams[] = {{"a", Role::kIn}, {"w", Role::kIn}, {"q", Role::kOut}};
  enum { kA, kW, kQ };
  static constexpr Scalar kScalars[] = {{"scale", 1.0}};
  static constexpr Sum kEmitted[] = {{"dot"}};
  struct Coef {
    double scale;
  };
  static bool prepare(const double* scalars, double, Coef& c) {
    c = {scalars[0]};
    return true;
  }
  template <class V>
  MDBOPT_INLINE static void apply(V& v, const Coef& c, double* sums) {
    sums[0] = v[kW] * v.put(kQ, c.scale * v[kA]);
  }
};

struct AxpyDot {
  static constexpr const char* kName = "axpy_dot";
  static constexpr const char* kSummary = "q ← q + c·a, emits Σ (scale·w)·q";
  static constexpr Stream kStreams[] = {{"a", Role::kIn}, {"w", Role::kIn}, {"q", Role::kInOut}};
  enum { kA, kW, kQ };
  static constexpr Scalar kScalars[] = {{"c"}, {"scale", 1.0}};
  static constexpr Sum kEmitted[] = {{"dot"}};
  struct Coef {
    double c, scale;
  };
  static bool prepare(const double* scalars, double, Coef& c) {
    c = {scalars[0], scalars[1]};
    return true;
  }
  template <class V>
  MDBOPT_INLINE static void apply(V& v, const Coef& c, double* sums) {
    sums[0] = (c.scale * v[kW]) * v.put(kQ, v[kQ] + c.c * v[kA]);
  }
};

struct MetricDot {
  static constexpr const char* kName = "metric_dot";
  static constexpr const char* kSummary = "q ← (one + root·√b + box·b)(q + c·a), emits Σ a·q";
  static constexpr Stream kStreams[] = {
      {"a", Role::kIn}, {"b", Role::kIn, Storage::kWide}, {"q", Role::kInOut}};
  enum { kA, kB, kQ };
  static constexpr Scalar kScalars[] = {{"c"}, {"one", 0.0}, {"root", 0.0}, {"box", 0.0}};
  static constexpr Sum kEmitted[] = {{"dot"}};
  struct Coef {
    double c;
    Metric metric;
  };
  static bool prepare(const double* scalars, double, Coef& c) {
    c = {scalars[0], {scalars[1], scalars[2], scalars[3]}};
    return true;
  }
  template <class V>
  MDBOPT_INLINE static void apply(V& v, const Coef& c, double* sums) {
    sums[0] = v[kA] * v.put(kQ, c.metric(v[kB]) * (v[kQ] + c.c * v[kA]));
  }
};

struct MomentumStep {
  static constexpr const char* kName = "momentum_step";
  static constexpr const char* kSummary = "q ← beta·m − (one + root·√b + box·b)·scale·g, emits ⟨scale·g, q⟩";
  static constexpr Stream kStreams[] = {
      {"g", Role::kIn}, {"b", Role::kIn, Storage::kWide}, {"m", Role::kIn}, {"q", Role::kOut}};
  enum { kG, kB, kM, kQ };
  static constexpr Scalar kScalars[] = {
      {"beta", 0.0}, {"scale", 1.0}, {"one", 0.0}, {"root", 0.0}, {"box", 0.0}};
  static constexpr Sum kEmitted[] = {{"slope"}};
  struct Coef {
    double beta, scale;
    Metric metric;
  };
  static bool prepare(const double* scalars, double, Coef& c) {
    c = {scalars[0], scalars[1], {scalars[2], scalars[3], scalars[4]}};
    return true;
  }
  template <class V>
  MDBOPT_INLINE static void apply(V& v, const Coef& c, double* sums) {
    const double g = c.scale * v[kG];
    sums[0] = g * v.put(kQ, c.beta * v[kM] - c.metric(v[kB]) * g);
  }
};

struct NesterovStep {
  static constexpr const char* kName = "nesterov_step";
  static constexpr const char* kSummary = "z ← −(one + root·√b + box·b)·scale·g, q ← z + beta·(z − (z_old − s)), emits ⟨scale·g, q⟩";
  static constexpr Stream kStreams[] = {{"g", Role::kIn},
                                        {"b", Role::kIn, Storage::kWide},
                                        {"s", Role::kIn},
                                        {"z", Role::kInOut},
                                        {"q", Role::kOut}};
  enum { kG, kB, kS, kZ, kQ };
  static constexpr auto& kScalars = MomentumStep::kScalars;
  static constexpr Sum kEmitted[] = {{"slope"}};
  using Coef = MomentumStep::Coef;
  static bool prepare(const double* scalars, double n, Coef& c) { return MomentumStep::prepare(scalars, n, c); }
  template <class V>
  MDBOPT_INLINE static void apply(V& v, const Coef& c, double* sums) {
    const double g = c.scale * v[kG];
    const double before = v[kZ] - v[kS];
    const double z = -(c.metric(v[kB]) * g);
    v[kZ] = z;
    sums[0] = g * v.put(kQ, z + c.beta * (z - before));
  }
};

struct CgProducts {
  static constexpr const char* kName = "cg_products";
  static constexpr const char* kSummary = "inner products of delta, y, g and D = one + root·√b + box·b for conjugate gradients";
  static constexpr Stream kStreams[] = {
      {"g", Role::kIn}, {"b", Role::kIn, Storage::kWide}, {"delta", Role::kIn}, {"y", Role::kIn}};
  enum { kG, kB, kDelta, kY };
  static constexpr Scalar kScalars[] = {{"scale", 1.0}, {"one", 0.0}, {"root", 0.0}, {"box", 0.0}};
  static constexpr Sum kGathered[] = {{"delta_y"}, {"y_dg"}, {"y_dy"}, {"delta_g"}};
  struct Coef {
    double scale;
    Metric metric;
  };
  static bool prepare(const double* scalars, double, Coef& c) {
    c = {scalars[0], {scalars[1], scalars[2], scalars[3]}};
    return true;
  }
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
  static constexpr Stream kStreams[] = {{"x", Role::kIn}, {"q", Role::kIn}, {"x_trial", Role::kOut}};
  enum { kX, kQ, kXTrial };
  static constexpr Scalar kScalars[] = {{"t"}};
  static constexpr Sum kEmitted[] = {{"moved", Fold::kMax}};
  struct Coef {
    double t;
  };
  static bool prepare(const double* scalars, double, Coef& c) {
    c = {scalars[0]};
    return true;
  }
  template <class V>
  MDBOPT_INLINE static void apply(V& v, const Coef& c, double* sums) {
    sums[0] = abs(v.put(kXTrial, v[kX] + c.t * v[kQ]) - v[kX]);
  }
};

}  // namespace mdbopt::MDBOPT_ISA
