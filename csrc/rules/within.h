// within – points, gradients and pairs where x is bounded, lower ≤ x ≤ upper.
//
//   box_clip, gradient_clip  x_trial ← clip(x_trial) behind the walk that wrote x − p∘g
//   along_clip               the same behind the walk along q
//   within_decrease          what box_clip would emit, without a trial
//   face                     what a trial says of bounds
//   face_norm                ‖g‖² and max|projected g| at a point
//   face_metric              q ← D q on the face, 0 off it
//   face_mask, restrict      pairs made to see the face alone
//   pair_table               ⟨s, y⟩ of three s and three y, for the tables of recursion.h
//   step_secant              what secant.h sums, of a step that a bound may have cut short
//
// A coordinate is active where it is at a bound and its gradient pushes it out; the others are the
// face. The projected gradient of a coordinate is min(|g|, the room to the bound that −g leads to): 0
// where it is active, and in no case more than a step by −g would move it.
// Source: docs/bounds.md; the active set is that of Bertsekas 1982.
#pragma once

#include "direction.h"
#include "trial.h"

namespace mdbopt::MDBOPT_ISA {

MDBOPT_INLINE double clip(double a, double lower, double upper) {
  return max(min(a, upper), lower);
}

MDBOPT_INLINE bool active(double x, double g, double lower, double upper) {
  return ((x <= lower) & (g >= 0.0)) | ((x >= upper) & (g <= 0.0));
}

MDBOPT_INLINE double projected(double x, double g, double scale, double lower, double upper) {
  const double room = select(g > 0.0, x - lower, upper - x);
  return without_sign(min(abs(scale * g), scale * room));
}

// Of a step by p from x with the gradient g over the scale: where it ends within the bounds, what of
// it is left, and twice the decrease promised, −⟨g, s⟩ − ½ s²/p.
struct ClippedStep {
  double decrease, spent;

