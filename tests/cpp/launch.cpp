// launch – several jobs as one: the order of their sums, what a refusal leaves, and the checks
// before the first write.
#include <mdbopt/error.h>

#include <array>
#include <map>
#include <string>

#include "check.h"
#include "engine/check.h"
#include "engine/launch.h"
#include "trees.h"

using mdbopt::Dtype;
using mdbopt::Execution;
using mdbopt::Job;

namespace {

using Values = std::vector<double>;
using Arrays = std::vector<Values>;

Arrays arrays(check::Random& random, const std::vector<std::size_t>& sizes) {
  Arrays all;
  for (std::size_t size : sizes) all.push_back(random.numbers(size));
  return all;
}

Values joined(const Arrays& all) {
  Values one;
  for (const Values& values : all) one.insert(one.end(), values.begin(), values.end());
  return one;
}

// Every way to run: all backends of this machine, few and many threads.
std::vector<Execution> executions() {
  std::vector<Execution> all;
  for (std::size_t k = 0; k < mdbopt::backend_count(); ++k) {
    if (!mdbopt::backend_at(k).supported()) continue;
    for (std::size_t threads : {1U, 2U, 7U}) all.push_back({&mdbopt::backend_at(k), threads});
  }
  return all;
}

struct Outcome {
  double sums[mdbopt::kMaxSums];
  bool applied;
};

// Runs a rule of two float64 streams on jobs (a[k], b[k]); scalars that are not given have their
// defaults.
Outcome run(const char* name, Arrays& a, Arrays& b, const std::map<std::string, double>& given,
            const Execution& how) {
  std::vector<std::array<void*, 2>> streams;
  for (std::size_t k = 0; k < a.size(); ++k) streams.push_back({a[k].data(), b[k].data()});
  std::vector<Job> jobs;
  for (std::size_t k = 0; k < a.size(); ++k) jobs.push_back({streams[k].data(), a[k].size()});
  const std::size_t rule = mdbopt::find_rule(name);
  const mdbopt::Description& description = mdbopt::rule_description(rule);
  Values scalars;
  for (std::size_t k = 0; k < description.scalar_count; ++k) {
    const auto location = given.find(description.scalars[k].name);
    scalars.push_back(location != given.end() ? location->second : description.scalars[k].fallback);
  }
  Outcome outcome{};
  for (double& sum : outcome.sums) sum = -1.0;
  outcome.applied = mdbopt::launch(rule, Dtype::kFloat64, jobs, scalars.data(), outcome.sums, how);
  return outcome;
}

// Chunks are numbered through the jobs, so the sum is one tree over the chunks of all jobs.
void sums_are_one_tree_over_all_chunks() {
  check::Random random(1);
  const std::vector<std::vector<std::size_t>> cases = {{},
                                                       {0},
                                                       {5},
                                                       {0, 5, 0, 7},
                                                       {1000, 1000},
                                                       {1025, 1, 1},
                                                       {2048, 1024, 500},
                                                       {3, 40000, 0, 1023, 60001}};
  for (const auto& sizes : cases) {
    Arrays a = arrays(random, sizes);
    Arrays b = arrays(random, sizes);
    Values chunks;
    for (std::size_t k = 0; k < a.size(); ++k) {
      Values products(a[k].size());
      for (std::size_t i = 0; i < products.size(); ++i) products[i] = a[k][i] * b[k][i];
      trees::add_chunks(products, chunks);
    }
    for (const Execution& how : executions()) {
      const Outcome outcome = run("dot", a, b, {}, how);
      CHECK(outcome.applied);
      CHECK_BITS(outcome.sums[0], trees::pairs(chunks));
    }
  }
}

// Those of a rule of Scope::kArray are a tree over the chunks of each job, and so is what it solves.
void sums_of_each_job_are_its_own() {
  check::Random random(7);
  const std::vector<std::size_t> sizes = {3, 0, 1024, 60001, 2048};
  const Arrays start = arrays(random, sizes);
  Arrays g = arrays(random, sizes);
  for (const Execution& how : executions()) {
    Arrays x = start;
    const Outcome outcome = run("normalized_gd_array", x, g, {}, how);
    CHECK(outcome.applied);
    for (std::size_t k = 0; k < g.size(); ++k) {
      Values squares;
      for (double each : g[k]) squares.push_back(each * each);
      Values chunks;
      trees::add_chunks(squares, chunks);
      CHECK_BITS(outcome.sums[k], trees::pairs(chunks));
      const double inverse = 1.0 / __builtin_sqrt(outcome.sums[k]);
      for (std::size_t i = 0; i < x[k].size(); ++i)
        CHECK_BITS(x[k][i], start[k][i] - inverse * g[k][i]);
    }
  }
}

// Cutting one array into jobs keeps the bits where the cuts fall between chunks, and only there.
void cuts_between_chunks_change_nothing() {
  check::Random random(2);
  const auto jobs_and_whole = [&](const std::vector<std::size_t>& sizes) {
    Arrays a = arrays(random, sizes);
    Arrays b = arrays(random, sizes);
    Arrays whole_a{joined(a)};
    Arrays whole_b{joined(b)};
    return std::array<double, 2>{run("dot", a, b, {}, {}).sums[0],
                                 run("dot", whole_a, whole_b, {}, {}).sums[0]};
  };
  const auto between = jobs_and_whole({2048, 1024, 0, 500});
  CHECK_BITS(between[0], between[1]);
  const auto within = jobs_and_whole({1000, 2000, 500});
  CHECK(!check::same_bits(within[0], within[1]));
}

void every_job_is_written() {
  check::Random random(3);
  for (const Execution& how : executions()) {
    Arrays g = arrays(random, {7, 0, 30000, 1024, 1});
    Arrays u = arrays(random, {7, 0, 30000, 1024, 1});
    CHECK(run("square", g, u, {{"scale", 2.0}}, how).applied);
    for (std::size_t k = 0; k < g.size(); ++k) {
      for (std::size_t i = 0; i < g[k].size(); ++i) {
        CHECK_BITS(u[k][i], (2.0 * g[k][i]) * (2.0 * g[k][i]));
      }
    }
  }
}

// The dimension that a rule sees is that of all jobs together.
void the_dimension_is_the_total() {
  check::Random random(4);
  Arrays u = arrays(random, {1024, 2048, 10});
  Arrays axes{Values(1024, 1.0), Values(2048, 1.0), Values(10, 1.0)};
  Arrays whole_u{joined(u)};
  Arrays whole_axes{joined(axes)};
  const Outcome apart = run("ellipsoid_cut", u, axes, {{"cut", 10.0}}, {});
  CHECK(apart.applied);
  CHECK_BITS(apart.sums[0], run("ellipsoid_cut", whole_u, whole_axes, {{"cut", 10.0}}, {}).sums[0]);
  CHECK(joined(axes) == whole_axes[0]);
  CHECK(whole_axes[0][0] != 1.0);
}

void a_refusal_leaves_streams_untouched() {
  check::Random random(5);
  for (const Execution& how : executions()) {
    Arrays u = arrays(random, {30000, 10});
    Arrays axes{Values(30000, 0.5), Values(10, 0.5)};
    const Arrays before = axes;
    mdbopt::traffic() = {};
    const Outcome outcome = run("ellipsoid_cut", u, axes, {{"cut", 1e-9}}, how);
    CHECK(!outcome.applied);
    CHECK(outcome.sums[0] > 0.0);
    CHECK(axes == before);
    CHECK_EQUAL(mdbopt::traffic().walks, 1U);
    CHECK_EQUAL(mdbopt::traffic().bytes, 16U * 30010U);
  }
}

void streams_are_checked() {
  const mdbopt::Description& square = mdbopt::rule_description(mdbopt::find_rule("square"));
  double memory[8] = {};
  const mdbopt::Tensor g{memory, 4, Dtype::kFloat64, true};
  const mdbopt::Tensor u{memory + 4, 4, Dtype::kFloat64, true};
  const auto check = [&](std::vector<mdbopt::Tensor> streams) {
    return mdbopt::check_streams(square, streams);
  };
  CHECK(check({g, u}) == Dtype::kFloat64);
  CHECK(check({{memory, 8, Dtype::kFloat32, false}, {memory + 4, 8, Dtype::kFloat64, true}}) ==
        Dtype::kFloat32);
  CHECK_THROWS(mdbopt::TypeError, "square: expected 2 streams, got 1", check({g}));
  CHECK_THROWS(mdbopt::TypeError, "square: stream 'u' has dtype float32, expected float64 (what",
               check({g, {memory + 4, 4, Dtype::kFloat32, true}}));
  CHECK_THROWS(mdbopt::Error, "square: stream 'u' has 3 elements, expected 4 (as 'g')",
               check({g, {memory + 4, 3, Dtype::kFloat64, true}}));
  CHECK_THROWS(mdbopt::Error, "square: stream 'u' is read-only",
               check({g, {memory + 4, 4, Dtype::kFloat64, false}}));
  CHECK_THROWS(mdbopt::Error, "square: stream 'u' overlaps stream 'g'",
               check({g, {memory + 3, 4, Dtype::kFloat64, true}}));
}

void names_are_found() {
  for (std::size_t rule = 0; rule < mdbopt::rule_count(); ++rule) {
    CHECK_EQUAL(mdbopt::find_rule(mdbopt::rule_description(rule).name), rule);
  }
  CHECK_THROWS(mdbopt::Error, "no rule 'adamw'; the nearest of", mdbopt::find_rule("adamw"));
  CHECK_THROWS(mdbopt::Error, "'sse9' cannot run here", mdbopt::find_backend("sse9"));
  CHECK(mdbopt::active_backend().supported());
}

}  // namespace

int main() {
  sums_are_one_tree_over_all_chunks();
  sums_of_each_job_are_its_own();
  cuts_between_chunks_change_nothing();
  every_job_is_written();
  the_dimension_is_the_total();
  a_refusal_leaves_streams_untouched();
  streams_are_checked();
  names_are_found();
  return check::result();
}
