// make – a search by the name of its method, once every option has a meaning for it.
#include <mdbopt/error.h>

#include <cmath>
#include <cstddef>
#include <limits>
#include <string>

#include "guarded.h"
#include "multidimensional.h"

namespace mdbopt::search {
namespace {

// NaN stands for the default and passes.
void check(const char* name, double value, double least, bool inclusive, const char* expected) {
  if (std::isnan(value)) return;
  if (std::isfinite(value) && (value > least || (inclusive && value == least))) return;
  throw Error(std::string(name) + ": expected " + expected + ", got " + std::to_string(value));
}

void check_bounds(const Options& o) {
  if (o.lower.empty() && o.upper.empty()) return;
  if (o.lower.size() != o.upper.size()) {
    throw Error("bounds: expected as many lower as upper ones, got " +
                std::to_string(o.lower.size()) + " and " + std::to_string(o.upper.size()));
  }
  for (std::size_t i = 0; i < o.lower.size(); ++i) {
    const double lower = o.lower[i];
    const double upper = o.upper[i];
    constexpr double kInfinite = std::numeric_limits<double>::infinity();
    if (lower <= upper && lower < kInfinite && upper > -kInfinite) continue;
    throw Error("bounds: expected lower <= upper, got " + std::to_string(lower) + " and " +
                std::to_string(upper) + " at index " + std::to_string(i));
  }
}

void check_l1(const Options& o) {
  for (std::size_t i = 0; i < o.l1.size(); ++i) {
    if (std::isfinite(o.l1[i]) && o.l1[i] >= 0.0) continue;
    throw Error("l1: expected finite numbers >= 0, got " + std::to_string(o.l1[i]) + " at index " +
                std::to_string(i));
  }
}

void check_noise(const Options& o) {
  const auto check_level = [](const char* of, double level) {
    if (std::isfinite(level) && level >= 0.0) return;
    throw Error("noise: expected finite numbers >= 0, got " + std::to_string(level) + " for " + of);
  };
  check_level("f", o.noise_f);
  check_level("the gradient", o.noise_g);
  if (o.noise_f == 0.0 && o.noise_g == 0.0) return;
  if (o.method != "guarded") {
    throw Error("noise: expected none with the method " + o.method +
                ", whose cuts are not made for it, or the method guarded");
  }
  if (!o.cocoercive) {
    throw Error(
        "cut: expected cocoercive with noise, as the hypergradient's half-space is that of a step "
        "along the exact gradient, got hypergradient");
  }
}

// What steps that are not straight along −p∘g leave of the other options.
void check_bent(const Options& o) {
  if (o.lower.empty() && o.l1.empty()) return;
  const std::string with = o.l1.empty() ? "bounds" : "l1";
  if (!o.cocoercive) {
    throw Error("cut: expected cocoercive with " + with +
                ", as the hypergradient's half-space is that of a step "
                "without, got hypergradient");
  }
  if (o.method == "ellipsoid" && o.gradient_direction) {
    throw Error("candidate: expected plain with " + with +
                ", as the other one would follow coordinates that "
                "do not move, got gradient");
  }
  if (o.method == "guarded" && o.proposer != "lbfgs") {
    throw Error("proposer: expected lbfgs with " + with + ", got " + o.proposer);
  }
}

void check_options(const Options& options) {
  check("gamma", options.gamma, 0.0, false, "a finite number > 0");
  check("initial_scale", options.initial_scale, 0.0, false, "a finite number > 0 or \"auto\"");
  check("forward", options.forward, 1.0, true, "a finite number ≥ 1");
  check_bounds(options);
  check_l1(options);
  check_bent(options);
  check_noise(options);
  if (options.refine < 0)
    throw Error("refine: expected a whole number ≥ 0, got " + std::to_string(options.refine));
}

}  // namespace

std::unique_ptr<Search> make(const Options& options) {
  check_options(options);
  if (options.method == "guarded") return std::make_unique<Guarded>(options);
  for (const char* method : {"box", "ellipsoid", "simplex", "backtracking"}) {
    if (options.method == method) return std::make_unique<Multidimensional>(options);
  }
  throw Error("method: expected guarded, box, ellipsoid, simplex or backtracking, got '" +
              options.method + "'");
}

std::unique_ptr<Search> make(const Options& options, std::size_t size, Dtype dtype) {
  std::unique_ptr<Search> search = make(options);
  try {
    search->allocate(size, dtype);
  } catch (const std::exception& error) {
    search->fail(error.what());
    throw;
  }
  return search;
}

}  // namespace mdbopt::search
