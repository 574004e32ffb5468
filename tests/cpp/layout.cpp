// layout – elements of any layout to blocks and back; launches over jobs that have them, of several
// dtypes and scalars, are as launches over dense copies.
#include <array>
#include <cstdint>
#include <cstring>

#include "check.h"
#include "engine/launch.h"
#include "engine/layout.h"

using mdbopt::Dtype;
using mdbopt::Job;
using mdbopt::Layout;
using mdbopt::Variant;

namespace {

using Values = std::vector<double>;
constexpr std::int64_t kWidth = sizeof(double);

// Element i of the layout by the definition: digits of i by the shape, innermost last.
const char* location(const Layout& layout, std::size_t i) {
  const char* at = static_cast<const char*>(layout.data);
  for (int k = layout.rank; k-- > 0;) {
    const auto size = static_cast<std::size_t>(layout.shape[k]);
    at += static_cast<std::int64_t>(i % size) * layout.strides[k];
    i /= size;
  }
  return at;
}

void every_part_is_loaded_and_stored() {
  Values memory = check::Random(1).numbers(4000);
  const std::int64_t shape[] = {3, 5, 7};
  const std::int64_t strides[] = {-800, 24, 120};
  const Layout layout{memory.data() + 1000, Dtype::kFloat64, 3, shape, strides};
  for (std::size_t begin : {0U, 1U, 6U, 7U, 8U, 34U, 35U, 50U, 104U}) {
    for (std::size_t count : {0U, 1U, 2U, 7U, 13U, 1U}) {
      if (begin + count > 105) continue;
      Values block(count);
      mdbopt::load(layout, begin, count, Dtype::kFloat64, block.data());
      for (std::size_t k = 0; k < count; ++k) {
        CHECK_EQUAL(std::memcmp(&block[k], location(layout, begin + k), sizeof(double)), 0);
      }
      for (double& value : block) value += 1.0;
      mdbopt::store(layout, begin, count, block.data());
      for (std::size_t k = 0; k < count; ++k) {
        CHECK_EQUAL(std::memcmp(&block[k], location(layout, begin + k), sizeof(double)), 0);
      }
    }
  }
}

void narrower_numbers_widen() {
  const std::int64_t size = 3;
  const std::uint16_t bfloat16[] = {0x3fc0, 0xc000, 0x0001};
  const std::uint16_t float16[] = {0x3e00, 0xc000, 0x0001};
  const float float32[] = {1.5F, -2.0F, 1e-45F};
  const auto loaded = [&](const void* data, Dtype dtype, std::int64_t width) {
    const Layout layout{const_cast<void*>(data), dtype, 1, &size, &width};
    Values wide(3);
    mdbopt::load(layout, 0, 3, Dtype::kFloat64, wide.data());
    if (is_half(dtype)) {
      float narrow[3];
      mdbopt::load(layout, 0, 3, Dtype::kFloat32, narrow);
      for (int k = 0; k < 3; ++k) CHECK_EQUAL(double{narrow[k]}, wide[static_cast<std::size_t>(k)]);
    }
    return wide;
  };
  CHECK(loaded(bfloat16, Dtype::kBFloat16, 2) == (Values{1.5, -2.0, 0x1p-133}));
  CHECK(loaded(float16, Dtype::kFloat16, 2) == (Values{1.5, -2.0, 0x1p-24}));
  CHECK(loaded(float32, Dtype::kFloat32, 4) == (Values{1.5, -2.0, double{1e-45F}}));
  CHECK(widens(Dtype::kBFloat16, Dtype::kFloat32) && widens(Dtype::kFloat32, Dtype::kFloat64));
  CHECK(!widens(Dtype::kFloat64, Dtype::kFloat32) && !widens(Dtype::kFloat16, Dtype::kBFloat16));
}

// Parameters in every second place, and their gradients backwards.
void a_launch_over_layouts() {
  static const std::size_t adam = mdbopt::find_rule("adam");
  const std::int64_t size = 2500;
  const std::int64_t two = 2 * kWidth;
  const std::int64_t back = -kWidth;
  check::Random random(2);
  Values x = random.numbers(5000);
  Values g = random.numbers(2500), m(2500), v(2500);
  Values dense_x(2500), dense_g(g.rbegin(), g.rend()), dense_m(2500), dense_v(2500);
  for (std::size_t k = 0; k < dense_x.size(); ++k) dense_x[k] = x[2 * k];
  const Values before = x;
  const Layout layouts[mdbopt::kMaxStreams + 2] = {{x.data(), Dtype::kFloat64, 1, &size, &two},
                                                   {&g.back(), Dtype::kFloat64, 1, &size, &back}};
  void* streams[] = {x.data(), &g.back(), m.data(), v.data()};
  void* dense[] = {dense_x.data(), dense_g.data(), dense_m.data(), dense_v.data()};
  const double scalars[] = {1, 0.9, 0.999, 1e-8, 0, 1, 0, 0.1, 0, 1};
  for (std::size_t threads : {1U, 3U}) {
    Job job{streams, 2500, 0.1};
    job.layouts = layouts;
    const Job plain{dense, 2500, 0.1};
    mdbopt::launch(adam, Dtype::kFloat64, {&job, 1}, scalars, nullptr, {nullptr, threads});
    mdbopt::launch(adam, Dtype::kFloat64, {&plain, 1}, scalars, nullptr, {});
  }
  for (std::size_t k = 0; k < dense_x.size(); ++k) {
    CHECK_EQUAL(x[2 * k], dense_x[k]);
    CHECK_EQUAL(x[2 * k + 1], before[2 * k + 1]);
  }
  CHECK(m == dense_m && v == dense_v);
}

// Each job has the dtype and the scalars of its variant; a norm runs over all of them.
void variants_of_one_launch() {
  static const std::size_t sgd = mdbopt::find_rule("sgd");
  static const std::size_t norm = mdbopt::find_rule("norm");
  Values x(3, 1.0), g{3.0, 0.0, 4.0};
  float y[] = {2.0F, 2.0F}, h[] = {12.0F, 0.0F};
  void* wide[] = {x.data(), g.data()};
  void* narrow[] = {y, h};
  Job jobs[] = {{wide, 3, 0.5}, {narrow, 2, 0.25}};
  jobs[1].variant = 1;
  const double first[] = {0.0, 0.0, 1.0}, second[] = {2.0, 0.0, 1.0};
  const Variant variants[] = {{Dtype::kFloat64, first}, {Dtype::kFloat32, second}};
  CHECK(mdbopt::launch(sgd, variants, jobs, nullptr, {}));
  CHECK(x == (Values{-0.5, 1.0, -1.0}));
  CHECK_EQUAL(y[0], 0.5F * 2.0F - 3.0F);
  CHECK_EQUAL(y[1], 0.5F * 2.0F);
  Job gradients[] = {{wide + 1, 3}, {narrow + 1, 2}};
  gradients[1].variant = 1;
  const double one = 1.0;
  const Variant both[] = {{Dtype::kFloat64, &one}, {Dtype::kFloat32, &one}};
  double sums[mdbopt::kMaxSums];
  mdbopt::launch(norm, both, gradients, sums, {});
  CHECK_EQUAL(sums[0], 169.0);
  CHECK_EQUAL(sums[1], 12.0);
}

}  // namespace

int main() {
  every_part_is_loaded_and_stored();
  narrower_numbers_widen();
  a_launch_over_layouts();
  variants_of_one_launch();
  return check::result();
}
