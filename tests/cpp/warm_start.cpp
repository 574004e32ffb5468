// warm_start – searches of the public interface that begin with what an earlier one has learnt.
#include <mdbopt/error.h>
#include <mdbopt/search.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "check.h"

namespace {

using mdbopt::Search;
using mdbopt::Tensor;
using mdbopt::search::Options;
using mdbopt::search::Ridge;

constexpr std::size_t kSize = 9;

// ½ Σ h (x − 1)² + ½ l2 |x|², h over six decades.
struct Objective {
  double l2;
  std::vector<double> x = std::vector<double>(kSize), g = std::vector<double>(kSize);
  double f = 0.0;

  explicit Objective(double of_l2) : l2(of_l2) {}
  void at(const double* point) {
    f = 0.0;
    for (std::size_t i = 0; i < kSize; ++i) {
      const double h = std::pow(10.0, 0.75 * static_cast<double>(i) - 3.0);
      x[i] = point[i];
      f += 0.5 * (h * (x[i] - 1.0) * (x[i] - 1.0) + l2 * x[i] * x[i]);
      g[i] = h * (x[i] - 1.0) + l2 * x[i];
    }
  }
  void at(const Search& search) { at(static_cast<const double*>(search.x().data)); }
  Tensor point() { return {x.data(), kSize}; }
  Tensor gradient() { return {g.data(), kSize}; }
  void run(Search& search, double gtol, std::int64_t evaluations = 50000) {
    while (!search.converged(gtol) && search.evaluations() < evaluations) {
      at(static_cast<const double*>(search.propose().data));
      search.judge(f, gradient());
    }
  }
};

Options options_of(const char* method) {
  Options options;
  options.method = method;
  return options;
}

Search started(Objective& objective, const char* method) {
  Search search(options_of(method));
  objective.at(std::vector<double>(kSize, 0.0).data());
  search.init(objective.point(), objective.f, objective.gradient());
  objective.run(search, 1e-6);
  return search;
}

void pairs_and_the_box_save_evaluations() {
  Objective before(0.1);
  const Search earlier = started(before, "guarded");
  Objective now(0.05);
  const auto evaluations = [&](auto begin) {
    Search search;
    now.at(earlier);
    begin(search);
    now.run(search, 1e-6);
    CHECK(search.gmax() <= 1e-6);
    return search.evaluations();
  };
  const auto cold =
      evaluations([&](Search& search) { search.init(now.point(), now.f, now.gradient()); });
  const auto unknown = evaluations(
      [&](Search& search) { search.init(now.point(), now.f, now.gradient(), earlier); });
  const auto exact = evaluations([&](Search& search) {
    search.init(now.point(), now.f, now.gradient(), earlier, {0.1}, {0.05});
  });
  CHECK(exact < cold);
  CHECK(unknown < cold);
}

// By what step_sizes says: 1/b' = max(1/b + 0.2, 0.3) of a box, whose candidate is b/(2d).
void the_set_is_carried_over() {
  for (const char* method : {"guarded", "box"}) {
    Objective before(0.1);
    const Search earlier = started(before, method);
    Objective now(0.3);
    now.at(earlier);
    const std::vector<double> l2(kSize, 0.3);
    const Tensor each{const_cast<double*>(l2.data()), kSize};
    Search search(options_of(method));
    search.init(now.point(), now.f, now.gradient(), earlier, {0.1}, {0.0, &each});
    double old[kSize];
    double fresh[kSize];
    earlier.step_sizes(old);
    search.step_sizes(fresh);
    for (std::size_t i = 0; i < kSize; ++i) {
      const double wanted = 1.0 / std::max(1.0 / old[i] + 2.0 * kSize * 0.2, 2.0 * kSize * 0.3);
      CHECK(std::abs(fresh[i] - wanted) <= 1e-12 * wanted);
    }
  }
  for (const char* method : {"simplex", "ellipsoid", "backtracking"}) {
    Objective objective(0.1);
    const Search earlier = started(objective, method);
    objective.at(earlier);
    Search search(options_of(method));
    search.init(objective.point(), objective.f, objective.gradient(), earlier);
    double old[kSize];
    double fresh[kSize];
    earlier.step_sizes(old);
    search.step_sizes(fresh);
    for (std::size_t i = 0; i < kSize; ++i)
      CHECK(std::abs(fresh[i] - 100.0 * old[i]) <= 1e-9 * old[i]);
  }
}

void errors_are_told() {
  Objective objective(0.1);
  const Search earlier = started(objective, "guarded");
  const auto refused = [&](const char* words, const Search& from, const Ridge& l2,
                           const char* method = "guarded") {
    Search search(options_of(method));
    CHECK_THROWS(
        mdbopt::Error, words,
        search.init(objective.point(), objective.f, objective.gradient(), from, l2, {0.1}));
  };
  refused("warm_start: expected a search of method box, got guarded", earlier, {}, "box");
  refused("warm_start: expected a search that has started", Search(), {});
  refused("l2: expected finite numbers >= 0", earlier, {-1.0});
  refused("l2: expected finite numbers >= 0", earlier, {HUGE_VAL});
  std::vector<double> numbers(kSize, std::numeric_limits<double>::quiet_NaN());
  const Tensor nan{numbers.data(), kSize};
  refused("l2: expected finite numbers >= 0", earlier, {0.0, &nan});
  const Tensor few{numbers.data(), 3};
  refused("l2: expected an array of 9 float64, got one of 3 float64", earlier, {0.0, &few});
  const Tensor narrow{numbers.data(), kSize, mdbopt::Dtype::kFloat32};
  refused("l2: expected an array of 9 float64, got one of 9 float32", earlier, {0.0, &narrow});
  Search other;
  const Tensor two{objective.x.data(), 2};
  const Tensor g_of_two{objective.g.data(), 2};
  CHECK_THROWS(mdbopt::Error, "warm_start: expected a search over as many elements as x, 2, got 9",
               other.init(two, 1.0, g_of_two, earlier));
}

}  // namespace

int main() {
  pairs_and_the_box_save_evaluations();
  the_set_is_carried_over();
  errors_are_told();
  return check::result();
}
