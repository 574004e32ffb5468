// updater – a step is one launch with t, the numbers and the scale of gradients filled in; bounds of
// norms, also of squares out of range; what is refused; and that a step allocates nothing.
#include <mdbopt/error.h>
#include <mdbopt/updater.h>

#include <array>
#include <atomic>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <map>
#include <memory>
#include <new>
#include <span>
#include <utility>
#include <vector>

#include "check.h"

namespace {
std::atomic<std::size_t> g_allocations{0};

void* allocate(std::size_t size) {
  ++g_allocations;
  void* memory = std::malloc(size > 0 ? size : 1);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}

// Inlined, it would pass for a mismatch of new and free to GCC.
[[gnu::noinline]] void release(void* memory) { std::free(memory); }
}  // namespace

void* operator new(std::size_t size) { return allocate(size); }
void* operator new[](std::size_t size) { return allocate(size); }
void operator delete(void* memory) noexcept { release(memory); }
void operator delete[](void* memory) noexcept { release(memory); }
void operator delete(void* memory, std::size_t) noexcept { release(memory); }
void operator delete[](void* memory, std::size_t) noexcept { release(memory); }

using mdbopt::Description;
using mdbopt::Dtype;
using mdbopt::Job;
using mdbopt::Updater;

namespace {

using Values = std::vector<double>;
using Given = std::map<std::string, double>;
using Numbers = std::map<std::string, Values>;  // one, or one for each array

Updater::Options options_of(const std::string& rule, const Given& given = {}) {
  Updater::Options options;
  options.name = "Own";
  options.rule = mdbopt::find_rule(rule.c_str());
  const Description& description = mdbopt::rule_description(options.rule);
  for (std::size_t k = 0; k < description.scalar_count; ++k) {
    const mdbopt::Scalar& scalar = description.scalars[k];
    const auto location = given.find(scalar.name);
    const double fallback = std::isnan(scalar.fallback) ? 0.5 : scalar.fallback;
    options.scalars.push_back(location != given.end() ? location->second : fallback);
  }
  return options;
}

// The streams of a few arrays, in double; positive numbers suit all states.
class Arrays {
 public:
  Arrays(std::size_t rule, const std::vector<std::size_t>& sizes) {
    const Description& description = mdbopt::rule_description(rule);
    check::Random random(1);
    for (std::size_t size : sizes) {
      std::vector<Values> streams;
      for (std::size_t k = 0; k < description.stream_count; ++k) {
        streams.push_back(random.numbers(size));
        if (k > 1) {
          for (double& value : streams.back()) value = std::abs(value);
        }
      }
      arrays_.push_back(streams);
    }
  }
  explicit Arrays(const Values& g) : arrays_{{Values(g.size(), 0.0), g}} {}

  const std::vector<Job>& jobs(double lr = 0.1) {
    pointers_.clear();
    jobs_.clear();
    for (auto& streams : arrays_) {
      pointers_.emplace_back();
      for (std::size_t k = 0; k < streams.size(); ++k) pointers_.back()[k] = streams[k].data();
    }
    for (std::size_t k = 0; k < arrays_.size(); ++k) {
      jobs_.push_back({pointers_[k].data(), arrays_[k][0].size(), lr});
    }
    return jobs_;
  }
  const Values& x() const { return arrays_[0][0]; }
  bool operator==(const Arrays& other) const { return arrays_ == other.arrays_; }

