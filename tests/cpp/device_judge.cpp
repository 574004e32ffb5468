// device_judge – judgements that are decided on the device leave the state of those that the host
// decides, there and on the CPU, bit for bit; also when a graph runs them.
//
// Skips where no device can be used; MDBOPT_CUDA_LIBRARY may name one that is emulated.
#include <dlfcn.h>
#include <mdbopt/error.h>

#include <cstdlib>
#include <limits>

#include "searches.h"

using mdbopt::DeviceNumber;

namespace {

constexpr std::size_t kCoordinates = 1030;  // two chunks, the second with a rest

// The objective of one coordinate, a = x − 1 away from its least: f, and its derivative.
struct Objective {
  const char* name;
  double (*of)(double h, double a, double& slope);
};

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr double kInf = std::numeric_limits<double>::infinity();

const Objective kObjectives[] = {
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
    {"a cliff in g",
     [](double h, double a, double& slope) {
       slope = a > 0.4 ? kInf : h * a;
       return 0.5 * h * a * a;
     }},
    {"a kink",
     [](double h, double a, double& slope) {
       slope = a > 0.0 ? h : -h;
       return h * std::abs(a);
     }},
    {"bottomless",
     [](double h, double a, double& slope) {
       slope = std::abs(a) > 1e6 ? -kInf : -h;
       return std::abs(a) > 1e6 ? -kInf : -h * a;
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
    if (!point.place().on_cpu()) device_library().synchronize(point.place());
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
    problem.at(search->propose_later());
    told();
    search->judge_later(f_there(), g.tensor());
  }
  State state() const {
    State state;
    search->fields(state);
    return state;
  }
  // A trial that is not finite needs more judgements, which believe nothing that they are told.
  std::int64_t step_later_to_a_finite_trial() {
    std::int64_t more = 0;
    for (step_later(); !std::isfinite(state().numbers.at("moved")) &&
                       search->status() == mdbopt::search::Status::kRunning;
         ++more) {
      search->judge_later({-1e300}, g.tensor());
    }
    return more;
  }
};

// The names of what differs, but for what judgements of trials that are not finite add to.
std::string difference(State a, State b, std::int64_t more) {
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
constexpr Set kSets[] = {{"box", "box", true},
                         {"simplex", "simplex", true},
                         {"ellipsoid", "ellipsoid", true},
                         {"ellipsoid, plain", "ellipsoid", false},
                         {"backtracking", "backtracking", true}};

Options options_of(const Set& set) {
  Options options;
  options.method = set.method;
  options.gradient_direction = set.gradient_direction;
  options.initial_scale = 0.02;
  return options;
}

struct Seen {
  std::int64_t accepted = 0, cut = 0, more = 0;
};

template <class T>
void same_judgements(const Set& set, Options options, const Objective& objective, int steps,
                     Seen& seen) {
  const Where where = std::make_shared<Place>(Place{0});
  Side<T> cpu(options, objective, nullptr);
  Side<T> waiting(options, objective, where);
  Side<T> later(options, objective, where);
  const void* trial = later.search->propose_later().data();
  std::int64_t more = 0;
  for (int k = 0; k < steps && !cpu.search->converged(0.0); ++k) {
    cpu.step();
    waiting.step();
    more += later.step_later_to_a_finite_trial();
    const State state = later.state();
    std::string differs = difference(state, cpu.state(), more);
    if (differs.empty()) differs = difference(state, waiting.state(), more);
    if (differs.empty() && step_sizes(*later.search) != step_sizes(*cpu.search)) {
      differs = " step sizes";
    }
    if (later.search->converged(0.0) != cpu.search->converged(0.0)) differs += " converged";
    if (differs.empty()) continue;
    check::fail(__FILE__, __LINE__)
        << set.name << ", " << objective.name << ", " << info(Problem<T>::kDtype).name << ", step "
        << k << ':' << differs << '\n';
    return;
  }
  CHECK(later.search->propose_later().data() == trial);
  seen.accepted += cpu.search->accepted();
  seen.cut += cpu.search->ncut();
  seen.more += more;
}

void every_judgement(bool brief) {
  Seen seen;
  for (const Set& set : kSets) {
    for (const Objective& objective : kObjectives) {
      for (const bool cocoercive : {true, false}) {
        Options options = options_of(set);
        options.cocoercive = cocoercive;
        const int steps = brief ? 8 : 30;
        same_judgements<double>(set, options, objective, steps, seen);
        options.forward = 3.0;
        same_judgements<float>(set, options, objective, steps, seen);
      }
    }
    // A set that outgrows its number again and again, and trials beyond the range of x.
    for (const double forward : {0x1p200, 0x1p900}) {
      Options options = options_of(set);
      options.forward = forward;
      same_judgements<double>(set, options, kObjectives[0], 12, seen);
      same_judgements<float>(set, options, kObjectives[5], 12, seen);
    }
  }
  CHECK(seen.accepted > 100 && seen.cut > 100 && seen.more > 10);
}

// An end is told, and nothing happens after it.
void ends() {
  const Where where = std::make_shared<Place>(Place{0});
  Side<double> side(options_of(kSets[4]), kObjectives[0], where);
  for (auto& h : side.problem.g) h = 0.0;
  side.problem.f = -1.0;
  side.told();
  side.search->propose_later();
  side.search->judge_later({-1e9}, side.g.tensor());
  CHECK_EQUAL(side.search->accepted(), std::int64_t{1});
  CHECK(side.search->converged(0.0));
  const State before = side.state();
  side.search->judge_later({-1e10}, side.g.tensor());
  CHECK(difference(side.state(), before, 0).empty());
  CHECK_THROWS(mdbopt::Error, "propose: the search has ended", side.search->propose());
}

// Each kind of judgement takes over from the other.
void kinds_by_turns() {
  const Where where = std::make_shared<Place>(Place{0});
  const Where other = std::make_shared<Place>(Place{0, reinterpret_cast<void*>(2)});
  Options options = options_of(kSets[0]);
  options.forward = 0x1p60;
  Side<float> cpu(options, kObjectives[2], nullptr);
  Side<float> there(options, kObjectives[2], where);
  std::int64_t more = 0;
  for (int k = 0; k < 24; ++k) {
    cpu.step();
    there.g = Buffer(kCoordinates, Dtype::kFloat32, k % 2 == 0 ? where : other);
    if (k % 3 == 2)
      more += there.step_later_to_a_finite_trial();
    else
      there.step();
    const std::string differs = difference(there.state(), cpu.state(), more);
    if (!differs.empty()) {
      check::fail(__FILE__, __LINE__) << "by turns, step " << k << ':' << differs << '\n';
      return;
    }
  }
}

void saved_and_loaded() {
  const Where where = std::make_shared<Place>(Place{0});
  Options options = options_of(kSets[2]);
  Side<double> there(options, kObjectives[1], where);
  for (int k = 0; k < 7; ++k) there.step_later();
  State saved = there.state();
  saved.loading = true;
  options.execution.place = *where;
  Side<double> loaded(options, kObjectives[1], where);
  loaded.search = make(options, kCoordinates, Dtype::kFloat64);
  loaded.search->fields(saved);
  for (int k = 0; k < 9; ++k) {
    there.step_later();
    loaded.step_later();
  }
  CHECK_EQUAL(difference(loaded.state(), there.state(), 0), std::string());
}

void refusals() {
  const Where where = std::make_shared<Place>(Place{0});
  const auto refused = [&](const char* what, Options options, const Where& at) {
    Side<double> side(options, kObjectives[0], at);
    side.search->propose();
    CHECK_THROWS(mdbopt::Error, what, side.search->judge_later({1.0}, side.g.tensor()));
    side.step();  // this costs nothing
  };
  const Options box = options_of(kSets[0]);
  refused("wait: expected True for arrays on the CPU, got False", box, nullptr);
  Options options = box;
  options.groups.assign(kCoordinates, 1);
  refused("wait: expected True with groups, got False", options, where);
  options = options_of(kSets[3]);
  options.refine = 1;
  refused("wait: expected True with refine > 0, got False", options, where);
  options = box;
  options.initial_scale = mdbopt::search::kDefault;
  refused("wait: expected True until the first set is found", options, where);
  options = {};
  refused("wait: expected True for method guarded", options, where);
  const auto unborn = make(box);
  CHECK_THROWS(mdbopt::Error, "judge: the search has no point yet", unborn->judge_later({}, {}));
  Side<double> side(box, kObjectives[0], where);
  Tensor g = side.g.tensor();
  g.size -= 1;
  CHECK_THROWS(mdbopt::Error, "g: expected 1030 elements (as x), got 1029",
               side.search->judge_later({1.0}, g));
}

// CUDA's runtime as the emulated library offers it.
class Runtime {
 public:
  Runtime() {
    const char* path = std::getenv("MDBOPT_CUDA_LIBRARY");
    if (path != nullptr) library_ = dlopen(path, RTLD_LAZY | RTLD_LOCAL);
  }
  ~Runtime() {
    if (library_ != nullptr) dlclose(library_);
  }
  Runtime(const Runtime&) = delete;
  Runtime& operator=(const Runtime&) = delete;
  bool here() const { return library_ != nullptr && dlsym(library_, "emulated_count") != nullptr; }
  std::uint64_t count(const char* what) const {
    return reinterpret_cast<std::uint64_t (*)(const char*)>(dlsym(library_, "emulated_count"))(
        what);
  }
  template <class... Argument>
  void call(const char* name, Argument... arguments) const {
    CHECK_EQUAL(reinterpret_cast<int (*)(Argument...)>(dlsym(library_, name))(arguments...), 0);
  }

 private:
  void* library_ = nullptr;
};

void recorded(const Runtime& cuda, const Set& set) {
  const Where where = std::make_shared<Place>(Place{0});
  void* stream = nullptr;
  cuda.call("cudaStreamCreateWithFlags", &stream, 1U);
  Options options = options_of(set);
  options.forward = 2.0;
  {
    Side<double> cpu(options, kObjectives[2], nullptr);
    Side<double> there(options, kObjectives[2], where);
    const auto record = [&] {
      Tensor g = there.g.tensor();
      g.place.stream = stream;
      cuda.call("cudaStreamBeginCapture", stream, 2);
      there.search->judge_later(there.f_there(), g);
    };
    // Nothing is ready for a recording yet.
    CHECK_THROWS(mdbopt::DeviceError, "a graph is being recorded", record());
    void* graph = nullptr;
    cuda.call("cudaStreamEndCapture", stream, &graph);
    cuda.call("cudaGraphDestroy", graph);
    cpu.step();
    there.step_later();
    const Buffer& trial = there.search->propose_later();
    cuda.call("cudaStreamSynchronize", static_cast<void*>(nullptr));
    const std::uint64_t waits = cuda.count("synchronizations");
    record();
    CHECK_THROWS(mdbopt::DeviceError, "a graph is being recorded, and the state",
                 there.search->accepted());
    cuda.call("cudaStreamEndCapture", stream, &graph);
    void* exec = nullptr;
    cuda.call("cudaGraphInstantiate", &exec, graph, 0ULL);
    CHECK_EQUAL(cuda.count("synchronizations"), waits);
    std::int64_t more = 0;
    for (int k = 0; k < 20; ++k) {
      cpu.step();
      do {
        there.problem.at(trial);
        there.told();
        cuda.call("cudaStreamSynchronize", static_cast<void*>(nullptr));
        cuda.call("cudaGraphLaunch", exec, stream);
        ++more;
      } while (!std::isfinite(there.state().numbers.at("moved")));
      --more;
      const std::string differs = difference(there.state(), cpu.state(), more);
      if (differs.empty()) continue;
      check::fail(__FILE__, __LINE__)
          << set.name << ", recorded, step " << k << ':' << differs << '\n';
      break;
    }
    CHECK(cpu.search->ncut() > 0 && cpu.search->accepted() > 0);
    cuda.call("cudaGraphExecDestroy", exec);
    cuda.call("cudaGraphDestroy", graph);
  }
  cuda.call("cudaStreamSynchronize", stream);
  cuda.call("cudaStreamDestroy", stream);
}

}  // namespace

// With an argument, for tools that slow every launch down: fewer steps.
int main(int count, char**) {
  if (const std::string why = mdbopt::no_device_because(); !why.empty()) {
    std::cerr << "skipped: " << why << '\n';
    return 77;
  }
  every_judgement(count > 1);
  ends();
  kinds_by_turns();
  saved_and_loaded();
  refusals();
  if (const Runtime cuda; cuda.here()) {
    for (const Set& set : kSets) recorded(cuda, set);
  }
  CHECK_EQUAL(device_library().allocated(0), std::size_t{0});
  return check::result();
}
