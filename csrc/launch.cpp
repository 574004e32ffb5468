// launch – cuts jobs into chunks, gives each thread a fixed run of them, and folds the partial sums.
#include "launch.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "error.h"
#include "fold.h"
#include "pool.h"

namespace mdbopt {
namespace {

// Below this many bytes a walk ends sooner than a second thread wakes up.
constexpr std::size_t kBytesPerThread = std::size_t{256} << 10;
// Streams larger than this come from memory or the last cache level, where prefetching pays.
constexpr std::size_t kFarBytes = std::size_t{1} << 20;

struct Walk {
  Sweep::Walk sweep;
  std::span<const Job> jobs;
  std::size_t chunks;
  std::size_t parts;
  std::size_t sums;
  bool far;
  const void* coef;
  double* partials;
};

std::size_t chunks_of(std::size_t size) { return (size + kChunk - 1) / kChunk; }

// The chunks of part k: [k C / parts, (k+1) C / parts), numbered through the jobs.
void walk_part(void* context, std::size_t part) {
  const Walk& walk = *static_cast<const Walk*>(context);
  const std::size_t first = part * walk.chunks / walk.parts;
  const std::size_t last = (part + 1) * walk.chunks / walk.parts;
  std::size_t offset = 0;
  for (const Job& job : walk.jobs) {
    const std::size_t count = chunks_of(job.size);
    const std::size_t from = std::max(first, offset);
    const std::size_t to = std::min(last, offset + count);
    if (from < to) {
      walk.sweep(job.streams, job.size, from - offset, to - offset, walk.far, walk.coef,
                 walk.partials + offset * walk.sums);
    }
    offset += count;
    if (offset >= last) break;
  }
}

struct Plan {
  std::span<const Job> jobs;
  std::size_t elements;
  std::size_t chunks;
  std::size_t threads;
};

void run(const Plan& plan, Sweep::Walk sweep, const Sum* sums, std::size_t sum_count, std::size_t bytes,
         const void* coef, double* result) {
  thread_local std::vector<double> partials;
  if (partials.size() < plan.chunks * sum_count) partials.resize(plan.chunks * sum_count);
  const std::size_t total = bytes * plan.elements;
  const std::size_t useful = std::max<std::size_t>(1, total / kBytesPerThread);
  const std::size_t parts = std::max<std::size_t>(1, std::min({plan.threads, useful, plan.chunks}));
  Walk walk{sweep, plan.jobs, plan.chunks, parts, sum_count, total > kFarBytes, coef, partials.data()};
  parallel(parts, walk_part, &walk);
  for (std::size_t k = 0; k < sum_count; ++k) {
    result[k] = fold_chunks(sums[k].fold, partials.data() + k, plan.chunks, sum_count);
  }
  ++traffic().walks;
  traffic().bytes += total;
}

}  // namespace

Traffic& traffic() {
  thread_local Traffic counted{};
  return counted;
}

std::size_t gather_bytes(const Description& rule, Dtype dtype) {
  std::size_t bytes = 0;
  for (std::size_t k = 0; k < rule.stream_count; ++k) {
    const Stream& stream = rule.streams[k];
    if (stream.role != Role::kOut) bytes += stream.storage == Storage::kWide ? 8 : info(dtype).bytes;
  }
  return rule.gathered_count > 0 ? bytes : 0;
}

std::size_t apply_bytes(const Description& rule, Dtype dtype) {
  std::size_t bytes = 0;
  for (std::size_t k = 0; k < rule.stream_count; ++k) {
    const Stream& stream = rule.streams[k];
    const std::size_t width = stream.storage == Storage::kWide ? 8 : info(dtype).bytes;
    bytes += stream.role == Role::kInOut ? 2 * width : width;
  }
  return rule.applies ? bytes : 0;
}

bool launch(std::size_t rule, Dtype dtype, std::span<const Job> jobs, const double* scalars, double* sums,
            const Execution& execution) {
  const Backend& backend = execution.backend != nullptr ? *execution.backend : active_backend();
  const Sweep& sweep = backend.table[rule][static_cast<std::size_t>(dtype)];
  const Description& description = rule_description(rule);
  Plan plan{jobs, 0, 0, execution.threads > 0 ? execution.threads : default_threads()};
  for (const Job& job : jobs) {
    plan.elements += job.size;
    plan.chunks += chunks_of(job.size);
  }
  alignas(64) unsigned char coef[kMaxCoefBytes];
  const double n = static_cast<double>(plan.elements);
  std::fill_n(sums, description.sum_count(), 0.0);
  if (!sweep.prepare(scalars, n, coef)) return false;
  if (sweep.gather != nullptr) {
    run(plan, sweep.gather, description.gathered, description.gathered_count, gather_bytes(description, dtype), coef,
        sums);
    if (sweep.solve != nullptr && !sweep.solve(sums, n, coef)) return false;
  }
  if (sweep.apply != nullptr) {
    run(plan, sweep.apply, description.emitted, description.emitted_count, apply_bytes(description, dtype), coef,
        sums + description.gathered_count);
  }
  return true;
}

namespace {

std::string quoted(const Description& rule, std::size_t k) {
  return std::string(rule.name) + ": stream '" + rule.streams[k].name + "'";
}

bool overlap(const Tensor& a, const Tensor& b) {
  const auto* a_begin = static_cast<const char*>(a.data);
  const auto* b_begin = static_cast<const char*>(b.data);
  return a_begin < b_begin + b.size * info(b.dtype).bytes && b_begin < a_begin + a.size * info(a.dtype).bytes;
}

}  // namespace

Dtype check_streams(const Description& rule, std::span<const Tensor> streams) {
  if (streams.size() != rule.stream_count) {
    throw TypeError(std::string(rule.name) + ": expected " + std::to_string(rule.stream_count) + " streams, got " +
                    std::to_string(streams.size()));
  }
  // The first stream that follows the dtype of the call fixes it; a rule on step sizes alone is float64.
  std::size_t leader = streams.size();
  for (std::size_t k = 0; k < streams.size() && leader == streams.size(); ++k) {
    if (rule.streams[k].storage == Storage::kElement) leader = k;
  }
  const Dtype dtype = leader < streams.size() ? streams[leader].dtype : Dtype::kFloat64;
  for (std::size_t k = 0; k < streams.size(); ++k) {
    const bool wide = rule.streams[k].storage == Storage::kWide;
    const Dtype expected = wide ? Dtype::kFloat64 : dtype;
    if (streams[k].dtype != expected) {
      throw TypeError(quoted(rule, k) + " has dtype " + info(streams[k].dtype).name + ", expected " +
                      info(expected).name +
                      (wide ? std::string(" (step sizes always are)")
                            : " (as '" + std::string(rule.streams[leader].name) + "')"));
    }
    if (streams[k].size != streams[0].size) {
      throw Error(quoted(rule, k) + " has " + std::to_string(streams[k].size) + " elements, expected " +
                  std::to_string(streams[0].size) + " (as '" + rule.streams[0].name + "')");
    }
    if (rule.streams[k].role != Role::kIn && !streams[k].writable) {
      throw Error(quoted(rule, k) + " is read-only, expected a writable array");
    }
    for (std::size_t other = 0; other < k; ++other) {
      const bool written = rule.streams[k].role != Role::kIn || rule.streams[other].role != Role::kIn;
      if (written && overlap(streams[k], streams[other])) {
        throw Error(quoted(rule, k) + " overlaps stream '" + rule.streams[other].name +
                    "', expected separate memory since one of them is written");
      }
    }
  }
  return dtype;
}

}  // namespace mdbopt
