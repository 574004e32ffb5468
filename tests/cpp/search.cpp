// search – the searches from C++ alone: they converge, they continue from saved state to the same
// bits, they do so on a device where there is one, and they say what was wrong.
#include <mdbopt/device.h>
#include <mdbopt/error.h>
#include <mdbopt/search/search.h>

#include <cmath>
#include <functional>
#include <limits>
#include <map>
#include <memory>

#include "check.h"

using mdbopt::device_library;
using mdbopt::Dtype;
using mdbopt::Place;
using mdbopt::Tensor;
using mdbopt::search::Buffer;
using mdbopt::search::Fields;
using mdbopt::search::make;
using mdbopt::search::Options;
using mdbopt::search::Search;
using mdbopt::search::Status;
using mdbopt::search::Where;

namespace {

// f = ½ Σ h (x − 1)², h from 1 to 100 in a fixed order.
template <class T>
struct Quadratic {
  static constexpr Dtype kDtype = sizeof(T) == 8 ? Dtype::kFloat64 : Dtype::kFloat32;
  std::vector<T> x, g;
  double f = 0.0;

  explicit Quadratic(std::size_t n) : x(n), g(n) { evaluate(std::vector<T>(n, T{0}).data()); }
  static double curvature(std::size_t i) {
    return std::pow(100.0, static_cast<double>(i * 7 % 11) / 10.0);
  }
  void evaluate(const T* at) {
    f = 0.0;
    for (std::size_t i = 0; i < x.size(); ++i) {
      x[i] = at[i];
      const double away = static_cast<double>(at[i]) - 1.0;
      f += 0.5 * curvature(i) * away * away;
      g[i] = static_cast<T>(curvature(i) * away);
    }
  }
  Tensor point() { return {x.data(), x.size(), kDtype, true}; }
  Tensor gradient() { return {g.data(), g.size(), kDtype, true}; }
  void begin(Search& search) { search.init(point(), f, gradient()); }
  void step(Search& search) {
    evaluate(static_cast<const T*>(search.propose().data()));
    search.judge(f, gradient());
  }

  // The same for a search on a device; evaluated here.
  Buffer there(const std::vector<T>& values, const Where& where) const {
    Buffer buffer(values.size(), kDtype, where);
    buffer.write(values.data());
    return buffer;
  }
  void begin(Search& search, const Where& where) {
    search.init(there(x, where).tensor(), f, there(g, where).tensor());
  }
  void step(Search& search, const Where& where) {
    std::vector<T> at(x.size());
    search.propose().read(at.data());
    device_library().synchronize(search.place());
    evaluate(at.data());
    search.judge(f, there(g, where).tensor());
  }
};

struct Case {
  const char* name;
  std::function<void(Options&)> set;
};

// Every method, and every option that takes another way through the code.
const std::vector<Case>& cases() {
  static const std::vector<Case> all = {
      {"guarded", [](Options&) {}},
      {"guarded, heavy-ball", [](Options& o) { o.proposer = "heavy-ball"; }},
      {"guarded, nesterov", [](Options& o) { o.proposer = "nesterov"; }},
      {"guarded, cg", [](Options& o) { o.proposer = "cg"; }},
      {"guarded, groups", [](Options& o) { o.groups = {0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5}; }},
      {"guarded, hypergradient", [](Options& o) { o.cocoercive = false; }},
      {"box", [](Options& o) { o.method = "box"; }},
      {"box, groups",
       [](Options& o) {
         o.method = "box";
         o.groups = {9, 9, 8, 8, 7, 7, 6, 6, 5, 5, 4, 4};
       }},
      {"ellipsoid", [](Options& o) { o.method = "ellipsoid"; }},
      {"ellipsoid, plain",
       [](Options& o) {
         o.method = "ellipsoid";
         o.gradient_direction = false;
       }},
      {"ellipsoid, refined",
       [](Options& o) {
         o.method = "ellipsoid";
         o.refine = 2;
       }},
      {"simplex", [](Options& o) { o.method = "simplex"; }},
      {"backtracking", [](Options& o) { o.method = "backtracking"; }},
  };
  return all;
}

Options options_of(const Case& one) {
  Options options;
  one.set(options);
  return options;
}

constexpr std::size_t kSize = 12;

void fail(const Case& one, const std::string& what) {
  check::fail(__FILE__, __LINE__) << one.name << ": " << what << '\n';
}

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
    CHECK(std::abs(x - 1.0) <= 2.0 * gtol);
  }
}

using Bytes = std::vector<unsigned char>;

Bytes bytes_of(const Buffer& buffer) {
  Bytes bytes(buffer.bytes());
  buffer.read(bytes.data());
  if (!buffer.place().on_cpu()) device_library().synchronize(buffer.place());
  return bytes;
}

