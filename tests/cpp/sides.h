// sides – one search on the CPU and on a device side by side: objectives with holes, and what differs.
#pragma once

#include <limits>

#include "searches.h"

using mdbopt::DeviceNumber;

inline constexpr std::size_t kCoordinates = 1030;  // two chunks, the second with a rest

// The objective of one coordinate, a = x − 1 away from its least: f, and its derivative.
struct Objective {
  const char* name;
  double (*of)(double h, double a, double& slope);
};

inline constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
inline constexpr double kInfinity = std::numeric_limits<double>::infinity();

inline const Objective kObjectives[] = {
    {"quadratic",
     [](double h, double a, double& slope) {
       slope = h * a;
       return 0.5 * h * a * a;
     }},
    {"tiny and bent",
     [](double h, double a, double& slope) {
       slope = 1e-30 * (h * a + 4.0 * a * a * a - 3.0 * std::sin(3.0 * a));
       return 1e-30 * (0.5 * h * a * a + a * a * a * a + std::cos(3.0 * a));
     }},
    {"undefined afar",
     [](double h, double a, double& slope) {
       const bool here = std::abs(a) < 1.2;
       slope = here ? h * (std::exp(a) - 1.0) : kNaN;
       return here ? h * (std::exp(a) - a) : kNaN;
     }},
    {"cracks in g",
     [](double h, double a, double& slope) {
       slope = a > -0.75 && a < -0.7 ? kInfinity : h * a;
       return 0.5 * h * a * a;
     }},
    {"a kink",
     [](double h, double a, double& slope) {
       slope = a > 0.0 ? h : -h;
       return h * std::abs(a);
     }},
    {"bottomless",
     [](double h, double a, double& slope) {
       slope = std::abs(a) > 1e6 ? -kInfinity : -h;
       return std::abs(a) > 1e6 ? -kInfinity : -h * a;
     }},
};

template <class T>
struct Problem {
  static constexpr Dtype kDtype = sizeof(T) == 8 ? Dtype::kFloat64 : Dtype::kFloat32;
  const Objective& objective;
  std::vector<T> x = std::vector<T>(kCoordinates, T{0});
  std::vector<T> g = std::vector<T>(kCoordinates);
  double f = 0.0;

  explicit Problem(const Objective& of) : objective(of) { evaluate(); }
  void evaluate() {
    f = 0.0;
    for (std::size_t i = 0; i < x.size(); ++i) {
      double slope = 0.0;
      const double h = 1.0 + 99.0 * static_cast<double>(i * 7 % 11) / 10.0;
      f += objective.of(h, static_cast<double>(x[i]) - 1.0, slope);
      g[i] = static_cast<T>(slope);
    }
  }
  void at(const Buffer& point) {
    point.read(x.data());
    if (!point.location().on_cpu()) device_library().synchronize(point.location());
    evaluate();
  }
  Tensor here(std::vector<T>& values) const { return {values.data(), values.size(), kDtype}; }
};

// A search, and its problem and arrays, at one place.
template <class T>
struct Side {
  Where where;  // null: the CPU
  Problem<T> problem;
  Buffer g, f;
  std::unique_ptr<Search> search;

  Side(const Options& options, const Objective& objective, Where at)
      : where(std::move(at)),
        problem(objective),
        g(kCoordinates, Problem<T>::kDtype, where),
        f(1, Dtype::kFloat64, where),
        search(make(options)) {
    Buffer x(kCoordinates, Problem<T>::kDtype, where);
    x.write(problem.x.data());
    told();
    search->init(x.tensor(), problem.f, g.tensor());
  }
  void told() {
    g.write(problem.g.data());
    f.write(&problem.f);
  }
  DeviceNumber f_there() const { return {0.0, f.data(), Dtype::kFloat64}; }
  void step() {
    problem.at(search->propose());
    told();
    search->judge(problem.f, g.tensor());
  }
  void step_later() {
    problem.at(search->propose_async());
    told();
    search->judge_async(f_there(), g.tensor());
  }
  State state() const {
    State state;
    search->fields(state);
    return state;
  }
  // A trial that is not finite, or a box to be opened anew, needs more judgements, which believe
  // nothing that they are told.
  bool waits() const {
    const State now = state();
    const auto reopening = now.counts.find("reopening");
    const bool opens = reopening != now.counts.end() && reopening->second != 0;
    return search->status() == mdbopt::search::Status::kRunning &&
           (opens || !std::isfinite(now.numbers.at("moved")));
  }
  std::int64_t judge_async_to_a_finite_trial(const DeviceNumber& told_f) {
    constexpr std::int64_t kMost = 1200;
    std::int64_t more = 0;
    for (search->judge_async(told_f, g.tensor()); waits() && more < kMost; ++more) {
      search->judge_async({-1e300}, g.tensor());
    }
    return more;
  }
  std::int64_t step_later_to_a_finite_trial() {
    problem.at(search->propose_async());
    told();
    return judge_async_to_a_finite_trial(f_there());
  }
};

// The names of what differs, but for what judgements of trials that are not finite add to.
inline std::string difference(State a, State b, std::int64_t more) {
  std::string found;
  a.counts.at("evaluations") -= more;
  if (more > 0) a.numbers.erase("trial_gmax_scaled"), b.numbers.erase("trial_gmax_scaled");
  for (const auto& [name, value] : b.numbers) {
    const double got = a.numbers.at(name);
    if (!check::same_bits(got, value) && !(std::isnan(got) && std::isnan(value))) {
      found += " " + name + " (" + std::to_string(got) + ", not " + std::to_string(value) + ")";
    }
  }
  for (const auto& [name, value] : b.counts) {
    if (a.counts.at(name) != value) {
      found += " " + name + " (" + std::to_string(a.counts.at(name)) + ", not " +
               std::to_string(value) + ")";
    }
  }
  // Where the gradient is 0 no next trial is written, and what lies there means nothing.
  if (b.numbers.at("gmax_scaled") == 0.0) a.arrays.at("trial") = b.arrays.at("trial");
  for (const auto& [name, value] : b.arrays) {
    if (a.arrays.at(name) != value) found += " " + name;
  }
  return found;
}

struct Set {
  const char* name;
  const char* method;
  bool gradient_direction;
};
inline constexpr Set kSets[] = {{"box", "box", true},
                                {"simplex", "simplex", true},
                                {"ellipsoid", "ellipsoid", true},
                                {"ellipsoid, plain", "ellipsoid", false},
                                {"backtracking", "backtracking", true}};

inline Options options_of(const Set& set) {
  Options options;
  options.method = set.method;
  options.gradient_direction = set.gradient_direction;
  options.initial_scale = 0.02;
  return options;
}
