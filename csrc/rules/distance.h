// distance – a step size that follows from how far parameters have come: distance over gradients.
//
//   r ← max(r, ‖x − x0‖, initial (1 + ‖x0‖)) (farthest), over all arrays of a call
//   dog   S ← S + ‖g‖² (sum_of_squares),    d = r g/√(S + eps)
//   dowg  S ← S + r² ‖g‖², weighted 1,      d = r² g/√(S + eps)
//
// x0 are the first parameters. r and S are 0 at first, and go from step to step. Where S + eps is 0 no step
// is taken. Sources: Ivgi, Hinder, Carmon 2023, "DoG is SGD's best friend", equation DoG and section 4 for
// what r is at first; Khaled, Mishchenko, Jin 2023, "DoWG unleashed", algorithm 1, which has no eps and takes
// any r at first.
#pragma once

#include "update.h"

namespace mdbopt::MDBOPT_ISA {

struct DistanceOverGradients : Update {
  static constexpr const char* kName = "distance_over_gradients";
  static constexpr const char* kSummary =
      "farthest ← max(farthest, ‖x − x0‖, initial·(1 + ‖x0‖)), sum_of_squares ← sum_of_squares + "
      "‖g‖², x ← x − lr·farthest·g/√(sum_of_squares + eps); with weighted, farthest²·‖g‖² is added "
      "and farthest² takes the place of farthest";
  static constexpr Stream kStreams[] = {
      {"x", Role::kInOut}, {"g", Role::kIn}, {"x0", Role::kIn, Storage::kState}};
  enum { kFirst = 2 };
  static constexpr Sum kGathered[] = {{"norm2"}, {"moved2"}, {"first2"}};
  static constexpr Sum kSolved[] = {{"farthest"}, {"sum_of_squares"}};
  struct Coef : Update::Coef {
    double farthest, sum_of_squares, initial, eps, weighted, scale;
  };
  static constexpr ScalarOf<Coef> kScalars[] = {{"farthest", &Coef::farthest, 0.0},
                                                {"sum_of_squares", &Coef::sum_of_squares, 0.0},
                                                {"initial", &Coef::initial, 1e-6},
                                                {"eps", &Coef::eps, 1e-8},
                                                {"weighted", &Coef::weighted, 0.0}};
  template <class V>
  MDBOPT_INLINE static void gather(const V& v, const Coef& c, double* sums) {
    const double g = c.gradient(v);
    const double first = v[kFirst];
    const double moved = static_cast<double>(v[kX]) - first;
    sums[0] = g * g;
    sums[1] = moved * moved;
    sums[2] = first * first;
  }
  MDBOPT_HOST_DEVICE static bool solve(double* sums, double, Coef& c) {
    const double least = maximum(c.farthest, c.initial * (1.0 + sqrt(sums[2])));
    const double farthest = maximum(least, sqrt(sums[1]));
    const bool weighs = c.weighted != 0.0;
    sums[3] = farthest;
    sums[4] = c.sum_of_squares + (weighs ? farthest * farthest : 1.0) * sums[0];
    const double divisor = sqrt(sums[4] + c.eps);
    const double length = weighs ? farthest * farthest : farthest;
    c.scale = divisor == 0.0 ? 0.0 : length / divisor;
    return true;
  }
  template <class V>
  MDBOPT_INLINE static void apply(V& v, const Coef& c, double*) {
    c.move(v, in_range<typename V::Real>(c.scale) * c.gradient(v));
  }
};

}  // namespace mdbopt::MDBOPT_ISA
