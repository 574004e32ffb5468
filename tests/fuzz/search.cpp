// search – a Search with any options over any point, told any values: it goes on, ends, or throws an Error.
//
// While it runs it proposes finite points alone, and where it is, f and x are finite.
#include <mdbopt/error.h>
#include <mdbopt/search.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <utility>
#include <vector>

#include "input.h"

using fuzz::number;
using fuzz::require;
using fuzz::seldom;
using mdbopt::Dtype;
using mdbopt::Search;
using mdbopt::Tensor;
using mdbopt::search::Options;

namespace {

// Few bytes give many numbers.
std::vector<double> numbers(FuzzedDataProvider& input, std::size_t size) {
  std::vector<double> pattern;
  for (std::size_t k = input.ConsumeIntegralInRange<std::size_t>(1, 6); k > 0; --k)
    pattern.push_back(number(input));
  std::vector<double> all(size);
  for (std::size_t i = 0; i < size; ++i) all[i] = pattern[i % pattern.size()];
  return all;
}

std::vector<double> ordinary(FuzzedDataProvider& input, std::size_t size) {
  std::vector<double> all(size);
  const int step = input.ConsumeIntegralInRange<int>(1, 11);
  for (std::size_t i = 0; i < size; ++i)
    all[i] = static_cast<double>((static_cast<int>(i) * step) % 13 - 6) / 4.0;
  return all;
}

// A block of its exact size.
struct Array {
  std::vector<double> wide;
  std::vector<float> narrow;
  Dtype dtype;

