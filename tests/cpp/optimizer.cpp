// optimizer – its steps are those of an Updater whose jobs are written in order; states that it makes; several
// dtypes in one step; what is refused.
#include <mdbopt/error.h>
#include <mdbopt/optimizer.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/half.h"
#include "check.h"

using mdbopt::Optimizer;
using mdbopt::Scalars;
using mdbopt::Streams;
using mdbopt::tensor_of;

namespace {

using Values = std::vector<double>;

std::vector<std::size_t> updates() {
  std::vector<std::size_t> all;
  for (std::size_t rule = 0; rule < mdbopt::rule_count(); ++rule) {
    if (mdbopt::rule_description(rule).update) all.push_back(rule);
  }
  return all;
}

// What has no default, but for t.
Scalars needed(const mdbopt::Description& rule) {
  Scalars scalars;
  for (std::size_t k = 0; k < rule.scalar_count; ++k) {
    const mdbopt::Scalar& scalar = rule.scalars[k];
    if (std::isnan(scalar.fallback) && scalar.name != std::string("t"))
      scalars.emplace_back(scalar.name, 0.25);
  }
  return scalars;
}

void steps_are_those_of_an_updater() {
  for (std::size_t rule : updates()) {
    const mdbopt::Description& description = mdbopt::rule_description(rule);
    check::Random random(1);
    Values g = random.numbers(1500);
    const Values start = random.numbers(1500);
    Values ours = start, theirs = start;
    Optimizer optimizer(description.name, needed(description));
    optimizer.add({{"g", tensor_of(g)}, {"x", tensor_of(ours)}});

    Scalars scalars = needed(description);
    for (std::size_t k = 0; k < description.scalar_count; ++k) {
      if (description.scalars[k].name == std::string("t")) scalars.emplace_back("t", 0.0);
    }
    mdbopt::Updater::Options options;
    options.name = "by order";
    options.rule = rule;
    options.scalars = mdbopt::scalars_of(rule, scalars);
    mdbopt::Updater updater(options);
    std::vector<Values> states;
    std::vector<void*> streams{theirs.data(), g.data()};
    for (std::size_t k = 2; k < description.stream_count; ++k) {
      const std::string name = description.streams[k].name;
      const bool parameters = name == "x_prev" || name == "x0" || name == "z";
      const bool multiples = name == "p" || name == "eta";
      states.push_back(parameters ? start : Values(1500, multiples ? 1.0 : 0.0));
    }
    for (Values& state : states) streams.push_back(state.data());
    const mdbopt::Job job{streams.data(), theirs.size(), 0.01};
    for (int step = 0; step < 3; ++step) {
      optimizer.step(0.01);
      updater.step(mdbopt::Dtype::kFloat64, {&job, 1}, {});
    }
    CHECK(ours == theirs);
    CHECK(ours != start);
    for (std::size_t k = 2; k < description.stream_count; ++k) {
      const mdbopt::Tensor made = optimizer.stream(0, description.streams[k].name);
      const auto* numbers = static_cast<const double*>(made.data);
      const Values& expected = states[k - 2];
      CHECK(std::equal(numbers, numbers + made.size, expected.begin(), expected.end()));
    }
  }
}

void the_first_steps_of_adam() {
  Values x{1.0}, g{4.0}, m{0.0};
  Optimizer adam("adam", {{"beta1", 0.5}, {"eps", 0.0}});
  CHECK_EQUAL(adam.add({{"m", tensor_of(m)}, {"x", tensor_of(x)}, {"g", tensor_of(g)}}), 0U);
  adam.step(0.25);
  CHECK_BITS(m[0], 2.0);
  CHECK(std::abs(x[0] - 0.75) < 1e-15);  // m̂/√v̂ = 1
  CHECK_EQUAL(adam.updater().t(), 1U);
  CHECK_BITS(adam.step(0.25, {2.0, 1.0}), 2.0);
}

void arrays_of_several_dtypes_in_one_step() {
  std::vector<float> narrow{1.0F}, g_narrow{2.0F};
  Values wide{1.0}, g_wide{2.0};
  std::uint16_t half[1] = {0x3f80}, g_half[1] = {0x4000};  // bfloat16 1 and 2
  const auto of = [](std::uint16_t* bits) {
    return mdbopt::Tensor{bits, 1, mdbopt::Dtype::kBFloat16};
  };
  Optimizer sgd("heavy_ball", {{"momentum", 0.5}});
  CHECK_EQUAL(sgd.add({{"x", tensor_of(narrow)}, {"g", tensor_of(g_narrow)}}), 0U);
  CHECK_EQUAL(sgd.add({{"x", tensor_of(wide)}, {"g", tensor_of(g_wide)}}), 1U);
  CHECK_EQUAL(sgd.add({{"x", of(half)}, {"g", of(g_half)}}), 2U);
  CHECK(sgd.stream(2, "x_prev").dtype == mdbopt::Dtype::kFloat32);
  CHECK_EQUAL(*static_cast<const float*>(sgd.stream(2, "x_prev").data), 1.0F);
  Optimizer moved = std::move(sgd);
  moved.step(0.25);
  moved.step(0.25);
  const double expected = 0.5 - 0.5 + 0.5 * -0.5;
  CHECK_EQUAL(narrow[0], static_cast<float>(expected));
  CHECK_EQUAL(wide[0], expected);
  CHECK_EQUAL(mdbopt::widen(mdbopt::BFloat16{half[0]}), static_cast<float>(expected));
}

Optimizer averaging(double weight) {
  mdbopt::Updater::Options options;
  options.finish.average = weight;
  return Optimizer("sgd", {}, options);
}

void the_average_of_a_finish() {
  std::vector<float> made{1.0F}, g{2.0F};
  Values kept{1.0}, g_kept{2.0}, average{5.0};
  Optimizer sgd = averaging(0.5);
  sgd.add({{"x", tensor_of(made)}, {"g", tensor_of(g)}});
  sgd.add({{"average", tensor_of(average)}, {"x", tensor_of(kept)}, {"g", tensor_of(g_kept)}});
  const auto* own = static_cast<const float*>(sgd.stream(0, "average").data);
  CHECK_EQUAL(*own, 1.0F);
  CHECK_EQUAL(average[0], 5.0);
  for (int step = 0; step < 2; ++step) sgd.step(0.25);  // x is 0.5, then 0
  CHECK_EQUAL(made[0], 0.0F);
  CHECK_EQUAL(*own, 0.5F * (0.5F * 1.0F + 0.5F * 0.5F));
  CHECK_EQUAL(average[0], 0.5 * (0.5 * 5.0 + 0.5 * 0.5));
  CHECK_THROWS(mdbopt::Error, "sgd: no stream 'm', expected of x, g, average", sgd.stream(0, "m"));
  CHECK_THROWS(
      mdbopt::TypeError, "sgd: stream 'average' has dtype float32, expected float64 (as 'x')",
      sgd.add({{"x", tensor_of(kept)}, {"g", tensor_of(g_kept)}, {"average", tensor_of(g)}}));
  CHECK_THROWS(
      mdbopt::Error, "sgd: stream 'average' overlaps stream 'x'",
      sgd.add({{"x", tensor_of(kept)}, {"g", tensor_of(g_kept)}, {"average", tensor_of(kept)}}));
  CHECK_THROWS(
      mdbopt::Error, "sgd: no stream 'average', expected of x, g",
      Optimizer("sgd").add(
          {{"x", tensor_of(kept)}, {"g", tensor_of(g_kept)}, {"average", tensor_of(average)}}));
}

void what_is_refused() {
  CHECK_THROWS(mdbopt::Error, "are 'adam', 'nadam', 'adamax'", Optimizer("adamw"));
  CHECK_THROWS(mdbopt::Error, "dot: is no update, expected of run", Optimizer("dot"));
  CHECK_THROWS(mdbopt::Error, "adam: no scalar 'beta_1', expected of beta1, beta2, eps, eps_root",
               Optimizer("adam", {{"beta_1", 0.5}}));
  CHECK_THROWS(mdbopt::Error, "adam: scalar 't' belongs to a step",
               Optimizer("adam", {{"t", 1.0}}));
  CHECK_THROWS(mdbopt::Error, "osgm: scalar 'hyper_lr' is missing", Optimizer("osgm"));
  Optimizer adam("adam");
  CHECK_THROWS(mdbopt::Error, "adam: expected arrays by add", adam.step(0.1));
  Values x{1.0, 2.0}, g{1.0}, m{5.0, 5.0};
  CHECK_THROWS(mdbopt::Error, "adam: no stream 'momentum', expected of x, g, m, v",
               adam.add({{"x", tensor_of(x)}, {"momentum", tensor_of(m)}}));
  CHECK_THROWS(mdbopt::Error, "adam: stream 'x' is missing", adam.add({{"g", tensor_of(g)}}));
  CHECK_THROWS(mdbopt::Error, "adam: stream 'g' is missing", adam.add({{"x", tensor_of(x)}}));
  CHECK_THROWS(mdbopt::Error, "adam: stream 'g' has 1 elements, expected 2",
               adam.add({{"x", tensor_of(x)}, {"g", tensor_of(g)}, {"m", tensor_of(m)}}));
  CHECK(m == Values({5.0, 5.0}));
  mdbopt::Tensor far = tensor_of(x);
  far.location.device = 0;
  CHECK_THROWS(mdbopt::Error, "adam: stream 'm' is missing, and state is made on the CPU alone",
               adam.add({{"x", far}, {"g", far}}));
  CHECK_EQUAL(adam.add({{"x", tensor_of(x)}, {"g", tensor_of(m)}}), 0U);
  CHECK_THROWS(mdbopt::Error, "adam: lr: expected a finite number, got inf",
               adam.step(std::numeric_limits<double>::infinity()));
  CHECK_THROWS(mdbopt::Error, "adam: no array 1, expected fewer than 1", adam.stream(1, "m"));
  CHECK_THROWS(mdbopt::Error, "adam: no stream 'u', expected of x, g, m, v", adam.stream(0, "u"));
  CHECK(x == Values({1.0, 2.0}));
}

}  // namespace

int main() {
  steps_are_those_of_an_updater();
  the_first_steps_of_adam();
  arrays_of_several_dtypes_in_one_step();
  the_average_of_a_finish();
  what_is_refused();
  return check::result();
}
