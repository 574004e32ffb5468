// shape – the table of shapes, its rules resolved once.
#include "shape.h"

#include "../backend.h"
#include "../error.h"

namespace mdbopt::search {

const Shape& shape_of(const std::string& method, bool gradient_direction) {
  static const auto rule = [](const char* name) { return find_rule(name); };
  static const Shape box{"b",
                         rule("box_trial"),
                         rule("box_accept"),
                         rule("box_advance"),
                         rule("box_secant"),
                         rule("box_cut"),
                         rule("box_cut_trial"),
                         Shape::kBox,
                         false};
  static const Shape simplex{"b",
                             rule("box_trial"),
                             rule("box_accept"),
                             rule("box_advance"),
                             rule("box_secant"),
                             rule("simplex_cut"),
                             rule("simplex_cut_trial"),
                             Shape::kSimplex,
                             false};
  static const Shape plain{"axes",
                           rule("box_trial"),
                           rule("box_accept"),
                           rule("box_advance"),
                           rule("ellipsoid_plain_secant"),
                           rule("ellipsoid_cut"),
                           rule("ellipsoid_cut_trial"),
                           Shape::kEllipsoid,
                           false};
  static const Shape gradient{"axes",
                              rule("ellipsoid_trial"),
                              rule("ellipsoid_accept"),
                              rule("ellipsoid_advance"),
                              rule("ellipsoid_secant"),
                              rule("ellipsoid_cut"),
                              Shape::kNone,
                              Shape::kEllipsoid,
                              true};
  static const Shape one{nullptr,
                         rule("gradient_trial"),
                         rule("gradient_accept"),
                         rule("gradient_advance"),
                         rule("gradient_secant"),
                         Shape::kNone,
                         Shape::kNone,
                         Shape::kOneStepSize,
                         false};
  if (method == "box") return box;
  if (method == "simplex") return simplex;
  if (method == "ellipsoid") return gradient_direction ? gradient : plain;
  if (method == "backtracking") return one;
  throw Error("method: expected box, ellipsoid, simplex or backtracking, got '" + method + "'");
}

}  // namespace mdbopt::search