  MDBOPT_INLINE ClippedStep(double x, double g, double p, double lower, double upper) {
    const double whole = -(p * g);
    const double s = clip(whole, lower - x, upper - x);
    const double share = select(s == whole, 1.0, s / whole);
    decrease = -(s * g) * (2.0 - share);
    spent = -(s * g) * share;
  }
};

// The sums of a clipped trial: those of every walk that proposes a point, with the projected
// gradient, and Σ s²/p.
inline constexpr Sum kClipSums[] = {
    {"decrease"}, {"gmax", Fold::kMax}, {"moved", Fold::kMax}, {"spent"}};

struct LinearClip {
  using Candidate = LinearCandidate;
  static constexpr const char* kName = "box_clip";
  static constexpr Stream kStreams[] = {
      {"x", Role::kIn},     {"g", Role::kIn},     {"b", Role::kIn, Storage::kWide},
      {"lower", Role::kIn}, {"upper", Role::kIn}, {"x_trial", Role::kInOut}};
  enum { kSet = 2, kLower = 3, kUpper = 4, kXTrial = 5 };
};

struct UniformClip {
  using Candidate = UniformCandidate;
  static constexpr const char* kName = "gradient_clip";
  static constexpr Stream kStreams[] = {{"x", Role::kIn},
                                        {"g", Role::kIn},
                                        {"lower", Role::kIn},
                                        {"upper", Role::kIn},
                                        {"x_trial", Role::kInOut}};
  enum { kSet = 0, kLower = 2, kUpper = 3, kXTrial = 4 };
};

template <class Form>
struct Clip {
  static constexpr const char* kName = Form::kName;
  static constexpr const char* kSummary =
      "x_trial ← clip(x_trial, lower, upper), what x − p∘(scale·g) then promises";
  static constexpr auto& kStreams = Form::kStreams;
  enum { kX, kG };
  static constexpr auto& kEmitted = kClipSums;
  using Coef = typename Trial<typename Form::Candidate>::Coef;
  static constexpr auto& kScalars = Trial<typename Form::Candidate>::kScalars;
  template <class V>
  MDBOPT_INLINE static void apply(V& v, const Coef& c, double* sums) {
    const double x = v[kX];
    const double g = c.scale * v[kG];
    const double lower = v[Form::kLower];
    const double upper = v[Form::kUpper];
    const double p = Form::Candidate::p(v[Form::kSet], g, c.step);
    const ClippedStep step(x, g, p, lower, upper);
    sums[0] = step.decrease;
    sums[1] = projected(x, v[kG], c.scale, lower, upper);
    sums[2] = abs(v.put(Form::kXTrial, clip(v[Form::kXTrial], lower, upper)) - x);
    sums[3] = step.spent;
  }
};

// `slope` is that of the coordinates that move at all; `over` the largest of what a bound cut off, the
// whole step over what is left of it.
struct AlongClip {
  static constexpr const char* kName = "along_clip";
  static constexpr const char* kSummary =
      "x_trial ← clip(x_trial, lower, upper) behind along, emits max|x_trial − x|, ⟨scale·g, q⟩ "
      "where x moves, and max t·q/(x_trial − x) where a bound cut it short";
  static constexpr Stream kStreams[] = {{"x", Role::kIn},     {"q", Role::kIn},
                                        {"g", Role::kIn},     {"lower", Role::kIn},
                                        {"upper", Role::kIn}, {"x_trial", Role::kInOut}};
  enum { kX, kQ, kG, kLower, kUpper, kXTrial };
  static constexpr Sum kEmitted[] = {{"moved", Fold::kMax}, {"slope"}, {"over", Fold::kMax}};
  struct Coef {
    double t, scale;
  };
  static constexpr ScalarOf<Coef> kScalars[] = {{"t", &Coef::t}, {"scale", &Coef::scale, 1.0}};
  template <class V>
  MDBOPT_INLINE static void apply(V& v, const Coef& c, double* sums) {
    const double x = v[kX];
    const double before = v[kXTrial];
    const double trial = v.put(kXTrial, clip(before, v[kLower], v[kUpper]));
    const double s = trial - x;
    sums[0] = abs(s);
    sums[1] = select(s == 0.0, 0.0, (c.scale * v[kG]) * v[kQ]);
    sums[2] = select((trial == before) | (s == 0.0), 0.0, without_sign(c.t * v[kQ] / s));
  }
};

struct WithinDecrease {
  static constexpr const char* kName = "within_decrease";
  static constexpr const char* kSummary =
      "−2⟨scale·g, s⟩ − Σ s²/p, s the step from x by p = step·b within the bounds";
  static constexpr Stream kStreams[] = {{"x", Role::kIn},
                                        {"g", Role::kIn},
                                        {"b", Role::kIn, Storage::kWide},
                                        {"lower", Role::kIn},
                                        {"upper", Role::kIn}};
  enum { kX, kG, kB, kLower, kUpper };
  static constexpr Sum kGathered[] = {{"decrease"}};
  using Coef = Trial<LinearCandidate>::Coef;
  static constexpr auto& kScalars = Trial<LinearCandidate>::kScalars;
  template <class V>
  MDBOPT_INLINE static void gather(const V& v, const Coef& c, double* sums) {
    sums[0] = ClippedStep(v[kX], c.scale * v[kG], c.step * v[kB], v[kLower], v[kUpper]).decrease;
  }
};

struct Face : ScaleOnly {
  static constexpr const char* kName = "face";
  static constexpr const char* kSummary =
      "max|projected g| at x_trial, and whether a coordinate is active there that was not at x";
  static constexpr Stream kStreams[] = {{"x", Role::kIn},     {"x_trial", Role::kIn},
                                        {"g", Role::kIn},     {"g_trial", Role::kIn},
                                        {"lower", Role::kIn}, {"upper", Role::kIn}};
  enum { kX, kXTrial, kG, kGTrial, kLower, kUpper };
  static constexpr Sum kGathered[] = {{"gmax", Fold::kMax}, {"closing", Fold::kMax}};
  template <class V>
  MDBOPT_INLINE static void gather(const V& v, const Coef& c, double* sums) {
    const double lower = v[kLower];
    const double upper = v[kUpper];
    sums[0] = projected(v[kXTrial], v[kGTrial], c.scale, lower, upper);
    const bool before = active(v[kX], v[kG], lower, upper);
    sums[1] = select(active(v[kXTrial], v[kGTrial], lower, upper) & !before, 1.0, 0.0);
  }
};

struct FaceNorm : ScaleOnly {
  static constexpr const char* kName = "face_norm";
  static constexpr const char* kSummary =
      "Σ (scale·g)² where x is not active, max|projected g|, and whether x lies within the bounds";
  static constexpr Stream kStreams[] = {
      {"x", Role::kIn}, {"g", Role::kIn}, {"lower", Role::kIn}, {"upper", Role::kIn}};
  enum { kX, kG, kLower, kUpper };
  static constexpr Sum kGathered[] = {{"norm2"}, {"gmax", Fold::kMax}, {"outside", Fold::kMax}};
  template <class V>
  MDBOPT_INLINE static void gather(const V& v, const Coef& c, double* sums) {
    const double x = v[kX];
    const double lower = v[kLower];
    const double upper = v[kUpper];
    const double g = c.scale * v[kG];
    sums[0] = select(active(x, v[kG], lower, upper), 0.0, g * g);
    sums[1] = projected(x, v[kG], c.scale, lower, upper);
    sums[2] = select((x < lower) | (x > upper), 1.0, 0.0);
  }
};

struct FaceMetric {
  static constexpr const char* kName = "face_metric";
  static constexpr const char* kSummary =
      "q ← D q where x is not active, D = one + root·√b + box·b, else 0";
  static constexpr Stream kStreams[] = {{"x", Role::kIn},
                                        {"g", Role::kIn},
                                        {"lower", Role::kIn},
                                        {"upper", Role::kIn},
                                        {"b", Role::kIn, Storage::kWide},
                                        {"q", Role::kInOut}};
  enum { kX, kG, kLower, kUpper, kB, kQ };
  using Coef = Metric;
  static constexpr ScalarOf<Coef> kScalars[] = {
      {"one", &Coef::one, 0.0}, {"root", &Coef::root, 0.0}, {"box", &Coef::box, 0.0}};
  template <class V>
  MDBOPT_INLINE static void apply(V& v, const Coef& c, double*) {
    const bool still = active(v[kX], v[kG], v[kLower], v[kUpper]);
    v[kQ] = select(still, 0.0, c.metric(v[kB]) * v[kQ]);
  }
};

struct FaceMask : NoScalars {
  static constexpr const char* kName = "face_mask";
  static constexpr const char* kSummary = "q ← 0 where x is active, else 1";
  static constexpr Stream kStreams[] = {{"x", Role::kIn},
                                        {"g", Role::kIn},
                                        {"lower", Role::kIn},
                                        {"upper", Role::kIn},
                                        {"q", Role::kOut}};
  enum { kX, kG, kLower, kUpper, kQ };
  template <class V>
  MDBOPT_INLINE static void apply(V& v, const Coef&, double*) {
    v[kQ] = select(active(v[kX], v[kG], v[kLower], v[kUpper]), 0.0, 1.0);
  }
};

struct Restrict : NoScalars {
  static constexpr const char* kName = "restrict";
  static constexpr const char* kSummary = "s ← q·s, q a mask of zeros and ones";
  static constexpr Stream kStreams[] = {{"q", Role::kIn}, {"s", Role::kInOut, Storage::kNarrow}};
  enum { kQ, kS };
  template <class V>
  MDBOPT_INLINE static void apply(V& v, const Coef&, double*) {
    v[kS] = v[kQ] * v[kS];
  }
};

struct PairTable : NoScalars {
  static constexpr std::size_t kSide = 3;
  static constexpr const char* kName = "pair_table";
  static constexpr const char* kSummary = "s·y of three s with three y";
  static constexpr Stream kStreams[] = {
      {"s0", Role::kIn, Storage::kNarrow}, {"s1", Role::kIn, Storage::kNarrow},
      {"s2", Role::kIn, Storage::kNarrow}, {"y0", Role::kIn, Storage::kNarrow},
      {"y1", Role::kIn, Storage::kNarrow}, {"y2", Role::kIn, Storage::kNarrow}};
  static constexpr Sum kGathered[] = {{"s0y0"}, {"s0y1"}, {"s0y2"}, {"s1y0"}, {"s1y1"},
                                      {"s1y2"}, {"s2y0"}, {"s2y1"}, {"s2y2"}};
  template <class V>
  MDBOPT_INLINE static void gather(const V& v, const Coef&, double* sums) {
    for (std::size_t a = 0; a < kSide; ++a) {
      for (std::size_t b = 0; b < kSide; ++b) sums[kSide * a + b] = v[a] * v[kSide + b];
    }
  }
};

struct StepSecant : ScaleOnly {
  static constexpr const char* kName = "step_secant";
  static constexpr const char* kSummary =
      "slope ⟨scale·g_trial, x − x_trial⟩ and curvature ⟨scale·(g − g_trial), x − x_trial⟩";
  static constexpr Stream kStreams[] = {
      {"x", Role::kIn}, {"x_trial", Role::kIn}, {"g", Role::kIn}, {"g_trial", Role::kIn}};
  enum { kX, kXTrial, kG, kGTrial };
  static constexpr Sum kGathered[] = {{"slope"}, {"curvature"}};
  template <class V>
  MDBOPT_INLINE static void gather(const V& v, const Coef& c, double* sums) {
    const double back = v[kX] - v[kXTrial];
    const double g_trial = c.scale * v[kGTrial];
    sums[0] = back * g_trial;
    sums[1] = back * (c.scale * v[kG] - g_trial);
  }
};

}  // namespace mdbopt::MDBOPT_ISA
