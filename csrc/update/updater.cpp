// updater – fills in what changes from step to step, launches, and takes back the numbers.
#include <mdbopt/updater.h>

#include <mdbopt/error.h>

#include <algorithm>
#include <cstring>

#include "../base/half.h"
#include "../engine/finisher.h"
#include "../engine/launch.h"
#include "../engine/reduction.h"
#include "../runtime/device.h"
#include "clip.h"

namespace mdbopt {
namespace {

constexpr std::size_t kNone = DeviceStep::kNone;

// Behind an update of these scalars.
DeviceStep::Following following_of(const Finish& finish, const Description& rule,
                                   const double* scalars) {
  const std::size_t grad_scale = scalar_named(rule_description(finish_rule()), "grad_scale");
  DeviceStep::Following following{finish_rule(), grad_scale, finish.averages(), {}};
  std::ranges::copy(finish_scalars(finish, rule, scalars), following.scalars);
  return following;
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

Updater::~Updater() = default;
Updater::Updater(Updater&&) noexcept = default;
Updater& Updater::operator=(Updater&&) noexcept = default;

void Updater::copy_norm(void* to) { device_optimizer_->copy_norm(to); }

void Updater::configure(Options options) {
  if (options.rule >= rule_count()) {
    throw Error(options.name + ": rule: expected a number below " + std::to_string(rule_count()) +
                ", got " + std::to_string(options.rule));
  }
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
  const std::size_t decay_scalar = scalar_named(description, options.decay.c_str());
  if (decay_scalar == kNone) {
    throw Error(std::string(description.name) + ": decay: expected the name of a scalar, got '" +
                options.decay + "'");
  }
  // Nothing is replaced before all that can fail is done.
  std::vector<double> values = options.scalars;
  std::unique_ptr<Reduction> reduction;
  const bool same = reduction_ != nullptr && reduction_->reducer() == options.reducer;
  if (options.reducer != nullptr && !same) reduction = std::make_unique<Reduction>(options.reducer);
  options_ = std::move(options);
  values_ = std::move(values);
  t_scalar_ = scalar_named(description, "t");
  grad_scale_scalar_ = scalar_named(description, "grad_scale");
  decay_scalar_ = decay_scalar;
  if (!same) reduction_ = std::move(reduction);
  options_.execution.reduction = reduction_.get();
}

void Updater::share(const Updater& other) {
  if (other.reduction_ == nullptr) {
    throw Error(options_.name + ": expected to share the messages of an updater with a reducer, " +
                other.options_.name + " has none");
  }
  auto shared = std::make_unique<Reduction>(other.reduction_->messages());
  options_.reducer = other.options_.reducer;
  reduction_ = std::move(shared);
  options_.execution.reduction = reduction_.get();
}

void Updater::meet(std::span<const Group> groups, std::span<const Job> jobs, const Call& call) {
  if (reduction_ == nullptr) return;
  if (!call.location.on_cpu()) {
    throw Error(options_.name + ": reducer: expected None for parameters on " +
                memory_name(call.location.device) + ", as shards meet on the CPU alone");
  }
  reduction_->tell("t", static_cast<double>(t_ + 1));
  if (reduction_->agreed(jobs)) return;
  const Description& description = rule();
  std::vector<Reduction::Fact> facts{
      {"optimizer", options_.name},
      {"params: dtype", groups.empty() ? "none" : info(groups.front().dtype).name},
      {"decoupled", options_.decay},
      {"maximize", options_.maximize ? 1.0 : 0.0},
      {"rounding", options_.execution.stochastic ? 1.0 : 0.0},
      {"seed", static_cast<double>(options_.seed)},
      {"cautious", options_.finish.cautious ? 1.0 : 0.0},
      {"cautious_weight_decay", options_.finish.cautious_weight_decay ? 1.0 : 0.0},
      {"average", options_.finish.average},
      {"l1", options_.finish.l1},
      {"max_update", options_.finish.max_update},
      {"max_norm", call.max_norm}};
  for (std::size_t k = 0; k < description.scalar_count; ++k)
    facts.emplace_back(description.scalars[k].name, options_.scalars[k]);
  std::vector<std::size_t> sizes;
  for (const Job& job : jobs) sizes.push_back(job.size);
  reduction_->agree(sizes, facts);
  const bool each = description.scope == Scope::kArray;
  reduction_->reserve(kMaxSums, 0, each ? kMaxSums : 0);
}

void Updater::fail(const char* words, bool bounds) noexcept {
  if (reduction_ == nullptr) return;
  const Description& description = rule();
  const bool sums = description.gathered_count + description.emitted_count > 0;
  if (bounds || sums || !reduction_->met()) reduction_->fail(words);
}

void Updater::set_scalar(const std::string& name, double value) {
  const std::size_t scalar = scalar_named(rule(), name.c_str());
  if (scalar == kNone) throw Error(std::string(rule().name) + ": no scalar '" + name + "'");
  values_[scalar] = value;
}

double Updater::norm(std::span<const Group> groups, std::span<const Job> jobs, double grad_scale,
                     const Location& location) const {
  static const std::size_t rule = find_rule("norm");
  thread_local std::vector<Job> gradients;
  thread_local std::vector<Variant> variants;
  gradients.clear();
  variants.clear();
  for (const Job& job : jobs) {
    Job& gradient = gradients.emplace_back(Job{job.streams + 1, job.size});
    gradient.variant = job.variant;
    if (job.layouts != nullptr) gradient.layouts = job.layouts + 1;
  }
  double scale = 1.0;
  for (const Group& group : groups) variants.push_back({group.dtype, &scale});
  double sums[kMaxSums];
  Execution execution = options_.execution;
  execution.location = location;
  launch(rule, variants, gradients, sums, execution);
  if (const double again = clip::second_scale(sums[0], sums[1]); again != 0.0) {
    scale = again;
    launch(rule, variants, gradients, sums, execution);
  }
  return clip::total(sums[0], scale, grad_scale);
}

double Updater::step(std::span<const Group> groups, std::span<const Job> jobs, const Call& call) {
  if (t_ >= kMostSteps) {
    throw Error(options_.name + ": t: " + std::to_string(t_) +
                " steps are taken, expected fewer than 2^53");
  }
  double norm = 0.0;
  try {
    meet(groups, jobs, call);
    meet_arrays(jobs);
    move_to(call.location);
    if (device_optimizer_ == nullptr) {
      norm = step_on_cpu(groups, jobs, call);
    } else {
      step_on_device(groups, jobs, call);
    }
  } catch (const std::exception& error) {
    fail(error.what(), call.max_norm > 0.0 && !call.norm);
    throw;
  }
  ++t_;
  return norm;
}

// The scalars of the next step with the decay of each group.
std::span<const Variant> Updater::variants_of(std::span<const Group> groups) const {
  thread_local std::vector<double> scalars;
  thread_local std::vector<Variant> variants;
  const std::size_t count = values_.size();
  scalars.resize(groups.size() * count);
  variants.clear();
  for (std::size_t k = 0; k < groups.size(); ++k) {
    double* own = scalars.data() + k * count;
    std::copy(values_.begin(), values_.end(), own);
    if (groups[k].decay) own[decay_scalar_] = *groups[k].decay;
    variants.push_back({groups[k].dtype, own});
  }
  return variants;
}

// A variant of its own for each job, which has the numbers of its array; `apart` are the jobs with these.
std::span<const Variant> Updater::variants_of(std::span<const Group> groups,
                                              std::span<const Job> jobs,
                                              std::vector<Job>& apart) const {
  thread_local std::vector<double> scalars;
  thread_local std::vector<Variant> variants;
  const std::span<const Variant> shared = variants_of(groups);
  const std::size_t count = values_.size();
  scalars.resize(jobs.size() * count);
  variants.clear();
  apart.assign(jobs.begin(), jobs.end());
  for (std::size_t k = 0; k < jobs.size(); ++k) {
    const Variant& group = shared[jobs[k].variant];
    double* own = scalars.data() + k * count;
    std::copy_n(group.scalars, count, own);
    for (const Number& number : numbers_) own[number.scalar] = number.each[jobs[k].array_at(k)];
    variants.push_back({group.dtype, own});
    apart[k].variant = k;
  }
  return variants;
}

// Numbers of arrays that steps have not met before are what they are at first.
void Updater::meet_arrays(std::span<const Job> jobs) {
  if (!keeps_each()) return;
  std::size_t arrays = numbers_.front().each.size();
  const std::size_t known = arrays;
  for (std::size_t k = 0; k < jobs.size(); ++k) arrays = std::max(arrays, jobs[k].array_at(k) + 1);
  if (arrays == known) return;
  fetch();
  // All or none has them, should memory end.
  for (Number& number : numbers_) number.each.reserve(arrays);
  for (Number& number : numbers_) number.each.resize(arrays, number.value);
  send();
}

void Updater::launch_each(std::span<const Group> groups, std::span<const Job> jobs,
                          const Execution& execution) {
  if (jobs.empty()) return;
  thread_local std::vector<Job> apart;
  thread_local std::vector<double> sums;
  const std::size_t count = rule().sum_count();
  const std::span<const Variant> variants = variants_of(groups, jobs, apart);
  sums.resize(jobs.size() * count);
  launch(options_.rule, variants, apart, sums.data(), execution, options_.finish);
  for (Number& number : numbers_) {
    for (std::size_t k = 0; k < jobs.size(); ++k)
      number.each[jobs[k].array_at(k)] = sums[k * count + number.sum];
  }
}

double Updater::step_on_cpu(std::span<const Group> groups, std::span<const Job> jobs,
                            const Call& call) {
  const bool bounds = call.max_norm > 0.0;
  double total = 0.0;
  if (bounds) total = call.norm ? *call.norm : norm(groups, jobs, call.grad_scale, call.location);
  const double clipped = bounds ? clip::factor(total, call.max_norm) : 1.0;
  const double sign = options_.maximize ? -1.0 : 1.0;
  values_[grad_scale_scalar_] = sign * clipped / call.grad_scale;
  if (t_scalar_ != kNone) values_[t_scalar_] = static_cast<double>(t_ + 1);
  for (const Number& number : numbers_) values_[number.scalar] = number.value;
  Execution execution = options_.execution;
  execution.key = rounding_key(options_.seed, t_ + 1);
  if (reduction_ != nullptr) execution.key += reduction_->first_chunk();
  if (keeps_each()) {
    launch_each(groups, jobs, execution);
    return total;
  }
  double sums_of_all[kMaxSums];
  double* sums = rule().scope == Scope::kAll ? sums_of_all : nullptr;
  if (groups.size() == 1 && !groups[0].decay) {
    launch(options_.rule, groups[0].dtype, jobs, values_.data(), sums, execution, options_.finish);
  } else {
    launch(options_.rule, variants_of(groups), jobs, sums, execution, options_.finish);
  }
  for (Number& number : numbers_) number.value = sums[number.sum];
  return total;
}

// All jobs are of one group.
void Updater::step_on_device(std::span<const Group> groups, std::span<const Job> jobs,
                             const Call& call) {
  const Dtype dtype = groups.front().dtype;
  double scalars[kMaxScalars];
  std::copy_n(variants_of(groups.first(1)).front().scalars, values_.size(), scalars);
  thread_local std::vector<DeviceStep::Carried> carried;
  carried.clear();
  for (const Number& number : numbers_) carried.push_back({number.scalar, number.sum});
  DeviceStep step{};
  step.rule = options_.rule;
  step.dtype = dtype;
  step.jobs = jobs;
  step.scalars = scalars;
  step.t_scalar = t_scalar_;
  step.grad_scale_scalar = grad_scale_scalar_;
  step.carried = carried;
  step.maximize = options_.maximize;
  step.seed = options_.seed;
  step.max_norm = call.norm ? 0.0 : call.max_norm;
  step.grad_scale = call.grad_scale_there;
  step.clipped = call.norm ? clip::factor(*call.norm, call.max_norm) : 1.0;
  step.grad_scale.value = call.grad_scale;
  step.found_inf = call.found_inf_there;
  step.lr = call.lr_there;
  step.lr.value = jobs.empty() ? 0.0 : jobs.front().lr;
  step.one_lr = step.lr.data != nullptr ||
                std::all_of(jobs.begin(), jobs.end(),
                            [&](const Job& job) { return job.lr == step.lr.value; });
  Execution execution = options_.execution;
  execution.location = call.location;
  DeviceStep::Following following;
  if (options_.finish.any()) {
    following = following_of(options_.finish, rule(), scalars);
    step.following = &following;
    take_over(options_.finish, rule(), scalars);
  }
  device_optimizer_->step(step, execution);
  count_traffic(options_.rule, dtype, jobs, step.max_norm > 0.0, options_.finish.averages());
}

// t and the numbers go where the arrays are, the first time and when they change their device.
void Updater::move_to(const Location& location) {
  const bool here = device_optimizer_ == nullptr
                        ? location.on_cpu()
                        : device_optimizer_->location().same_memory(location);
  if (here) return;
  fetch();
  device_optimizer_ = location.on_cpu() ? nullptr : device_library().optimizer(location);
  send();
}

void Updater::fetch() {
  if (device_optimizer_ == nullptr) return;
  double sums[kMaxSums] = {};
  thread_local std::vector<double> each;
  each.resize(keeps_each() ? numbers_.size() * numbers_.front().each.size() : 0);
  device_optimizer_->read(t_, sums, each);
  if (keeps_each()) return take_each(each);
  for (Number& number : numbers_) number.value = sums[number.sum];
}

void Updater::send() {
  if (device_optimizer_ == nullptr) return;
  double sums[kMaxSums] = {};
  for (const Number& number : numbers_) sums[number.sum] = number.value;
  device_optimizer_->write(t_, sums, each_numbers());
}

// The numbers of the first array, then of the next, as a device keeps them.
std::vector<double> Updater::each_numbers() const {
  std::vector<double> all;
  if (!keeps_each()) return all;
  for (std::size_t array = 0; array < numbers_.front().each.size(); ++array) {
    for (const Number& number : numbers_) all.push_back(number.each[array]);
  }
  return all;
}

void Updater::take_each(std::span<const double> all) {
  for (std::size_t k = 0; k < all.size(); ++k)
    numbers_[k % numbers_.size()].each[k / numbers_.size()] = all[k];
}

std::uint64_t Updater::t() {
  fetch();
  return t_;
}

void Updater::set_t(std::uint64_t t) {
  fetch();
  t_ = t;
  send();
}

const std::vector<Updater::Number>& Updater::numbers() {
  fetch();
  return numbers_;
}

void Updater::set_number(const std::string& name, double value) {
  fetch();
  for (Number& number : numbers_) {
    if (name == number.name) number.value = value;
  }
  send();
}

void Updater::set_number(const std::string& name, std::span<const double> each) {
  fetch();
  for (Number& number : numbers_) number.each.reserve(each.size());
  for (Number& number : numbers_) {
    if (name == number.name)
      number.each.assign(each.begin(), each.end());
    else
      number.each.resize(each.size(), number.value);
  }
  send();
}

}  // namespace mdbopt
