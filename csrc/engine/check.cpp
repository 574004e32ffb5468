// check – one table of what is expected of each stream, then one pass over it.
#include "check.h"

#include <mdbopt/error.h>

#include <string>

namespace mdbopt {
namespace {

// A stream of a call: what it is for, what came, and what had to come.
struct Checked {
  const char* name;
  Role role;
  const Tensor* tensor;
  Dtype expected;
  std::string (*reason)(const Checked& leader);
};

struct Call {
  const Description& rule;
  Checked streams[kMaxStreams + 3];
  std::size_t count = 0;

  std::string quoted(const Checked& stream) const {
    return std::string(rule.name) + ": stream '" + stream.name + "'";
  }
};

std::string as_leader(const Checked& leader) { return " (as '" + std::string(leader.name) + "')"; }
std::string of_arithmetic(const Checked& leader) {
  const Dtype dtype = leader.tensor->dtype;
  return is_half(dtype) ? " (in which " + std::string(info(dtype).name) + " is computed)"
                        : as_leader(leader);
}
std::string always(const Checked&) { return " (whatever the dtype of the others)"; }

bool overlap(const Tensor& a, const Tensor& b) {
  const auto* a_begin = static_cast<const char*>(a.data);
  const auto* b_begin = static_cast<const char*>(b.data);
  return a_begin < b_begin + b.size * info(b.dtype).bytes &&
         b_begin < a_begin + a.size * info(a.dtype).bytes;
}

void check_one(const Call& call, std::size_t k, const Checked& leader) {
  const Checked& stream = call.streams[k];
  const Tensor& tensor = *stream.tensor;
  const Tensor& first = *call.streams[0].tensor;
  if (!tensor.location.same_memory(first.location)) {
    throw Error(call.quoted(stream) + " lives on " + memory_name(tensor.location.device) +
                ", expected " + memory_name(first.location.device) + " (as '" +
                call.streams[0].name + "')");
  }
  if (tensor.dtype != stream.expected) {
    throw TypeError(call.quoted(stream) + " has dtype " + info(tensor.dtype).name + ", expected " +
                    info(stream.expected).name + stream.reason(leader) +
                    (stream.role == Role::kIn
                         ? std::string("; pass it in ") + info(stream.expected).name
                         : ""));
  }
  if (tensor.size != first.size) {
    throw Error(call.quoted(stream) + " has " + std::to_string(tensor.size) +
                " elements, expected " + std::to_string(first.size) + " (as '" +
                call.streams[0].name + "')");
  }
  if (stream.role != Role::kIn && !tensor.writable) {
    throw Error(call.quoted(stream) + " is read-only, expected a writable array");
  }
  for (std::size_t other = 0; other < k; ++other) {
    const bool written = stream.role != Role::kIn || call.streams[other].role != Role::kIn;
    if (written && overlap(tensor, *call.streams[other].tensor)) {
      throw Error(call.quoted(stream) + " overlaps stream '" + call.streams[other].name +
                  "', expected separate memory since one of them is written");
    }
  }
}

}  // namespace

std::string memory_name(int device) {
  return device < 0 ? "the CPU" : "cuda:" + std::to_string(device);
}

void check_counts(std::size_t rule, std::size_t streams, std::size_t scalars) {
  const Description& description = rule_description(rule);
  if (streams == description.stream_count && scalars == description.scalar_count) return;
  throw Error(std::string(description.name) + ": expected " +
              std::to_string(description.stream_count) + " streams and " +
              std::to_string(description.scalar_count) + " scalars, got " +
              std::to_string(streams) + " and " + std::to_string(scalars));
}

void check_cpu_options(const std::string& owner, const Execution& execution,
                       const Location& location, const char* expected) {
  if (location.on_cpu()) return;
  const bool backend = execution.backend != nullptr;
  if (!backend && execution.threads == 0) return;
  throw Error(owner + (backend ? ": backend" : ": threads") + ": expected " + expected + " on " +
              memory_name(location.device) + ", got " +
              (backend ? "'" + std::string(execution.backend->name) + "'"
                       : std::to_string(execution.threads)));
}

std::size_t leading_stream(const Description& rule) {
  for (std::size_t k = 0; k < rule.stream_count; ++k) {
    if (rule.streams[k].storage == Storage::kElement) return k;
  }
  return 0;
}

// A rule on step sizes alone is float64.
Dtype call_dtype(const Description& rule, Dtype leader) {
  const bool follows = rule.streams[leading_stream(rule)].storage == Storage::kElement;
  return follows ? leader : Dtype::kFloat64;
}

void check_stream_count(const Description& rule, std::size_t count) {
  if (count == rule.stream_count) return;
  throw TypeError(std::string(rule.name) + ": expected " + std::to_string(rule.stream_count) +
                  " streams, got " + std::to_string(count));
}

Dtype check_streams(const Description& rule, std::span<const Tensor> streams,
                    const Extras& extras) {
  check_stream_count(rule, streams.size());
  const std::size_t leader = leading_stream(rule);
  const Dtype dtype = call_dtype(rule, streams[leader].dtype);
  Call call{rule, {}};
  for (; call.count < streams.size(); ++call.count) {
    const Stream& stream = rule.streams[call.count];
    const bool fixed = stream.storage == Storage::kWide || stream.storage == Storage::kNarrow;
    const bool state = stream.storage == Storage::kState;
    call.streams[call.count] = {stream.name, stream.role, &streams[call.count],
                                stored_dtype(stream.storage, dtype),
                                fixed ? always : (state ? of_arithmetic : as_leader)};
  }
  if (extras.step_sizes != nullptr) {
    call.streams[call.count++] = {"lr", Role::kIn, extras.step_sizes, arithmetic_dtype(dtype),
                                  of_arithmetic};
  }
  if (extras.copy != nullptr) {
    call.streams[call.count++] = {"copy", Role::kOut, extras.copy, Dtype::kBFloat16, always};
  }
  if (extras.average != nullptr) {
    call.streams[call.count++] = {"average", Role::kInOut, extras.average,
                                  stored_dtype(Storage::kState, dtype), of_arithmetic};
  }
  if (is_half(dtype) && !rule.half) {
    throw TypeError(call.quoted(call.streams[leader]) + " has dtype " + info(dtype).name +
                    ", expected float64 or float32");
  }
  if (extras.copy != nullptr && dtype != Dtype::kFloat32) {
    throw TypeError(call.quoted(call.streams[leader]) + " has dtype " + info(dtype).name +
                    ", expected float32 since a bfloat16 copy is written");
  }
  for (std::size_t k = 0; k < call.count; ++k) check_one(call, k, call.streams[leader]);
  return dtype;
}

}  // namespace mdbopt
