// by_name – names in any order are what a launch takes in the rule's; what is refused, before anything is
// written; what a signature tells.
#include <mdbopt/by_name.h>
#include <mdbopt/error.h>

#include <cmath>
#include <span>

#include "base/nearest.h"
#include "check.h"

using mdbopt::run;
using mdbopt::Scalars;
using mdbopt::Streams;
using mdbopt::tensor_of;

namespace {

using Values = std::vector<double>;

void a_kernel_is_a_launch_of_its_rule() {
  check::Random random(1);
  Values x = random.numbers(3000), g = random.numbers(3000), b = random.numbers(3000);
  Values trial(3000), theirs(3000);
  for (double& p : b) p = std::abs(p);
  const mdbopt::Outcome outcome = run("box_trial",
                                      {{"x_trial", tensor_of(trial)},
                                       {"b", tensor_of(b)},
                                       {"x", tensor_of(x)},
                                       {"g", tensor_of(g)}},
                                      {{"step", 0.25}});

  void* streams[] = {x.data(), g.data(), b.data(), theirs.data()};
  const mdbopt::Job job{streams, x.size()};
  const double scalars[] = {0.25, 1.0};
  double sums[mdbopt::kMaxSums];
  const std::size_t rule = mdbopt::find_rule("box_trial");
  CHECK(mdbopt::launch(rule, mdbopt::Dtype::kFloat64, {&job, 1}, scalars, sums, {}));
  CHECK(outcome.applied);
  CHECK(trial == theirs);
  const mdbopt::Description& description = mdbopt::rule_description(rule);
  CHECK_EQUAL(outcome.sums.size(), description.sum_count());
  for (std::size_t k = 0; k < description.sum_count(); ++k)
    CHECK_BITS(outcome[description.sum(k).name], sums[k]);
}

void what_a_rule_refuses_is_told() {
  Values axes{1.0, 1.0}, u{0.5, 0.5};  // ℓ = ½: nothing to cut
  const mdbopt::Outcome outcome =
      run("ellipsoid_cut", {{"axes", tensor_of(axes)}, {"u", tensor_of(u)}});
  CHECK(!outcome.applied);
  CHECK(axes == Values({1.0, 1.0}));
}

void views_of_what_a_program_has() {
  const std::vector<float> read_only{3.0F, 4.0F};
  const mdbopt::Tensor view = tensor_of(read_only);
  CHECK_EQUAL(view.size, 2U);
  CHECK(view.dtype == mdbopt::Dtype::kFloat32);
  CHECK(!view.writable);
  CHECK_BITS(run("norm", {{"a", view}})["norm2"], 25.0);
  double plain[] = {1.0, 2.0, 3.0};
  CHECK_EQUAL(tensor_of(plain).size, 3U);
  CHECK(tensor_of(std::span{plain, 2}).writable);
  CHECK_EQUAL(tensor_of(std::span{plain, 2}).data, static_cast<void*>(plain));
}

void what_is_refused() {
  Values a{3.0, 4.0}, b{1.0};
  CHECK_THROWS(mdbopt::Error, "norm: no stream 'x', expected of a",
               run("norm", {{"x", tensor_of(a)}}));
  CHECK_THROWS(mdbopt::Error, "norm: no scalar 'factor', expected of scale",
               run("norm", {{"a", tensor_of(a)}}, {{"factor", 1.0}}));
  CHECK_THROWS(mdbopt::Error, "norm: stream 'a' is given twice",
               run("norm", {{"a", tensor_of(a)}, {"a", tensor_of(a)}}));
  CHECK_THROWS(mdbopt::Error, "dot: stream 'b' is missing, expected a, b",
               run("dot", {{"a", tensor_of(a)}}));
  CHECK_THROWS(mdbopt::Error, "dot: stream 'b' has 1 elements, expected 2 (as 'a')",
               run("dot", {{"b", tensor_of(b)}, {"a", tensor_of(a)}}));
  CHECK_THROWS(mdbopt::Error, "no sum 'norm', expected of max, norm2",
               run("norm", {{"a", tensor_of(a)}})["norm"]);
  CHECK_THROWS(mdbopt::Error, "adam: is an update, expected of Optimizer", run("adam", {}));
  Values x{1.0, 2.0};
  CHECK_THROWS(mdbopt::Error, "box_trial: scalar 'step' is missing and has no default",
               run("box_trial", {{"x", tensor_of(x)},
                                 {"g", tensor_of(a)},
                                 {"b", tensor_of(a)},
                                 {"x_trial", tensor_of(x)}}));
  const Values const_x{1.0, 2.0};
  CHECK_THROWS(mdbopt::Error, "box_trial: stream 'x_trial' is read-only",
               run("box_trial",
                   {{"x", tensor_of(x)},
                    {"g", tensor_of(a)},
                    {"b", tensor_of(a)},
                    {"x_trial", tensor_of(const_x)}},
                   {{"step", 1.0}}));
}

void a_signature_names_all() {
  CHECK_EQUAL(mdbopt::signature(mdbopt::find_rule("norm")),
              std::string("norm: streams a; scalars scale = 1; sums norm2, max"));
  CHECK_EQUAL(mdbopt::signature(mdbopt::find_rule("sgd_momentum")),
              std::string("sgd_momentum: streams x, g; state m; scalars momentum = 0.9, "
                          "dampening = 0, nesterov = 0, weight_decay = 0, l2 = 0; sums none"));
  for (std::size_t rule = 0; rule < mdbopt::rule_count(); ++rule) {
    const mdbopt::Description& description = mdbopt::rule_description(rule);
    const std::string words = mdbopt::signature(rule);
    for (std::size_t k = 0; k < description.stream_count; ++k)
      CHECK(words.find(description.streams[k].name) != std::string::npos);
  }
}

void the_nearest_names_come_first() {
  CHECK_EQUAL(mdbopt::letters_apart("", "adam"), 4U);
  CHECK_EQUAL(mdbopt::letters_apart("kitten", "sitting"), 3U);
  CHECK_EQUAL(mdbopt::letters_apart("adam", "adam"), 0U);
  CHECK_EQUAL(mdbopt::nearest_names("lionn", {"adam", "lion", "lamb", "sgd"}),
              std::string("'lion', 'lamb', 'adam'"));
  CHECK_EQUAL(mdbopt::nearest_names("b", {"a"}), std::string("'a'"));
}

}  // namespace

int main() {
  a_kernel_is_a_launch_of_its_rule();
  what_a_rule_refuses_is_told();
  views_of_what_a_program_has();
  what_is_refused();
  a_signature_names_all();
  the_nearest_names_come_first();
  return check::result();
}
