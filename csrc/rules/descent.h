// descent – what methods that learn a step size from pairs of points ask of them.
//
//   pair_sums                ⟨g, s⟩, ⟨g⁺, s⟩, ⟨s, y⟩, ‖s‖², ‖y‖², ⟨g, g⁺⟩, ‖g⁺‖², s = x⁺ − x, y = g⁺ − g
//   barzilai_borwein         u ← clip((s∘y + mu u)/(s² + mu), least, most), u = 1/p: the diagonal matrix
//                            nearest to the secant equation u∘s = y and to the one before
//   osgm_learn(_in_metric)   p ← max(p + hyper_lr h/(√sum_of_squares + eps), 0), h = inverse g∘g⁺
//
// Source: Park, Dhar, Boyd, Shah 2020, "Variable metric proximal gradient method with diagonal
// Barzilai-Borwein stepsize", section 3 (least and most are 1 over the long and the short step of
// Barzilai and Borwein 1988); Gao et al. 2025, arXiv 2505.23081 (hypergradient, learned by AdaGrad).
#pragma once

#include "direction.h"
#include "learned_rates.h"

namespace mdbopt::MDBOPT_ISA {

struct PairSums : ScaleOnly {
  static constexpr const char* kName = "pair_sums";
  static constexpr const char* kSummary =
      "inner products of s = x_trial − x, y = scale·(g_trial − g) and the scaled gradients";
  static constexpr Stream kStreams[] = {
      {"x", Role::kIn}, {"x_trial", Role::kIn}, {"g", Role::kIn}, {"g_trial", Role::kIn}};
  enum { kX, kXTrial, kG, kGTrial };
  static constexpr Sum kGathered[] = {{"gs"}, {"gs_trial"}, {"sy"},       {"ss"},
                                      {"yy"}, {"gg_trial"}, {"g2_trial"}, {"gmax", Fold::kMax}};
  template <class V>
  MDBOPT_INLINE static void gather(const V& v, const Coef& c, double* sums) {
    const double g = c.scale * v[kG];
    const double g_trial = c.scale * v[kGTrial];
    const double s = v[kXTrial] - v[kX];
    const double y = g_trial - g;
    sums[0] = g * s;
    sums[1] = g_trial * s;
    sums[2] = s * y;
    sums[3] = s * s;
    sums[4] = y * y;
    sums[5] = g * g_trial;
    sums[6] = g_trial * g_trial;
    sums[7] = abs(v[kGTrial]);
  }
};

struct BarzilaiBorwein {
  static constexpr const char* kName = "barzilai_borwein";
  static constexpr const char* kSummary =
      "p ← 1/u, u = clip((s·y + mu/p)/(s² + mu), least, most), s = x_trial − x, y = "
      "scale·(g_trial − g)";
  static constexpr Stream kStreams[] = {{"x", Role::kIn},
                                        {"x_trial", Role::kIn},
                                        {"g", Role::kIn},
                                        {"g_trial", Role::kIn},
                                        {"p", Role::kInOut, Storage::kWide}};
  enum { kX, kXTrial, kG, kGTrial, kP };
  struct Coef {
    double mu, least, most, scale;
  };
  static constexpr ScalarOf<Coef> kScalars[] = {{"mu", &Coef::mu},
                                                {"least", &Coef::least},
                                                {"most", &Coef::most},
                                                {"scale", &Coef::scale, 1.0}};
  template <class V>
  MDBOPT_INLINE static void apply(V& v, const Coef& c, double*) {
    const double s = v[kXTrial] - v[kX];
    const double y = c.scale * v[kGTrial] - c.scale * v[kG];
    const double u = (s * y + c.mu / v[kP]) / (s * s + c.mu);
    v[kP] = 1.0 / min(max(u, c.least), c.most);
  }
};

struct OsgmLearn {
  static constexpr const char* kName = "osgm_learn";
  static constexpr const char* kSummary =
      "h = inverse·(scale·g)·(scale·g_trial), sum_of_squares ← sum_of_squares + h², p ← max(p + "
      "hyper_lr·h/(√sum_of_squares + eps), 0)";
  static constexpr Stream kStreams[] = {{"g", Role::kIn},
                                        {"g_trial", Role::kIn},
                                        {"p", Role::kInOut, Storage::kWide},
                                        {"sum_of_squares", Role::kInOut, Storage::kWide}};
  enum { kG, kGTrial, kP, kSum };
  struct Coef {
    double inverse, hyper_lr, eps, scale;
  };
  static constexpr ScalarOf<Coef> kScalars[] = {{"inverse", &Coef::inverse},
                                                {"hyper_lr", &Coef::hyper_lr},
                                                {"eps", &Coef::eps, 1e-12},
                                                {"scale", &Coef::scale, 1.0}};
  template <class V>
  MDBOPT_INLINE static void apply(V& v, const Coef& c, double*) {
    learn_rate(v, c, kP, c.hyper_lr);
  }
  template <class V, class C>
  MDBOPT_INLINE static void learn_rate(V& v, const C& c, std::size_t place, double lr) {
    const double h = c.inverse * ((c.scale * v[kG]) * (c.scale * v[kGTrial]));
    double sum = v[place + 1];
    v[place] = learned(double(v[place]), h, sum, lr, c.eps);
    v[place + 1] = sum;
  }
};

// Each coordinate learns at its rate in the metric D of the box of valid step sizes.
struct OsgmLearnInMetric {
  static constexpr const char* kName = "osgm_learn_in_metric";
  static constexpr const char* kSummary =
      "as osgm_learn, with hyper_lr·D for hyper_lr, D = one + root·√b + box·b, b at most widest";
  static constexpr Stream kStreams[] = {{"g", Role::kIn},
                                        {"g_trial", Role::kIn},
                                        {"b", Role::kIn, Storage::kWide},
                                        {"p", Role::kInOut, Storage::kWide},
                                        {"sum_of_squares", Role::kInOut, Storage::kWide}};
  enum { kB = 2, kP };
  struct Coef : Metric {
    double inverse, hyper_lr, widest, eps, scale;
  };
  static constexpr ScalarOf<Coef> kScalars[] = {
      {"inverse", &Coef::inverse}, {"hyper_lr", &Coef::hyper_lr}, {"widest", &Coef::widest},
      {"one", &Coef::one, 0.0},    {"root", &Coef::root, 0.0},    {"box", &Coef::box, 0.0},
      {"eps", &Coef::eps, 1e-12},  {"scale", &Coef::scale, 1.0}};
  template <class V>
  MDBOPT_INLINE static void apply(V& v, const Coef& c, double*) {
    OsgmLearn::learn_rate(v, c, kP, c.hyper_lr * c.metric(min(v[kB], c.widest)));
  }
};

}  // namespace mdbopt::MDBOPT_ISA
