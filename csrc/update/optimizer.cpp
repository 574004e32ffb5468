// optimizer – finds streams and scalars by their names, makes states, and steps all arrays as jobs of one
// updater.
#include <mdbopt/optimizer.h>

#include <mdbopt/error.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "../base/half.h"
#include "../engine/check.h"
#include "start.h"

namespace mdbopt {
namespace {

constexpr const char* kAverage = "average";

Updater::Options options_by_name(const std::string& rule, const Scalars& scalars,
                                 Updater::Options options) {
  options.name = rule;
  options.rule = find_rule(rule.c_str());
  const Description& description = rule_description(options.rule);
  if (!description.update) throw Error(rule + ": is no update, expected of run");
  Scalars all = scalars;
  for (const auto& [name, value] : scalars) {
    if (name == "t" || name == "grad_scale")
      throw Error(rule + ": scalar '" + name + "' belongs to a step, expected none here");
  }
  for (std::size_t k = 0; k < description.scalar_count; ++k) {
    if (std::strcmp(description.scalars[k].name, "t") == 0) all.emplace_back("t", 0.0);
  }
  options.scalars = scalars_of(options.rule, all);
  return options;
}

// As Number, which holds them all.
template <class Number, class Element>
void widen_to(Number* to, const Element* from, std::size_t size) {
  std::transform(from, from + size, to, [](Element x) { return widen(x); });
}

void fill(const Tensor& state, const Tensor& x, std::optional<double> start) {
  if (state.dtype == Dtype::kFloat64) {
    auto* to = static_cast<double*>(state.data);
    if (start) return void(std::fill_n(to, state.size, *start));
    return widen_to(to, static_cast<const double*>(x.data), x.size);
  }
  auto* to = static_cast<float*>(state.data);
  if (start) return void(std::fill_n(to, state.size, static_cast<float>(*start)));
  if (x.dtype == Dtype::kFloat32)
    widen_to(to, static_cast<const float*>(x.data), x.size);
  else if (x.dtype == Dtype::kBFloat16)
    widen_to(to, static_cast<const BFloat16*>(x.data), x.size);
  else
    widen_to(to, static_cast<const Float16*>(x.data), x.size);
}

const Tensor* named(const Streams& streams, const std::string& name) {
  for (const auto& [known, tensor] : streams) {
    if (known == name) return &tensor;
  }
  return nullptr;
}

}  // namespace

Optimizer::Optimizer(const std::string& rule, const Scalars& scalars, Updater::Options options)
    : updater_(options_by_name(rule, scalars, std::move(options))) {}

Optimizer::~Optimizer() = default;
Optimizer::Optimizer(Optimizer&&) noexcept = default;
Optimizer& Optimizer::operator=(Optimizer&&) noexcept = default;

// The rule's streams, and what the finish has behind them.
std::vector<Stream> Optimizer::described() const {
  const Description& rule = updater_.rule();
  std::vector<Stream> all(rule.streams, rule.streams + rule.stream_count);
  if (updater_.options().finish.averages())
    all.push_back({kAverage, Role::kInOut, Storage::kState});
  return all;
}

// All streams, with a state for each that is not given; those are not written before all is checked.
Streams Optimizer::with_states(const Streams& given, Array& array) const {
  Streams all = given;
  const Tensor* x = named(given, "x");
  const std::vector<Stream> names = described();
  for (std::size_t k = 2; x != nullptr && k < names.size(); ++k) {
    const Stream& stream = names[k];
    if (named(given, stream.name) != nullptr) continue;
    if (!x->location.on_cpu()) {
      throw Error(std::string(updater_.rule().name) + ": stream '" + stream.name +
                  "' is missing, and state is made on the CPU alone; x is on " +
                  memory_name(x->location.device));
    }
    const Dtype dtype = stored_dtype(stream.storage, x->dtype);
    std::vector<double>& memory =
        array.states.emplace_back((x->size * info(dtype).bytes + 7) / sizeof(double));
    all.emplace_back(stream.name, Tensor{memory.data(), x->size, dtype});
  }
  return all;
}

// Puts them in order.
Dtype Optimizer::check(const Streams& all, Array& array) const {
  const Tensor* average = updater_.options().finish.averages() ? named(all, kAverage) : nullptr;
  Streams of_rule = all;
  if (average != nullptr)
    std::erase_if(of_rule, [](const auto& stream) { return stream.first == kAverage; });
  array.streams = streams_of(updater_.options().rule, of_rule);
  const Dtype dtype = check_streams(updater_.rule(), array.streams, {nullptr, nullptr, average});
  if (average != nullptr) array.streams.push_back(*average);
  return dtype;
}

std::size_t Optimizer::add(const Streams& given) {
  auto array = std::make_unique<Array>();
  const Dtype dtype = check(with_states(given, *array), *array);
  const Tensor& x = array->streams.front();
  if (!arrays_.empty() && !x.location.same_memory(location())) {
    throw Error(std::string(updater_.rule().name) + ": stream 'x' lives on " +
                memory_name(x.location.device) + ", expected " + memory_name(location().device) +
                " (as the arrays before)");
  }
  const std::vector<Stream> names = described();
  for (std::size_t k = 0; k < names.size(); ++k) {
    array->pointers.push_back(array->streams[k].data);
    if (k > 1 && named(given, names[k].name) == nullptr)
      fill(array->streams[k], x, start_of(names[k].name));
  }
  const Updater::Group group{dtype};
  const auto place = std::find(groups_.begin(), groups_.end(), group);
  Job job{array->pointers.data(), x.size};
  job.variant = static_cast<std::size_t>(place - groups_.begin());
  if (place == groups_.end()) groups_.push_back(group);
  jobs_.push_back(job);
  arrays_.push_back(std::move(array));
  return arrays_.size() - 1;
}

double Optimizer::step(double lr, Updater::Call call) {
  const std::string& name = updater_.options().name;
  if (arrays_.empty()) throw Error(name + ": expected arrays by add before a step, got none");
  if (!std::isfinite(lr))
    throw Error(name + ": lr: expected a finite number, got " + std::to_string(lr));
  for (Job& job : jobs_) job.lr = lr;
  call.location = location();
  return updater_.step(groups_, jobs_, call);
}

Tensor Optimizer::stream(std::size_t array, const std::string& name) const {
  const Description& rule = updater_.rule();
  if (array >= arrays_.size()) {
    throw Error(std::string(rule.name) + ": no array " + std::to_string(array) +
                ", expected fewer than " + std::to_string(arrays_.size()));
  }
  std::string known;
  const std::vector<Stream> names = described();
  for (std::size_t k = 0; k < names.size(); ++k) {
    if (name == names[k].name) return arrays_[array]->streams[k];
    known += (k > 0 ? ", " : "") + std::string(names[k].name);
  }
  throw Error(std::string(rule.name) + ": no stream '" + name + "', expected of " + known);
}

Location Optimizer::location() const { return arrays_.front()->streams.front().location; }

}  // namespace mdbopt
