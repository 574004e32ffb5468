// updater – fills in what changes from step to step, launches, and takes back the numbers.
#include "updater.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "../error.h"
#include "../half.h"

namespace mdbopt {
namespace {

constexpr std::size_t kNone = kMaxScalars;
constexpr double kNormOffset = 1e-6;  // as PyTorch's clip_grad_norm_

std::size_t scalar_named(const Description& rule, const char* name) {
  for (std::size_t k = 0; k < rule.scalar_count; ++k) {
    if (std::strcmp(rule.scalars[k].name, name) == 0) return k;
  }
  return kNone;
}

}  // namespace

Updater::Updater(Options options) {
  options_.rule = options.rule;
  configure(std::move(options));
  const Description& description = rule();
  for (std::size_t k = 0; k < description.sum_count(); ++k) {
    const char* name = description.sum(k).name;
    const std::size_t scalar = scalar_named(description, name);
    if (scalar != kNone) numbers_.push_back({name, scalar, k, values_[scalar]});
  }
}

void Updater::configure(Options options) {
  const Description& description = rule_description(options.rule);
  if (!description.update) throw Error(std::string(description.name) + ": not an update rule");
  if (options.rule != options_.rule) {
    throw Error(std::string(rule().name) + ": expected options of this rule, got those of " +
                description.name);
  }
  if (options.scalars.size() != description.scalar_count) {
    throw Error(std::string(description.name) + ": expected " +
                std::to_string(description.scalar_count) + " scalars, got " +
                std::to_string(options.scalars.size()));
  }
  options_ = std::move(options);
  values_ = options_.scalars;
  t_scalar_ = scalar_named(description, "t");
  grad_scale_scalar_ = scalar_named(description, "grad_scale");
}

void Updater::set_scalar(const std::string& name, double value) {
  const std::size_t scalar = scalar_named(rule(), name.c_str());
  if (scalar == kNone) throw Error(std::string(rule().name) + ": no scalar '" + name + "'");
  values_[scalar] = value;
}

// The factor that takes the norm of all gradients down to its bound: 1 where it is within, NaN where
// the norm is.
double Updater::clip(Dtype dtype, std::span<const Job> jobs, const Call& call) const {
  static const std::size_t norm = find_rule("norm");
  thread_local std::vector<Job> gradients;
  gradients.clear();
  for (const Job& job : jobs) gradients.push_back({job.streams + 1, job.size});
  double scale = 1.0;
  double sums[kMaxSums];
  launch(norm, dtype, gradients, &scale, sums, options_.execution);
  const double largest = sums[1];
  // Squares out of range: once more, relative to the largest element.
  const bool out_of_range = std::isinf(sums[0]) || sums[0] < 1e-280;
  if (out_of_range && largest > 0.0 && std::isfinite(largest)) {
    scale = std::min(1.0 / largest, 0x1p1000);
    launch(norm, dtype, gradients, &scale, sums, options_.execution);
  }
  const double total = std::sqrt(sums[0]) / scale / call.grad_scale;
  const double factor = call.max_norm / (total + kNormOffset);
  return factor >= 1.0 ? 1.0 : factor;
}

void Updater::step(Dtype dtype, std::span<const Job> jobs, const Call& call) {
  if (t_ >= kMostSteps) {
    throw Error(options_.name + ": t: " + std::to_string(t_) +
                " steps are taken, expected fewer than 2^53");
  }
  const double clipped = call.max_norm > 0.0 ? clip(dtype, jobs, call) : 1.0;
  const double sign = options_.maximize ? -1.0 : 1.0;
  values_[grad_scale_scalar_] = sign * clipped / call.grad_scale;
  if (t_scalar_ != kNone) values_[t_scalar_] = static_cast<double>(t_ + 1);
  for (const Number& number : numbers_) values_[number.scalar] = number.value;
  Execution execution = options_.execution;
  if (execution.stochastic) execution.key = rounding_key(options_.seed, t_ + 1);
  double sums[kMaxSums];
  launch(options_.rule, dtype, jobs, values_.data(), sums, execution);
  for (Number& number : numbers_) number.value = sums[number.sum];
  ++t_;
}

}  // namespace mdbopt
