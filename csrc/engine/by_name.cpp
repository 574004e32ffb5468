// by_name – looks names up in a rule's description.
#include <mdbopt/by_name.h>

#include <mdbopt/error.h>

#include <algorithm>
#include <cmath>
#include <sstream>
#include <string_view>

#include "check.h"
#include "launch.h"

namespace mdbopt {
namespace {

using Names = std::vector<std::string_view>;

std::string joined(const Names& names) {
  std::string text;
  for (std::string_view name : names) text += (text.empty() ? "" : ", ") + std::string(name);
  return text.empty() ? "none" : text;
}

Names stream_names(const Description& rule) {
  Names names;
  for (std::size_t k = 0; k < rule.stream_count; ++k) names.emplace_back(rule.streams[k].name);
  return names;
}

Names scalar_names(const Description& rule) {
  Names names;
  for (std::size_t k = 0; k < rule.scalar_count; ++k) names.emplace_back(rule.scalars[k].name);
  return names;
}

// Whether a step fills it in.
bool of_a_step(const Description& rule, std::string_view scalar) {
  return rule.update && (scalar == "t" || scalar == "grad_scale");
}

Names without_those_of_a_step(const Description& rule, Names names) {
  std::erase_if(names, [&](std::string_view name) { return of_a_step(rule, name); });
  return names;
}

// Where each of the names is among those given, or given.size().
template <class Value>
std::vector<std::size_t> places(const Description& rule, const char* kind, const Names& names,
                                const std::vector<std::pair<std::string, Value>>& given) {
  std::vector<std::size_t> found(names.size(), given.size());
  for (std::size_t k = 0; k < given.size(); ++k) {
    const auto place = std::find(names.begin(), names.end(), given[k].first);
    const std::string name = std::string(kind) + " '" + given[k].first + "'";
    if (place == names.end()) {
      throw Error(std::string(rule.name) + ": no " + name + ", expected of " +
                  joined(without_those_of_a_step(rule, names)));
    }
    std::size_t& at = found[static_cast<std::size_t>(place - names.begin())];
    if (at != given.size()) throw Error(std::string(rule.name) + ": " + name + " is given twice");
    at = k;
  }
  return found;
}

std::string number(double value) {
  std::ostringstream text;
  text << value;
  return text.str();
}

}  // namespace

double Outcome::operator[](const std::string& name) const {
  const auto found = sums.find(name);
  if (found != sums.end()) return found->second;
  Names names;
  for (const auto& [known, value] : sums) names.emplace_back(known);
  throw Error("no sum '" + name + "', expected of " + joined(names));
}

std::vector<double> scalars_of(std::size_t rule, const Scalars& given) {
  const Description& description = rule_description(rule);
  const std::vector<std::size_t> found =
      places(description, "scalar", scalar_names(description), given);
  std::vector<double> values;
  for (std::size_t k = 0; k < description.scalar_count; ++k) {
    const Scalar& scalar = description.scalars[k];
    if (found[k] == given.size() && std::isnan(scalar.fallback)) {
      throw Error(std::string(description.name) + ": scalar '" + scalar.name +
                  "' is missing and has no default");
    }
    values.push_back(found[k] == given.size() ? scalar.fallback : given[found[k]].second);
  }
  return values;
}

std::vector<Tensor> streams_of(std::size_t rule, const Streams& given) {
  const Description& description = rule_description(rule);
  const std::vector<std::size_t> found =
      places(description, "stream", stream_names(description), given);
  std::vector<Tensor> streams;
  for (std::size_t k = 0; k < description.stream_count; ++k) {
    if (found[k] == given.size()) {
      throw Error(std::string(description.name) + ": stream '" + description.streams[k].name +
                  "' is missing, expected " + joined(stream_names(description)));
    }
    streams.push_back(given[found[k]].second);
  }
  return streams;
}

std::string signature(std::size_t rule) {
  const Description& description = rule_description(rule);
  Names streams = stream_names(description);
  std::string text = std::string(description.name) + ": streams ";
  if (description.update) {
    text += "x, g; state ";
    streams.erase(streams.begin(), streams.begin() + 2);
  }
  text += joined(streams) + "; scalars ";
  std::string scalars;
  for (std::size_t k = 0; k < description.scalar_count; ++k) {
    const Scalar& scalar = description.scalars[k];
    if (of_a_step(description, scalar.name)) continue;
    if (!scalars.empty()) scalars += ", ";
    scalars += scalar.name;
    if (!std::isnan(scalar.fallback)) scalars += " = " + number(scalar.fallback);
  }
  text += scalars.empty() ? "none" : scalars;
  Names sums;
  for (std::size_t k = 0; k < description.sum_count(); ++k)
    sums.emplace_back(description.sum(k).name);
  return text + "; sums " + joined(sums);
}

Outcome run(const std::string& rule, const Streams& streams, const Scalars& scalars,
            const Execution& execution) {
  const std::size_t row = find_rule(rule.c_str());
  const Description& description = rule_description(row);
  if (description.update) throw Error(rule + ": is an update, expected of Optimizer");
  const std::vector<Tensor> tensors = streams_of(row, streams);
  const std::vector<double> values = scalars_of(row, scalars);
  const Dtype dtype = check_streams(description, tensors);
  Execution there = execution;
  there.location = tensors.front().location;
  check_cpu_options(rule, there, there.location, "the default");

  std::vector<void*> pointers;
  for (const Tensor& tensor : tensors) pointers.push_back(tensor.data);
  const Job job{pointers.data(), tensors.front().size};
  double sums[kMaxSums] = {};
  Outcome outcome{launch(row, dtype, {&job, 1}, values.data(), sums, there), {}};
  for (std::size_t k = 0; k < description.sum_count(); ++k)
    outcome.sums[description.sum(k).name] = sums[k];
  return outcome;
}

}  // namespace mdbopt
