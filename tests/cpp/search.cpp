// search – the searches from C++ alone: they converge, they continue from saved state to the same
// bits, and they say what was wrong.
#include <mdbopt/error.h>

#include <limits>

#include "searches.h"

using mdbopt::search::Status;

namespace {

template <class T>
void converges(const Case& one, double gtol) {
  Quadratic<T> problem(kSize);
  const auto search = make(options_of(one));
  problem.begin(*search);
  while (!search->converged(gtol) && search->evaluations() < 20000) problem.step(*search);
  if (!(search->gmax() <= gtol)) {
    fail(one, "max|g| is " + std::to_string(search->gmax()) + " after " +
                  std::to_string(search->evaluations()) + " evaluations");
  }
  for (std::size_t i = 0; i < kSize; ++i) {
    const double x = static_cast<double>(static_cast<const T*>(search->x().data())[i]);
    CHECK(std::abs(x - minimiser(options_of(one), i)) <= 2.0 * gtol);
  }
}

template <class T>
void continues_from(const Case& one, int steps, bool after_propose) {
  Quadratic<T> problem(kSize);
  const auto search = make(options_of(one));
  problem.begin(*search);
  for (int k = 0; k < steps && !search->converged(1e-3); ++k) problem.step(*search);
  if (after_propose) search->propose();
  State state;
  search->fields(state);
  state.load = true;
  const auto fresh = make(options_of(one), kSize, Quadratic<T>::kDtype);
  fresh->fields(state);
  fresh->loaded();
  if (!same(*search, *fresh)) fail(one, "a loaded search is not the one saved");
  Quadratic<T> other(kSize);
  for (int k = 0; k < 40 && !search->converged(1e-6); ++k) {
    problem.step(*search);
    other.step(*fresh);
    if (!same(*search, *fresh)) {
      return fail(one, "saved after " + std::to_string(steps) + " steps, parts ways " +
                           std::to_string(k + 1) + " steps later");
    }
  }
}

// A second init forgets all that came before, also when the search had ended.
void init_happens_once(const Case& one) {
  Quadratic<double> problem(kSize);
  const auto used = make(options_of(one));
  problem.begin(*used);
  bool refused = false;
  try {
    problem.begin(*used);
  } catch (const mdbopt::Error&) {
    refused = true;
  }
  CHECK(refused);
}

void errors_are_told() {
  for (const Case& one : cases()) {
    Quadratic<double> problem(kSize);
    const auto search = make(options_of(one));
    const Tensor g = problem.gradient();
    CHECK_THROWS(mdbopt::Error, "propose", search->propose());
    CHECK_THROWS(mdbopt::Error, "judge", search->judge(0.0, g));
    CHECK_THROWS(mdbopt::Error, "x: expected at least one element",
                 search->init({nullptr, 0, Dtype::kFloat64, true}, 0.0, {}));
    CHECK_THROWS(mdbopt::Error, "g: expected 12 elements (as x), got 11",
                 search->init(problem.point(), problem.f, {g.data, 11, g.dtype, true}));
    problem.begin(*search);
    CHECK_THROWS(mdbopt::Error, "judge: no point is proposed", search->judge(0.0, g));
    search->propose();
    CHECK_THROWS(mdbopt::Error, "g: expected 12 elements (as x), got 13",
                 search->judge(0.0, {g.data, 13, g.dtype, true}));
    CHECK_THROWS(mdbopt::TypeError, "g: expected dtype float64 (as x), got float32",
                 search->judge(0.0, {g.data, 12, Dtype::kFloat32, true}));
    // None of this costs the proposed point.
    problem.step(*search);
    CHECK_THROWS(mdbopt::Error, "judge: no point is proposed", search->judge(0.0, g));
  }
}

void options_are_checked() {
  const auto refused = [](const char* what, const std::function<void(Options&)>& set) {
    Options options;
    options.method = "ellipsoid";
    set(options);
    CHECK_THROWS(mdbopt::Error, what, make(options));
  };
  refused("method: expected", [](Options& o) { o.method = "newton"; });
  refused("gamma: expected", [](Options& o) { o.gamma = 0.0; });
  refused("gamma: expected", [](Options& o) { o.gamma = HUGE_VAL; });
  refused("initial_scale: expected", [](Options& o) { o.initial_scale = -1.0; });
  refused("forward: expected", [](Options& o) { o.forward = 0.99; });
  refused("refine: expected", [](Options& o) { o.refine = -1; });
  const auto bounded = [](Options& o, double lower, double upper) {
    o.lower = {lower};
    o.upper = {upper};
    o.gradient_direction = false;
  };
  refused("bounds: expected lower <= upper", [&](Options& o) { bounded(o, 1.0, 0.0); });
  refused("bounds: expected lower <= upper", [&](Options& o) { bounded(o, NAN, 0.0); });
  refused("bounds: expected lower <= upper", [&](Options& o) { bounded(o, HUGE_VAL, HUGE_VAL); });
  refused("bounds: expected as many lower as upper ones", [](Options& o) { o.lower = {0.0}; });
  refused("candidate: expected plain with bounds", [&](Options& o) {
    bounded(o, 0.0, 1.0);
    o.gradient_direction = true;
  });
  refused("cut: expected cocoercive with bounds", [&](Options& o) {
    bounded(o, 0.0, 1.0);
    o.cocoercive = false;
  });
  refused("proposer: expected lbfgs with bounds", [&](Options& o) {
    bounded(o, 0.0, 1.0);
    o.method = "guarded";
    o.proposer = "cg";
  });
  const auto noisy = [](Options& o, double of_f, double of_g) {
    o.method = "guarded";
    o.noise_f = of_f;
    o.noise_g = of_g;
  };
  refused("noise: expected finite numbers >= 0", [&](Options& o) { noisy(o, -1.0, 0.0); });
  refused("noise: expected finite numbers >= 0", [&](Options& o) { noisy(o, 0.0, NAN); });
  refused("noise: expected finite numbers >= 0", [&](Options& o) { noisy(o, 0.0, HUGE_VAL); });
  refused("noise: expected none with the method box", [&](Options& o) {
    noisy(o, 0.0, 1.0);
    o.method = "box";
  });
  refused("cut: expected cocoercive with noise", [&](Options& o) {
    noisy(o, 1.0, 0.0);
    o.cocoercive = false;
  });
  const auto with_l1 = [](Options& o, double number) {
    o.l1 = {1.0, number};
    o.gradient_direction = false;
  };
  refused("l1: expected finite numbers >= 0", [&](Options& o) { with_l1(o, -1.0); });
  refused("l1: expected finite numbers >= 0", [&](Options& o) { with_l1(o, NAN); });
  refused("l1: expected finite numbers >= 0", [&](Options& o) { with_l1(o, HUGE_VAL); });
  refused("candidate: expected plain with l1", [](Options& o) { o.l1 = {1.0}; });
  refused("cut: expected cocoercive with l1", [&](Options& o) {
    with_l1(o, 0.0);
    o.cocoercive = false;
  });
  refused("proposer: expected lbfgs with l1", [&](Options& o) {
    with_l1(o, 0.0);
    o.method = "guarded";
    o.proposer = "cg";
  });
  Quadratic<double> problem(kSize);
  Options l1_of_two;
  with_l1(l1_of_two, 1.0);
  CHECK_THROWS(mdbopt::Error,
               "l1: expected one number for each coordinate, 12, or one for all, got 2",
               problem.begin(*make(l1_of_two)));
  Quadratic<float> narrow(kSize);
  Options beyond;
  beyond.l1 = {1e300};
  CHECK_THROWS(mdbopt::Error, "l1: expected numbers that float32 (as x) holds",
               narrow.begin(*make(beyond)));
  Options within_two;
  within_two.lower = {0.0, 0.0};
  within_two.upper = {1.0, 1.0};
  CHECK_THROWS(mdbopt::Error, "bounds: expected one for each coordinate, 12, or one for all, got 2",
               problem.begin(*make(within_two)));
  Options above;
  above.lower = {0.5};
  above.upper = {2.0};
  CHECK_THROWS(mdbopt::Error, "x: expected a point within the bounds", problem.begin(*make(above)));
  Options options;
  options.groups = {0, 1};
  const auto search = make(options);
  CHECK_THROWS(mdbopt::Error, "groups: expected one label per coordinate", problem.begin(*search));
}

void starts_that_end_at_once() {
  for (const Case& one : cases()) {
    const auto search = make(options_of(one));
    std::vector<double> x(kSize);
    std::vector<double> g(kSize, 0.0);
    for (std::size_t i = 0; i < kSize; ++i) {
      x[i] = minimiser(options_of(one), i);
      g[i] = -l1_of(options_of(one), i);
    }
    const Tensor point{x.data(), kSize, Dtype::kFloat64, true};
    const Tensor gradient{g.data(), kSize, Dtype::kFloat64, true};
    search->init(point, 5.0, gradient);
    CHECK(search->converged(0.0));
    CHECK(search->status() == Status::kRunning);
    CHECK_THROWS(mdbopt::Error, "propose: the search has ended", search->propose());
    g[3] = std::numeric_limits<double>::quiet_NaN();
    const auto astray = make(options_of(one));
    astray->init(point, 5.0, gradient);
    CHECK(astray->converged(1.0));
    CHECK(astray->status() == Status::kNotFinite);
    x[3] = HUGE_VAL;
    const auto unborn = make(options_of(one));
    CHECK_THROWS(mdbopt::Error, "x: expected finite numbers", unborn->init(point, 5.0, gradient));
  }
}

}  // namespace

int main() {
  for (const Case& one : cases()) {
    converges<double>(one, 1e-8);
    converges<float>(one, 1e-3);
    init_happens_once(one);
    for (int steps : {0, 1, 3, 11, 30}) {
      continues_from<double>(one, steps, false);
      continues_from<double>(one, steps, true);
      continues_from<float>(one, steps, false);
    }
  }
  errors_are_told();
  options_are_checked();
  starts_that_end_at_once();
  return check::result();
}