// Holds a whole state by name.
struct State final : Fields {
  std::map<std::string, double> numbers;
  std::map<std::string, std::int64_t> counts;
  std::map<std::string, Bytes> arrays;
  bool loading = false;

  void number(const std::string& name, double& value) override { visit(numbers, name, value); }
  void count(const std::string& name, std::int64_t& value) override { visit(counts, name, value); }
  void array(const std::string& name, Buffer& value) override {
    if (loading) {
      CHECK_EQUAL(arrays.at(name).size(), value.bytes());
      value.write(arrays.at(name).data());
    } else {
      CHECK(arrays.emplace(name, bytes_of(value)).second);  // no two fields share a name
    }
  }

 private:
  template <class Value>
  void visit(std::map<std::string, Value>& all, const std::string& name, Value& value) {
    if (loading)
      value = all.at(name);
    else
      CHECK(all.emplace(name, value).second);  // no two fields share a name
  }
};

bool same(const Search& a, const Search& b) {
  return bytes_of(a.x()) == bytes_of(b.x()) && bytes_of(a.g()) == bytes_of(b.g()) &&
         check::same_bits(a.f(), b.f()) && check::same_bits(a.gmax(), b.gmax()) &&
         a.ncut() == b.ncut() && a.accepted() == b.accepted() &&
         a.evaluations() == b.evaluations() && a.status() == b.status();
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
  state.loading = true;
  const auto fresh = make(options_of(one), kSize, Quadratic<T>::kDtype);
  fresh->fields(state);
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

std::vector<double> step_sizes(const Search& search) {
  Buffer out = search.zeros(Dtype::kFloat64);
  search.step_sizes(out.doubles());
  const Bytes bytes = bytes_of(out);
  std::vector<double> values(out.size());
  std::memcpy(values.data(), bytes.data(), bytes.size());
  return values;
}

// Side by side with the CPU; saved halfway, each goes on from what the other saved, on two streams
// by turns.
template <class T>
void same_on_a_device(const Case& one) {
  const std::size_t held = device_library().allocated(0);
  {
    const Where where = std::make_shared<Place>(Place{0});
    const Where other = std::make_shared<Place>(Place{0, reinterpret_cast<void*>(2)});
    Quadratic<T> here(kSize);
    Quadratic<T> there(kSize);
    auto host = make(options_of(one));
    auto device = make(options_of(one));
    here.begin(*host);
    there.begin(*device, where);
    for (int k = 0; k < 40 && !host->converged(1e-6); ++k) {
      here.step(*host);
      there.step(*device, k % 2 == 0 ? where : other);
      if (!same(*host, *device) || step_sizes(*host) != step_sizes(*device)) {
        return fail(one, "on a device, parts ways " + std::to_string(k + 1) + " steps later");
      }
      if (k != 11) continue;
      State from_host;
      State from_device;
      host->fields(from_host);
      device->fields(from_device);
      CHECK(from_host.arrays == from_device.arrays);
      from_host.loading = from_device.loading = true;
      Options options = options_of(one);
      host = make(options, kSize, Quadratic<T>::kDtype);
      options.execution.place = *where;
      device = make(options, kSize, Quadratic<T>::kDtype);
      host->fields(from_device);
      device->fields(from_host);
    }
  }
  CHECK_EQUAL(device_library().allocated(0), held);
}

void devices_are_told_apart() {
  const Where where = std::make_shared<Place>(Place{0});
  Quadratic<double> problem(kSize);
  const Buffer x = problem.there(problem.x, where);
  const auto search = make({});
  CHECK_THROWS(mdbopt::Error, "g: lives on the CPU, expected cuda:0 (as x)",
               search->init(x.tensor(), problem.f, problem.gradient()));
  CHECK_THROWS(mdbopt::Error, "g: lives on cuda:0, expected the CPU (as x)",
               search->init(problem.point(), problem.f, x.tensor()));
  problem.begin(*search, where);
  search->propose();
  CHECK_THROWS(mdbopt::Error, "g: lives on the CPU, expected cuda:0 (as x)",
               search->judge(problem.f, problem.gradient()));
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
  refused("memory: expected", [](Options& o) { o.memory = 0; });
  Options options;
  options.groups = {0, 1};
  const auto search = make(options);
  Quadratic<double> problem(kSize);
  CHECK_THROWS(mdbopt::Error, "groups: expected one label per coordinate", problem.begin(*search));
}

void starts_that_end_at_once() {
  for (const Case& one : cases()) {
    const auto search = make(options_of(one));
    std::vector<double> x(kSize, 1.0);
    std::vector<double> g(kSize, 0.0);
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
  if (mdbopt::no_device_because().empty()) {
    for (const Case& one : cases()) {
      same_on_a_device<double>(one);
      same_on_a_device<float>(one);
    }
    devices_are_told_apart();
  }
  errors_are_told();
  options_are_checked();
  starts_that_end_at_once();
  return check::result();
}