  Array(const std::vector<double>& values, Dtype type) : dtype(type) {
    if (type == Dtype::kFloat64) {
      wide = values;
    } else {
      for (const double value : values) {
        constexpr double kMost = std::numeric_limits<float>::max();
        narrow.push_back(
            std::abs(value) > kMost && std::isfinite(value)
                ? std::copysign(std::numeric_limits<float>::infinity(), value > 0.0 ? 1.0F : -1.0F)
                : static_cast<float>(value));
      }
    }
  }
  Tensor tensor() {
    if (dtype == Dtype::kFloat64) return {wide.data(), wide.size(), dtype};
    return {narrow.data(), narrow.size(), dtype};
  }
};

bool finite(const Tensor& tensor) {
  for (std::size_t i = 0; i < tensor.size; ++i) {
    const double value = tensor.dtype == Dtype::kFloat64
                             ? static_cast<const double*>(tensor.data)[i]
                             : static_cast<const float*>(tensor.data)[i];
    if (!std::isfinite(value)) return false;
  }
  return true;
}

// Of one number for each coordinate, one for all, or as many as the input wants.
std::size_t count_of(FuzzedDataProvider& input, std::size_t size) {
  switch (input.ConsumeIntegralInRange<int>(0, 7)) {
    case 0:
      return input.ConsumeIntegralInRange<std::size_t>(0, 20);
    case 1:
      return 1;
    default:
      return size;
  }
}

Options options_of(FuzzedDataProvider& input, std::size_t size) {
  Options options;
  options.method =
      input.PickValueInArray({"guarded", "box", "ellipsoid", "simplex", "backtracking"});
  if (seldom(input, 32)) options.method = input.ConsumeRandomLengthString(12);
  if (input.ConsumeBool()) options.gamma = number(input);
  if (input.ConsumeBool()) options.initial_scale = number(input);
  if (input.ConsumeBool()) options.forward = number(input);
  options.cocoercive = !seldom(input, 4);
  if (input.ConsumeBool()) options.refine = input.ConsumeIntegralInRange<int>(-1, 5);
  options.gradient_direction = input.ConsumeBool();
  if (seldom(input, 4)) {
    const std::int64_t labels = input.ConsumeIntegralInRange<std::int64_t>(1, 5);
    const std::int64_t from = input.ConsumeIntegral<std::int64_t>() / 2;
    for (std::size_t i = count_of(input, size); i > 0; --i)
      options.groups.push_back(from + static_cast<std::int64_t>(i * 7) % labels);
  }
  if (seldom(input, 4)) {
    options.lower = numbers(input, count_of(input, size));
    options.upper = numbers(input, count_of(input, size));
    if (input.ConsumeBool()) {
      for (std::size_t i = 0; i < std::min(options.lower.size(), options.upper.size()); ++i) {
        if (options.lower[i] > options.upper[i]) std::swap(options.lower[i], options.upper[i]);
      }
    }
  }
  if (seldom(input, 4)) options.l1 = numbers(input, count_of(input, size));
  if (seldom(input, 8)) {
    options.noise_f = number(input);
    options.noise_g = number(input);
  }
  if (input.ConsumeBool()) options.memory = input.ConsumeIntegralInRange<std::size_t>(0, 40);
  options.proposer = input.PickValueInArray({"lbfgs", "lbfgs", "heavy-ball", "nesterov", "cg"});
  if (seldom(input, 32)) options.proposer = input.ConsumeRandomLengthString(8);
  options.execution.threads = input.ConsumeIntegralInRange<std::size_t>(0, 2);
  return options;
}

// f = ½ Σ h (x − 1)² and its gradient, or what the input says.
std::pair<double, std::vector<double>> evaluated(FuzzedDataProvider& input, const Tensor& x) {
  std::vector<double> g(x.size);
  double f = 0.0;
  for (std::size_t i = 0; i < x.size; ++i) {
    const double at = x.dtype == Dtype::kFloat64 ? static_cast<const double*>(x.data)[i]
                                                 : static_cast<const float*>(x.data)[i];
    const double h = static_cast<double>(1 + i * 7 % 11);
    f += 0.5 * h * (at - 1.0) * (at - 1.0);
    g[i] = h * (at - 1.0);
  }
  switch (input.ConsumeIntegralInRange<int>(0, 7)) {
    case 0:
      f = number(input);
      break;
    case 1:
      g = numbers(input, x.size);
      break;
    case 2:
      g = numbers(input, input.ConsumeIntegralInRange<std::size_t>(0, 20));
      break;
    default:
      break;
  }
  return {f, g};
}

// f() has the penalty in it.
void go_on(Search& search, bool penalised, FuzzedDataProvider& input, Dtype dtype,
           std::size_t size) {
  for (int k = input.ConsumeIntegralInRange<int>(0, 30); k > 0; --k) {
    const Tensor y = search.propose();
    const bool runs = search.status() < 0;
    require(y.size == size && y.dtype == dtype, "a point of x's size and dtype");
    require(!runs || finite(y), "a finite proposal");
    const auto [f, gradient] = evaluated(input, y);
    Array g(gradient, dtype);
    try {
      const bool moved = search.judge(f, g.tensor());
      require(!moved || (std::isfinite(f) && finite(g.tensor())), "a move to finite f and g");
      require(!moved || penalised || fuzz::same_bits(search.f(), f), "f as it was told");
    } catch (const mdbopt::Error&) {
      require(g.tensor().size != size, "a gradient of x's size taken");
    }
    require(!runs || finite(search.x()), "a finite x");
    std::vector<double> steps(size);
    search.step_sizes(steps.data());
    search.converged(1e-8);
  }
}

void run(FuzzedDataProvider& input) {
  std::size_t size = input.ConsumeIntegralInRange<std::size_t>(0, 40);
  if (seldom(input, 64)) size += 1000;
  const Dtype dtype = input.ConsumeBool() ? Dtype::kFloat64 : Dtype::kFloat32;
  const bool plain = !seldom(input, 4);
  Array x(plain ? ordinary(input, size) : numbers(input, size), dtype);
  const Options options = options_of(input, size);
  Search search(options);
  const auto [f, gradient] = evaluated(input, x.tensor());
  Array g(gradient, dtype);
  search.init(x.tensor(), f, g.tensor());
  go_on(search, !options.l1.empty(), input, dtype, size);
  if (!input.ConsumeBool()) return;
  const Options others = input.ConsumeBool() ? options : options_of(input, size);
  Search later(others);
  mdbopt::search::Ridge before{number(input)}, now{number(input)};
  Array each(numbers(input, count_of(input, size)), Dtype::kFloat64);
  const Tensor tensor = each.tensor();
  if (input.ConsumeBool()) now.each = &tensor;
  if (input.ConsumeBool())
    later.init(x.tensor(), f, g.tensor(), search);
  else
    later.init(x.tensor(), f, g.tensor(), search, before, now);
  go_on(later, !others.l1.empty(), input, dtype, size);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  return fuzz::run_input(data, size, run);
}