 private:
  std::vector<std::vector<Values>> arrays_;
  std::vector<std::array<void*, mdbopt::kMaxStreams>> pointers_;
  std::vector<Job> jobs_;
};

std::vector<std::size_t> updates() {
  std::vector<std::size_t> all;
  for (std::size_t rule = 0; rule < mdbopt::rule_count(); ++rule) {
    if (mdbopt::rule_description(rule).update) all.push_back(rule);
  }
  return all;
}

// The scalars of a step by hand; numbers are what the last launch gave for their names. A rule whose sums
// are of each array has a launch for each.
void launch_by_hand(const Updater::Options& options, Numbers& numbers, Arrays& arrays, double t,
                    double grad_scale) {
  const Description& description = mdbopt::rule_description(options.rule);
  const std::vector<Job>& jobs = arrays.jobs();
  const bool each = description.scope == mdbopt::Scope::kArray;
  const std::size_t launches = each ? jobs.size() : 1;
  for (std::size_t j = 0; j < launches; ++j) {
    Values scalars = options.scalars;
    for (std::size_t k = 0; k < scalars.size(); ++k) {
      const std::string name = description.scalars[k].name;
      if (name == "t") scalars[k] = t;
      if (name == "grad_scale") scalars[k] = grad_scale;
      if (numbers.count(name) > 0 && t > 1.0) scalars[k] = numbers[name][j];
    }
    const std::span<const Job> own =
        each ? std::span<const Job>{&jobs[j], 1} : std::span<const Job>{jobs};
    Values sums(mdbopt::kMaxSums);
    mdbopt::launch(options.rule, Dtype::kFloat64, own, scalars.data(), sums.data(),
                   options.execution);
    for (std::size_t k = 0; k < description.sum_count(); ++k) {
      Values& kept = numbers[description.sum(k).name];
      kept.resize(launches);
      kept[j] = sums[k];
    }
  }
}

void a_step_is_a_launch_of_its_rule() {
  for (std::size_t rule : updates()) {
    const char* name = mdbopt::rule_description(rule).name;
    for (bool maximize : {false, true}) {
      Updater::Options options = options_of(name);
      options.maximize = maximize;
      Updater updater(options);
      Arrays ours(rule, {1024, 0, 2048, 300});
      Arrays theirs = ours;
      Numbers numbers;
      for (double t : {1.0, 2.0, 3.0}) {
        updater.step(Dtype::kFloat64, ours.jobs(), {4.0, 0.0});
        launch_by_hand(options, numbers, theirs, t, maximize ? -0.25 : 0.25);
      }
      CHECK(ours == theirs);
      CHECK_EQUAL(updater.t(), 3U);
      for (const Updater::Number& number : updater.numbers()) {
        const Values& kept = numbers[number.name];
        if (updater.keeps_each()) {
          CHECK(number.each == kept);
        } else {
          CHECK_BITS(number.value, kept[0]);
        }
      }
    }
  }
}

void numbers_are_the_scalars_that_come_back() {
  const std::map<std::string, std::string> expected = {{"adagrad_norm", "sum_of_squares"},
                                                       {"hypergradient_sgd", "alpha"},
                                                       {"hypergradient_adam", "alpha"},
                                                       {"osgm", "norm2"}};
  for (const auto& [name, number] : expected) {
    CHECK_EQUAL(Updater(options_of(name)).numbers().at(0).name, number);
  }
  for (std::size_t rule : updates()) {
    const Description& description = mdbopt::rule_description(rule);
    std::size_t both = 0;
    for (std::size_t k = 0; k < description.scalar_count; ++k) {
      for (std::size_t j = 0; j < description.sum_count(); ++j) {
        both += std::string(description.scalars[k].name) == description.sum(j).name ? 1 : 0;
      }
    }
    CHECK_EQUAL(Updater(options_of(description.name)).numbers().size(), both);
  }
  Updater updater(options_of("adagrad_norm", {{"sum_of_squares", 7.0}}));
  CHECK_BITS(updater.numbers()[0].value, 7.0);
  Arrays arrays({3.0, 4.0});
  updater.step(Dtype::kFloat64, arrays.jobs(), {});
  CHECK_BITS(updater.numbers()[0].value, 32.0);
  updater.set_number(updater.numbers()[0].name, 1.0);
  updater.step(Dtype::kFloat64, arrays.jobs(), {});
  CHECK_BITS(updater.numbers()[0].value, 26.0);
}

void numbers_of_arrays_stay_with_them() {
  Updater updater(options_of("novograd", {{"beta2", 0.5}, {"eps", 0.0}}));
  CHECK(updater.keeps_each());
  Values x[] = {{0.0}, {0.0}, {0.0}}, g[] = {{2.0}, {4.0}, {8.0}}, m[] = {{0.0}, {0.0}, {0.0}};
  void* streams[3][3];
  Job jobs[3];
  for (std::size_t k = 0; k < 3; ++k) {
    streams[k][0] = x[k].data();
    streams[k][1] = g[k].data();
    streams[k][2] = m[k].data();
    jobs[k] = {streams[k], 1};
    jobs[k].array = k;
  }
  updater.step(Dtype::kFloat64, {jobs, 2}, {});
  CHECK(updater.numbers()[0].each == Values({4.0, 16.0}));
  updater.step(Dtype::kFloat64, {jobs + 1, 2}, {});  // the first has no gradient
  CHECK(updater.numbers()[0].each == Values({4.0, 16.0, 64.0}));
  g[1][0] = 8.0;
  updater.set_number("v", Values({4.0, 32.0, 64.0}));
  updater.step(Dtype::kFloat64, {jobs + 1, 1}, {});
  CHECK(updater.numbers()[0].each == Values({4.0, 48.0, 64.0}));
}

// What x becomes from 0 by a gradient step of length 1, whose gradients are bounded.
Values bounded(const Values& g, double max_norm, double grad_scale = 1.0, bool flush = false) {
  Updater::Options options = options_of("sgd");
  options.execution.flush_subnormals = flush;
  Updater updater(options);
  Arrays arrays(g);
  updater.step(Dtype::kFloat64, arrays.jobs(1.0), {grad_scale, max_norm});
  return arrays.x();
}

void norms_are_bounded() {
  CHECK_BITS(bounded({3.0, 4.0}, 1.0)[0], -(1.0 / (5.0 + 1e-6)) * 3.0);
  CHECK_BITS(bounded({6.0, 8.0}, 1.0, 2.0)[1], -(1.0 / (5.0 + 1e-6) / 2.0) * 8.0);
  CHECK_BITS(bounded({3.0, 4.0}, 6.0)[1], -4.0);
  CHECK_BITS(bounded({6.0, 8.0}, 6.0, 2.0)[1], -4.0);
  CHECK_BITS(bounded({0.0, 0.0}, 1.0)[0], 0.0);
  CHECK(bounded({}, 1.0).empty());
}

void a_norm_that_is_given_takes_the_place_of_theirs() {
  Updater::Call call{2.0, 1.0};
  for (double norm : {5.0, 0.5}) {
    call.norm = norm;
    Updater updater(options_of("sgd"));
    Arrays arrays({6.0, 8.0});
    CHECK_BITS(updater.step(Dtype::kFloat64, arrays.jobs(1.0), call), norm);
    CHECK_BITS(arrays.x()[1], norm > 1.0 ? bounded({6.0, 8.0}, 1.0, 2.0)[1] : -4.0);
  }
  const Updater updater(options_of("sgd"));
  const Updater::Group group{Dtype::kFloat64};
  CHECK_BITS(updater.norm({&group, 1}, Arrays({6.0, 8.0}).jobs(), 2.0, {}), 5.0);
}

void squares_out_of_range_are_bounded() {
  const double largest = std::numeric_limits<double>::max();
  for (double size : {1e155, 1e200, 1e300, largest / 8.0}) {
    const Values x = bounded({3.0 * size / 4.0, -size}, 2.0);
    CHECK(std::abs(x[0] + 1.2) < 1e-15 && std::abs(x[1] - 1.6) < 1e-15);
  }
  const double least = std::numeric_limits<double>::denorm_min();
  for (bool flush : {false, true}) {
    for (double size : {1e-150, 1e-170, 1e-300, 1e-310, least}) {
      const Values x = bounded({3.0 * size, 0.0, -size}, 1.0, 1.0, flush);
      const bool gone = flush && 3.0 * size < std::numeric_limits<double>::min();
      CHECK_EQUAL(x[0], gone ? 0.0 : -3.0 * size);
      CHECK_EQUAL(x[1], 0.0);
    }
  }
}

void what_is_not_finite_goes_on() {
  const double infinity = std::numeric_limits<double>::infinity();
  const Values by_nan = bounded({std::nan(""), 1.0}, 1.0);
  CHECK(std::isnan(by_nan[0]) && std::isnan(by_nan[1]));
  const Values by_infinity = bounded({infinity, 1.0}, 1.0);
  CHECK(std::isnan(by_infinity[0]));
  CHECK_EQUAL(by_infinity[1], 0.0);
  CHECK(std::isinf(bounded({infinity, 1.0}, 0.0)[0]));
}

void steps_are_counted_up_to_their_limit() {
  Updater updater(options_of("sgd"));
  Arrays arrays({1.0});
  updater.set_t(Updater::kMostSteps - 1);
  updater.step(Dtype::kFloat64, arrays.jobs(), {});
  CHECK_EQUAL(updater.t(), Updater::kMostSteps);
  const Arrays before = arrays;
  CHECK_THROWS(mdbopt::Error, "Own: t: 9007199254740992 steps are taken, expected fewer than 2^53",
               updater.step(Dtype::kFloat64, arrays.jobs(), {1.0, 1.0}));
  CHECK(arrays == before);
  CHECK_EQUAL(updater.t(), Updater::kMostSteps);
}

void hyperparameters_are_replaced() {
  Updater updater(options_of("adagrad_norm"));
  Arrays arrays({3.0, 4.0});
  updater.step(Dtype::kFloat64, arrays.jobs(), {});
  updater.configure(options_of("adagrad_norm", {{"eps", 2.5}}));
  CHECK_EQUAL(updater.t(), 1U);
  CHECK_BITS(updater.numbers()[0].value, 25.0);
  CHECK_BITS(updater.options().scalars[1], 2.5);
  updater.step(Dtype::kFloat64, arrays.jobs(), {});
  CHECK_BITS(updater.numbers()[0].value, 50.0);
}

void what_is_refused() {
  CHECK_THROWS(mdbopt::Error, "dot: not an update rule", Updater(options_of("dot")));
  for (const std::size_t beyond : {std::size_t{0}, std::numeric_limits<std::size_t>::max() / 2}) {
    Updater::Options none = options_of("sgd");
    none.rule = mdbopt::rule_count() + beyond;
    CHECK_THROWS(mdbopt::Error, "Own: rule: expected a number below ", Updater{none});
  }
  Updater::Options undecayed = options_of("sgd");
  undecayed.decay = "beta1";
  CHECK_THROWS(mdbopt::Error, "sgd: decay: expected the name of a scalar, got 'beta1'",
               Updater{undecayed});
  Updater::Options few = options_of("adagrad_norm");
  few.scalars.pop_back();
  CHECK_THROWS(mdbopt::Error, "adagrad_norm: expected 6 scalars, got 5", Updater{few});
  Updater updater(options_of("adagrad_norm"));
  CHECK_THROWS(mdbopt::Error, "adagrad_norm: expected 6 scalars, got 5", updater.configure(few));
  CHECK_THROWS(mdbopt::Error, "dot: not an update rule", updater.configure(options_of("dot")));
  // Its numbers would stand in for other scalars.
  CHECK_THROWS(mdbopt::Error, "adagrad_norm", updater.configure(options_of("sgd")));
  CHECK_THROWS(mdbopt::Error, "adagrad_norm: no scalar 'beta1'", updater.set_scalar("beta1", 1.0));
  CHECK_EQUAL(updater.rule().name, std::string("adagrad_norm"));
}

void scalars_that_are_set_stay() {
  Updater updater(options_of("osgm", {{"hyper_lr", 0.0}}));
  Arrays arrays(updater.options().rule, {1});
  updater.set_scalar("moved", 0.0);
  const double x_prev = *static_cast<const double*>(arrays.jobs()[0].streams[2]);
  for (int k = 0; k < 2; ++k) updater.step(Dtype::kFloat64, arrays.jobs(0.0), {});
  CHECK_BITS(arrays.x()[0], x_prev);
}

// Bounded, shrunk and averaged; another time held back, with the decay behind.
void what_follows_a_step() {
  double x = 3.0, g = 10.0, average = 3.0;
  void* streams[] = {&x, &g, &average};
  const Job job{streams, 1, 0.5};
  Updater::Options options = options_of("sgd", {{"weight_decay", 0.0}, {"l2", 0.0}});
  options.finish.max_update = 2.0;
  options.finish.l1 = 0.5;
  options.finish.average = 0.5;
  Updater(options).step(Dtype::kFloat64, {&job, 1}, {});
  CHECK_EQUAL(x, 1.75);
  CHECK_EQUAL(average, 2.375);

  double m = -100.0;  // against the gradient
  void* of_signum[] = {&x, &g, &m};
  const Job held{of_signum, 1, 0.5};
  x = 3.0;
  options = options_of("signum", {{"momentum", 0.5}, {"weight_decay", 0.5}, {"l2", 0.0}});
  options.finish.cautious = true;
  Updater(options).step(Dtype::kFloat64, {&held, 1}, {});
  CHECK_EQUAL(x, 2.25);
  CHECK_EQUAL(m, -45.0);
}

// One shard, which remembers how long its messages were.
struct Echo final : mdbopt::Reducer {
  void gather(std::span<const double> mine, std::vector<double>& all) override {
    lengths.push_back(mine.size());
    all.assign(mine.begin(), mine.end());
  }
  std::vector<std::size_t> lengths;
};

void updaters_share_their_messages() {
  const auto echo = std::make_shared<Echo>();
  Updater::Options narrow = options_of("normalized_gd"), wide = options_of("lamb");
  Updater alone(narrow), second(wide);
  narrow.reducer = echo;
  Updater first(narrow);
  CHECK_THROWS(mdbopt::Error,
               "Own: expected to share the messages of an updater with a reducer, Own has none",
               second.share(alone));
  second.share(first);

  Arrays own(narrow.rule, {3000}), other(wide.rule, {7, 1, 2000, 1, 1, 1, 1});
  const mdbopt::Updater::Group group{Dtype::kFloat64};
  const std::vector<Job> jobs = own.jobs(0.1), others = other.jobs(0.1);
  first.meet({&group, 1}, jobs, {});
  second.meet({&group, 1}, others, {});
  const std::size_t greeted = echo->lengths.size();
  CHECK(greeted > 0);
  first.meet({&group, 1}, jobs, {});  // nothing is new
  CHECK_EQUAL(echo->lengths.size(), greeted);
  for (int k = 0; k < 2; ++k) {
    first.step(Dtype::kFloat64, jobs, {});
    second.step(Dtype::kFloat64, others, {});
  }
  CHECK_EQUAL(echo->lengths.size(), greeted + 4);
  CHECK(echo->lengths.front() < echo->lengths.back());
  for (std::size_t k = greeted; k < echo->lengths.size(); ++k)
    CHECK_EQUAL(echo->lengths[k], echo->lengths.back());

  second.fail("no more", false);
  CHECK_EQUAL(echo->lengths.size(), greeted + 5);
  first.fail("said before", true);
  CHECK_EQUAL(echo->lengths.size(), greeted + 5);
  CHECK_THROWS(mdbopt::ShardError, "reducer: a shard has failed before, expected no further call",
               first.step(Dtype::kFloat64, jobs, {}));
}

void a_step_allocates_nothing(bool brief) {
  for (std::size_t rule : updates()) {
    Updater::Options options = options_of(mdbopt::rule_description(rule).name);
    for (const auto& [threads, l1] : {std::pair{1U, 0.0}, {3U, 0.0}, {3U, 0.1}}) {
      options.execution.threads = threads;
      options.finish.l1 = l1;
      Updater updater(options);
      Arrays arrays(rule, {50000, 0, 7, 1024});
      const std::vector<Job>& jobs = arrays.jobs(1e-3);
      const auto steps = [&](int count) {
        for (int k = 0; k < count; ++k) {
          updater.step(Dtype::kFloat64, jobs, {});
          updater.step(Dtype::kFloat64, jobs, {2.0, 0.5});
        }
      };
      steps(2);
      const std::size_t before = g_allocations;
      steps(brief ? 2 : 10);
      CHECK_EQUAL(g_allocations - before, 0U);
    }
  }
}

}  // namespace

// With an argument, for sanitizers: fewer steps.
int main(int count, char**) {
  a_step_is_a_launch_of_its_rule();
  numbers_are_the_scalars_that_come_back();
  numbers_of_arrays_stay_with_them();
  norms_are_bounded();
  a_norm_that_is_given_takes_the_place_of_theirs();
  squares_out_of_range_are_bounded();
  what_is_not_finite_goes_on();
  steps_are_counted_up_to_their_limit();
  hyperparameters_are_replaced();
  what_is_refused();
  scalars_that_are_set_stay();
  what_follows_a_step();
  updaters_share_their_messages();
  a_step_allocates_nothing(count > 1);
  return check::result();
}
