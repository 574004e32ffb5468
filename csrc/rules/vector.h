// vector – the plain vector operations that searches need: sums of products and the materialised
// normal of a cut.
#pragma once

#include "normal.h"

namespace mdbopt::MDBOPT_ISA {

// Takes a scalar that has outgrown its range into the set it multiplies.
struct Rescale {
  static constexpr const char* kName = "rescale";
  static constexpr const char* kSummary = "b ← min(factor·b, most)";
  static constexpr Stream kStreams[] = {{"b", Role::kInOut, Storage::kWide}};
  struct Coef {
    double factor, most;
  };
  static constexpr ScalarOf<Coef> kScalars[] = {{"factor", &Coef::factor},
                                                {"most", &Coef::most, 1e300}};
  template <class V>
  MDBOPT_INLINE static void apply(V& v, const Coef& c, double*) {
    v[0] = min(c.factor * v[0], c.most);
  }
};

struct Fill {
  static constexpr const char* kName = "fill";
  static constexpr const char* kSummary = "b ← value";
  static constexpr Stream kStreams[] = {{"b", Role::kOut, Storage::kWide}};
  struct Coef {
    double value;
  };
  static constexpr ScalarOf<Coef> kScalars[] = {{"value", &Coef::value}};
  template <class V>
  MDBOPT_INLINE static void apply(V& v, const Coef& c, double*) {
    v[0] = c.value;
  }
};

struct Dot : NoScalars {
  static constexpr const char* kName = "dot";
  static constexpr const char* kSummary = "Σ a·b in float64, in the fixed order";
  static constexpr Stream kStreams[] = {{"a", Role::kIn}, {"b", Role::kIn}};
  enum { kA, kB };
  static constexpr Sum kGathered[] = {{"dot"}};
  template <class V>
  MDBOPT_INLINE static void gather(const V& v, const Coef&, double* sums) {
    sums[0] = v[kA] * v[kB];
  }
};

struct Norm : ScaleOnly {
  static constexpr bool kTakesHalf = true;  // gradients are clipped by their norm
  static constexpr const char* kName = "norm";
  static constexpr const char* kSummary =
      "Σ (scale·a)² and max|a|, which is NaN or inf when an element is not finite";
  static constexpr Stream kStreams[] = {{"a", Role::kIn}};
  static constexpr Sum kGathered[] = {{"norm2"}, {"max", Fold::kMax}};
  template <class V>
  MDBOPT_INLINE static void gather(const V& v, const Coef& c, double* sums) {
    sums[0] = (c.scale * v[0]) * (c.scale * v[0]);
    sums[1] = abs(v[0]);
  }
};

// Kunstner et al. 2023, eq. 8: ∇h(p) = ½ g∘g − g∘g⁺, its positive part, or the co-coercive normal
// (normal.h).
struct Hypergradient {
  static constexpr const char* kName = "hypergradient";
  static constexpr const char* kSummary =
      "u ← max(0, ½g² − g·g_trial), or (g − g_trial)² when cocoercive is not 0";
  static constexpr Stream kStreams[] = {
      {"g", Role::kIn}, {"g_trial", Role::kIn}, {"u", Role::kOut, Storage::kWide}};
  enum { kG, kGTrial, kU };
  struct Coef {
    double scale, cocoercive;
  };
  static constexpr ScalarOf<Coef> kScalars[] = {{"scale", &Coef::scale, 1.0},
                                                {"cocoercive", &Coef::cocoercive, 0.0}};
  template <class V>
  MDBOPT_INLINE static void apply(V& v, const Coef& c, double*) {
    v[kU] = normal(c.scale * v[kG], c.scale * v[kGTrial], c.cocoercive);
  }
};

struct Square : ScaleOnly {
  static constexpr const char* kName = "square";
  static constexpr const char* kSummary = "u ← (scale·g)²";
  static constexpr Stream kStreams[] = {{"g", Role::kIn}, {"u", Role::kOut, Storage::kWide}};
  enum { kG, kU };
  template <class V>
  MDBOPT_INLINE static void apply(V& v, const Coef& c, double*) {
    v[kU] = (c.scale * v[kG]) * (c.scale * v[kG]);
  }
};

// For groups, where Σ g² over a group takes the place of g²: the candidate of ellipsoid_trial and
// its norm.
struct EllipsoidCandidate {
  static constexpr const char* kName = "ellipsoid_candidate";
  static constexpr const char* kSummary =
      "p ← step·a∘w with step = gamma/‖√a∘w‖, w the squared gradient of a group";
  static constexpr Stream kStreams[] = {{"w", Role::kIn, Storage::kWide},
                                        {"axes", Role::kIn, Storage::kWide},
                                        {"p", Role::kOut, Storage::kWide}};
  enum { kW, kSet, kP };
  static constexpr Sum kGathered[] = {{"norm2"}};
  struct Coef {
    double gamma, step;
  };
  static constexpr ScalarOf<Coef> kScalars[] = {{"gamma", &Coef::gamma}};
  template <class V>
  MDBOPT_INLINE static void gather(const V& v, const Coef&, double* sums) {
    sums[0] = (v[kSet] * v[kW]) * (v[kSet] * v[kW]);
  }
  MDBOPT_HOST_DEVICE static bool solve(const double* sums, double, Coef& c) {
    c.step = c.gamma / sqrt(sums[0]);
    return sums[0] > 0.0;
  }
  template <class V>
  MDBOPT_INLINE static void apply(V& v, const Coef& c, double*) {
    v[kP] = c.step * (v[kSet] * (v[kSet] * v[kW]));
  }
};

}  // namespace mdbopt::MDBOPT_ISA
