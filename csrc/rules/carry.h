// carry – what an earlier search has learnt, where the new objective is the old one with another ½ Σ
// l2 x².
//
//   carry_pair  y ← unit·y + s_unit·(l2_now − l2_before)·s, and a copy of s
//   carry_box   1/b ← max(1/b + unit·(l2_now − l2_before), unit·l2_now), b at most 1
//   carry_set   b ← b/max(1 − unit·(l2_before − l2_now)·b, l2_now/l2_before), where l2 has become less
//
// The difference of gradients between two points is known for the new objective without evaluating it
// there, so pairs are carried over exactly. Valid step sizes have diag(1/q) ⪰ ∇²f, and so 1/q of the old
// objective and of the new differ by l2_now − l2_before: docs/paths.md has the proof. Where f without
// the term is convex, 1/q ≥ l2_now besides.
#pragma once

#include "../engine/rule.h"

namespace mdbopt::MDBOPT_ISA {

struct CarryPair {
  static constexpr const char* kName = "carry_pair";
  static constexpr const char* kSummary =
      "s ← s_old, y ← unit·y_old + s_unit·(l2_now − l2_before)·s_old; s·y as stored, and "
      "the size of what it was added from";
  static constexpr Stream kStreams[] = {
      {"s_old", Role::kIn, Storage::kNarrow},   {"y_old", Role::kIn, Storage::kNarrow},
      {"l2_before", Role::kIn, Storage::kWide}, {"l2_now", Role::kIn, Storage::kWide},
      {"s", Role::kOut, Storage::kNarrow},      {"y", Role::kOut, Storage::kNarrow}};
  enum { kSOld, kYOld, kBefore, kNow, kS, kY };
  static constexpr Sum kEmitted[] = {{"sy"}, {"sy_parts"}};
  struct Coef {
    double unit, s_unit;
  };
  static constexpr ScalarOf<Coef> kScalars[] = {{"unit", &Coef::unit, 1.0},
                                                {"s_unit", &Coef::s_unit, 1.0}};
  template <class V>
  MDBOPT_INLINE static void apply(V& v, const Coef& c, double* sums) {
    const double s = v[kSOld];
    const double y = c.unit * v[kYOld];
    const double change = c.s_unit * (v[kNow] - v[kBefore]) * s;
    v[kS] = s;
    sums[0] = s * v.put(kY, y + change);
    sums[1] = abs(s) * (abs(y) + abs(change));
  }
};

struct CarryBox {
  static constexpr const char* kName = "carry_box";
  static constexpr const char* kSummary =
      "1/b ← max(1/b_old + unit·(l2_now − l2_before), unit·l2_now, 1)";
  static constexpr Stream kStreams[] = {{"b_old", Role::kIn, Storage::kWide},
                                        {"l2_before", Role::kIn, Storage::kWide},
                                        {"l2_now", Role::kIn, Storage::kWide},
                                        {"b", Role::kOut, Storage::kWide}};
  enum { kOld, kBefore, kNow, kB };
  struct Coef {
    double unit;
  };
  static constexpr ScalarOf<Coef> kScalars[] = {{"unit", &Coef::unit, 1.0}};
  template <class V>
  MDBOPT_INLINE static void apply(V& v, const Coef& c, double*) {
    const double inverse = 1.0 / v[kOld] + c.unit * (v[kNow] - v[kBefore]);
    v[kB] = 1.0 / max(max(inverse, c.unit * v[kNow]), 1.0);
  }
};

// A simplex or an ellipsoid: no valid step size is multiplied by more than its b is, so that sums over
// q/b, or (q/b)², stay within the set. Where l2 has grown they have become smaller, but no set of the
// same shape follows from that.
struct CarrySet {
  static constexpr const char* kName = "carry_set";
  static constexpr const char* kSummary =
      "b ← b_old/max(1 − unit·(l2_before − l2_now)·b_old, l2_now/l2_before, 1/most) where l2_now "
      "is "
      "less, else b_old";
  static constexpr Stream kStreams[] = {{"b_old", Role::kIn, Storage::kWide},
                                        {"l2_before", Role::kIn, Storage::kWide},
                                        {"l2_now", Role::kIn, Storage::kWide},
                                        {"b", Role::kOut, Storage::kWide}};
  enum { kOld, kBefore, kNow, kB };
  struct Coef {
    double unit, most, least;
  };
  static constexpr ScalarOf<Coef> kScalars[] = {{"unit", &Coef::unit, 1.0},
                                                {"most", &Coef::most, 1e300}};
  MDBOPT_INLINE static bool prepare(Coef& c, double) {
    c.least = 1.0 / c.most;
    return true;
  }
  template <class V>
  MDBOPT_INLINE static void apply(V& v, const Coef& c, double*) {
    constexpr double kTiny = 0x1p-1022;  // 0/0 where there is no l2 at all
    const double lost = max(v[kBefore] - v[kNow], 0.0);
    const double share = v[kNow] / max(v[kBefore], kTiny);
    const double left = max(max(1.0 - c.unit * lost * v[kOld], min(share, 1.0)), c.least);
    v[kB] = v[kOld] / left;
  }
};

}  // namespace mdbopt::MDBOPT_ISA
