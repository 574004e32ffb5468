// trial – the point that a candidate p proposes, x⁺ = x − p∘g, and the decrease it promises.
//
//   box_trial        p = step · b      (box, simplex, the plain candidate of the ellipsoid)
//   ellipsoid_trial  p = step · a∘g²   (a = axes², step = γ/‖√a∘g²‖: the point of the ellipsoid
//                                       that maximises ⟨g², q⟩, shrunk by γ)
//   gradient_trial   p = step          (one step size for all)
//
// g is read as scale · g: a power of two that keeps squares in range and changes no bit of what
// follows. The *_accept form also writes the new gradient to the search's own array, in the same
// walk; the *_advance form does so, too, and takes x from x_trial, where the next trial takes its
// place. Emits decrease = Σ p g² (half of it is promised), gmax = max|g| and moved = max|x⁺ − x| as
// stored, in the precision of x; the last two are NaN or inf when a point is not finite.
// Source: Kunstner et al. 2023, eq. 6 and section 5.
#pragma once

#include "../engine/rule.h"

namespace mdbopt::MDBOPT_ISA {

struct LinearCandidate {
  static constexpr Stream kTrialStreams[] = {{"x", Role::kIn},
                                             {"g", Role::kIn},
                                             {"b", Role::kIn, Storage::kWide},
                                             {"x_trial", Role::kOut}};
  static constexpr Stream kAcceptStreams[] = {{"x", Role::kIn},
                                              {"g_new", Role::kIn},
                                              {"b", Role::kIn, Storage::kWide},
                                              {"x_trial", Role::kOut},
                                              {"g", Role::kOut}};
  static constexpr Stream kAdvanceStreams[] = {{"x", Role::kOut},
                                               {"g_new", Role::kIn},
                                               {"b", Role::kIn, Storage::kWide},
                                               {"x_trial", Role::kInOut},
                                               {"g", Role::kOut}};
  enum { kSet = 2, kXTrial = 3, kGCopy = 4 };
  static constexpr const char* kTrial = "box_trial";
  static constexpr const char* kAccept = "box_accept";
  static constexpr const char* kAdvance = "box_advance";
  MDBOPT_INLINE static double p(double b, double, double step) { return step * b; }
};

struct GradientDirectionCandidate {
  static constexpr Stream kTrialStreams[] = {{"x", Role::kIn},
                                             {"g", Role::kIn},
                                             {"axes", Role::kIn, Storage::kWide},
                                             {"x_trial", Role::kOut}};
  static constexpr Stream kAcceptStreams[] = {{"x", Role::kIn},
                                              {"g_new", Role::kIn},
                                              {"axes", Role::kIn, Storage::kWide},
                                              {"x_trial", Role::kOut},
                                              {"g", Role::kOut}};
  static constexpr Stream kAdvanceStreams[] = {{"x", Role::kOut},
                                               {"g_new", Role::kIn},
                                               {"axes", Role::kIn, Storage::kWide},
                                               {"x_trial", Role::kInOut},
                                               {"g", Role::kOut}};
  enum { kSet = 2, kXTrial = 3, kGCopy = 4 };
  static constexpr const char* kTrial = "ellipsoid_trial";
  static constexpr const char* kAccept = "ellipsoid_accept";
  static constexpr const char* kAdvance = "ellipsoid_advance";
  MDBOPT_INLINE static double p(double axis, double g, double step) {
    return step * (axis * (axis * (g * g)));
  }
};

struct UniformCandidate {
  static constexpr Stream kTrialStreams[] = {
      {"x", Role::kIn}, {"g", Role::kIn}, {"x_trial", Role::kOut}};
  static constexpr Stream kAcceptStreams[] = {
      {"x", Role::kIn}, {"g_new", Role::kIn}, {"x_trial", Role::kOut}, {"g", Role::kOut}};
  static constexpr Stream kAdvanceStreams[] = {
      {"x", Role::kOut}, {"g_new", Role::kIn}, {"x_trial", Role::kInOut}, {"g", Role::kOut}};
  enum { kSet = 0, kXTrial = 2, kGCopy = 3 };  // there is no set: p ignores what it is given
  static constexpr const char* kTrial = "gradient_trial";
  static constexpr const char* kAccept = "gradient_accept";
  static constexpr const char* kAdvance = "gradient_advance";
  MDBOPT_INLINE static double p(double, double, double step) { return step; }
};

// The emitted sums of every walk that proposes a point, in this order.
inline constexpr Sum kTrialSums[] = {{"decrease"}, {"gmax", Fold::kMax}, {"moved", Fold::kMax}};

template <class V>
MDBOPT_INLINE void propose(V& v, std::size_t x_trial, double x, double g, double p, double* sums) {
  const double move = p * g;
  sums[0] = move * g;
  sums[1] = abs(g);
  sums[2] = abs(v.put(x_trial, x - move) - x);
}

template <class Candidate>
struct Trial {
  static constexpr const char* kName = Candidate::kTrial;
  static constexpr const char* kSummary =
      "x_trial ← x − p∘(scale·g), p = step times the set's candidate";
  static constexpr auto& kStreams = Candidate::kTrialStreams;
  enum { kX, kG };
  static constexpr auto& kEmitted = kTrialSums;
  struct Coef {
    double step, scale;
  };
  static constexpr ScalarOf<Coef> kScalars[] = {{"step", &Coef::step},
                                                {"scale", &Coef::scale, 1.0}};
  template <class V>
  MDBOPT_INLINE static void apply(V& v, const Coef& c, double* sums) {
    const double g = c.scale * v[kG];
    propose(v, Candidate::kXTrial, v[kX], g, Candidate::p(v[Candidate::kSet], g, c.step), sums);
  }
};

template <class Candidate>
struct Accept : Trial<Candidate> {
  static constexpr const char* kName = Candidate::kAccept;
  static constexpr const char* kSummary =
      "as the trial from g_new, which is copied to g in the same walk";
  static constexpr auto& kStreams = Candidate::kAcceptStreams;
  using Coef = typename Trial<Candidate>::Coef;
  template <class V>
  MDBOPT_INLINE static void apply(V& v, const Coef& c, double* sums) {
    v[Candidate::kGCopy] = v[Trial<Candidate>::kG];
    Trial<Candidate>::apply(v, c, sums);
  }
};

// Streams of the set and of what is written stand where Accept has them.
template <class Candidate>
struct Advance : Trial<Candidate> {
  static constexpr const char* kName = Candidate::kAdvance;
  static constexpr const char* kSummary =
      "x ← x_trial, g ← g_new, then the trial from there takes the place of x_trial";
  static constexpr auto& kStreams = Candidate::kAdvanceStreams;
  using Coef = typename Trial<Candidate>::Coef;
  template <class V>
  MDBOPT_INLINE static void apply(V& v, const Coef& c, double* sums) {
    const double x = v[Candidate::kXTrial];
    const double g_new = v[Trial<Candidate>::kG];
    v[Trial<Candidate>::kX] = x;
    v[Candidate::kGCopy] = g_new;
    const double g = c.scale * g_new;
    propose(v, Candidate::kXTrial, x, g, Candidate::p(v[Candidate::kSet], g, c.step), sums);
  }
};

}  // namespace mdbopt::MDBOPT_ISA
