// launch – cuts jobs into chunks, gives each thread a fixed run of them, and folds the partial
// sums.
#include "launch.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "check.h"
#include "device.h"
#include "error.h"
#include "flush.h"
#include "fold.h"
#include "pool.h"

namespace mdbopt {
namespace {

// One rule's walk within a pass.
struct Stage {
  Sweep::Walk sweep;
  const Sum* sums;
  std::size_t sum_count;
  const void* coef;
  void* const* streams;  // of a chain, whose stages have one job each
  double* partials;
};

// One pass over memory: every stage on a chunk before the next chunk.
struct Pass {
  std::span<Stage> stages;
  std::span<const Job> jobs;
  std::size_t chunks;
  std::size_t parts;
  std::uint64_t key;
  bool flush_subnormals;

  Course course(const Stage& stage) const { return {stage.coef, key}; }
};

std::size_t chunks_of(std::size_t size) { return (size + kChunk - 1) / kChunk; }

std::size_t width_of(const Stream& stream, Dtype dtype) {
  return info(stored_dtype(stream.storage, dtype)).bytes;
}

// The chunks [first, last), numbered through the jobs.
void walk_jobs(const Pass& pass, std::size_t first, std::size_t last) {
  const Stage& stage = pass.stages.front();
  std::size_t offset = 0;
  for (const Job& job : pass.jobs) {
    const std::size_t count = chunks_of(job.size);
    const std::size_t from = std::max(first, offset);
    const std::size_t to = std::min(last, offset + count);
    if (from < to) {
      stage.sweep(job, from - offset, to - offset, offset, pass.course(stage),
                  stage.partials + offset * stage.sum_count);
    }
    offset += count;
    if (offset >= last) break;
  }
}

// Part k of a pass: the chunks [k C / parts, (k+1) C / parts).
void walk_part(void* context, std::size_t part) {
  const Pass& pass = *static_cast<const Pass*>(context);
  const FlushSubnormals scope(pass.flush_subnormals);
  const std::size_t first = part * pass.chunks / pass.parts;
  const std::size_t last = (part + 1) * pass.chunks / pass.parts;
  if (pass.stages.size() == 1) return walk_jobs(pass, first, last);
  const std::size_t n = pass.jobs.front().size;
  for (std::size_t chunk = first; chunk < last; ++chunk) {
    for (const Stage& stage : pass.stages) {
      stage.sweep({stage.streams, n}, chunk, chunk + 1, 0, pass.course(stage), stage.partials);
    }
  }
}

struct Size {
  std::size_t elements, chunks;
};

// What step sizes of their own and copies add to an update's traffic.
std::size_t extra_bytes(std::span<const Job> jobs, Dtype dtype) {
  std::size_t bytes = 0;
  for (const Job& job : jobs) {
    if (job.step_sizes != nullptr) bytes += job.size * info(arithmetic_dtype(dtype)).bytes;
    if (job.copy != nullptr) bytes += job.size * info(Dtype::kBFloat16).bytes;
  }
  return bytes;
}

Size size_of(std::span<const Job> jobs) {
  Size size{0, 0};
  for (const Job& job : jobs) {
    size.elements += job.size;
    size.chunks += chunks_of(job.size);
  }
  return size;
}

void count_walk(std::size_t bytes) {
  ++traffic().walks;
  traffic().bytes += bytes;
}

// Runs the stages in one pass and folds their sums into results[stage].
void run(std::span<Stage> stages, std::span<const Job> jobs, std::size_t bytes,
         const Execution& execution, double* const* results) {
  thread_local std::vector<double> partials;
  const Size size = size_of(jobs);
  std::size_t needed = 0;
  for (const Stage& stage : stages) needed += size.chunks * stage.sum_count;
  if (partials.size() < needed) partials.resize(needed);
  double* next = partials.data();
  for (Stage& stage : stages) {
    stage.partials = next;
    next += size.chunks * stage.sum_count;
  }
  const std::size_t total = bytes * size.elements;
  const std::size_t threads = threads_of(execution);
  const std::size_t wanted = parts_for(threads, kNanosecondsPerByte * static_cast<double>(total));
  const std::size_t parts = std::min(wanted, std::max<std::size_t>(1, size.chunks));
  Pass pass{stages, jobs, size.chunks, parts, execution.key, execution.flush_subnormals};
  parallel(parts, threads, walk_part, &pass);
  for (std::size_t k = 0; k < stages.size(); ++k) {
    const Stage& stage = stages[k];
    for (std::size_t j = 0; j < stage.sum_count; ++j) {
      results[k][j] =
          fold_chunks(stage.sums[j].fold, stage.partials + j, size.chunks, stage.sum_count);
    }
  }
  count_walk(total);
}

const Backend& backend_of(const Execution& execution) {
  return execution.backend != nullptr ? *execution.backend : active_backend();
}

void count_walks(const Description& rule, Dtype dtype, std::span<const Job> jobs, bool applied) {
  const std::size_t elements = size_of(jobs).elements;
  if (rule.gathered_count > 0) count_walk(elements * gather_bytes(rule, dtype));
  if (!rule.applies || !applied) return;
  count_walk(elements * apply_bytes(rule, dtype) + (rule.update ? extra_bytes(jobs, dtype) : 0));
}

void launch_on_device(Dtype dtype, std::span<DeviceLibrary::Call> calls,
                      const Execution& execution) {
  device_library().launch(dtype, calls, execution);
  for (const DeviceLibrary::Call& call : calls) {
    count_walks(rule_description(call.rule), dtype, call.jobs, call.applied);
  }
}

}  // namespace

Traffic& traffic() {
  thread_local Traffic counted{};
  return counted;
}

void count_traffic(std::size_t rule, Dtype dtype, std::span<const Job> jobs, bool norm) {
  static const Description& norm_rule = rule_description(find_rule("norm"));
  if (norm) count_walks(norm_rule, dtype, jobs, true);
  count_walks(rule_description(rule), dtype, jobs, true);
}

std::size_t threads_of(const Execution& execution) {
  return execution.threads > 0 ? execution.threads : default_threads();
}

std::size_t gather_bytes(const Description& rule, Dtype dtype) {
  std::size_t bytes = 0;
  for (std::size_t k = 0; k < rule.stream_count; ++k) {
    const Stream& stream = rule.streams[k];
    const bool read = stream.role != Role::kOut && (rule.gather_reads >> k & 1U) != 0;
    if (read) bytes += width_of(stream, dtype);
  }
  return rule.gathered_count > 0 ? bytes : 0;
}

std::size_t apply_bytes(const Description& rule, Dtype dtype) {
  std::size_t bytes = 0;
  for (std::size_t k = 0; k < rule.stream_count; ++k) {
    const Stream& stream = rule.streams[k];
    bytes += (stream.role == Role::kInOut ? 2 : 1) * width_of(stream, dtype);
  }
  return rule.applies ? bytes : 0;
}

bool launch(std::size_t rule, Dtype dtype, std::span<const Job> jobs, const double* scalars,
            double* sums, const Execution& execution) {
  if (!execution.place.on_cpu()) {
    DeviceLibrary::Call call{rule, jobs, scalars, sums};
    launch_on_device(dtype, {&call, 1}, execution);
    return call.applied;
  }
  const Sweep& sweep = backend_of(execution).table[rule][static_cast<std::size_t>(dtype)];
  const Description& description = rule_description(rule);
  alignas(64) unsigned char coef[kMaxCoefBytes];
  const double n = static_cast<double>(size_of(jobs).elements);
  double unwanted[kMaxSums];
  if (sums == nullptr) sums = unwanted;
  std::fill_n(sums, description.sum_count(), 0.0);
  if (!sweep.prepare(scalars, n, coef)) return false;
  if (sweep.gather != nullptr) {
    Stage stage{sweep.gather, description.gathered, description.gathered_count, coef, nullptr,
                nullptr};
    run({&stage, 1}, jobs, gather_bytes(description, dtype), execution, &sums);
    if (sweep.solve != nullptr && !sweep.solve(sums, n, coef)) return false;
  }
  if (sweep.apply != nullptr) {
    const bool stochastic = execution.stochastic && sweep.apply_stochastic != nullptr;
    Stage stage{stochastic ? sweep.apply_stochastic : sweep.apply,
                description.emitted,
                description.emitted_count,
                coef,
                nullptr,
                nullptr};
    traffic().bytes += description.update ? extra_bytes(jobs, dtype) : 0;
    double* emitted = sums + description.gathered_count + description.solved_count;
    run({&stage, 1}, jobs, apply_bytes(description, dtype), execution, &emitted);
  }
  return true;
}

std::size_t Chain::add(std::size_t rule, std::initializer_list<void*> streams,
                       std::initializer_list<double> scalars) {
  check_counts(rule, streams.size(), scalars.size());
  Link link{};
  link.rule = rule;
  std::copy(streams.begin(), streams.end(), link.streams);
  std::copy(scalars.begin(), scalars.end(), link.scalars);
  links_.push_back(link);
  return links_.size() - 1;
}

// Each array comes from memory once, whatever the number of links that read it, and goes back once
// if any writes it.
std::size_t Chain::bytes(Dtype dtype) const {
  thread_local std::vector<const void*> read;
  thread_local std::vector<const void*> written;
  read.clear();
  written.clear();
  const auto add = [](std::vector<const void*>& arrays, const void* array) {
    if (std::find(arrays.begin(), arrays.end(), array) != arrays.end()) return false;
    arrays.push_back(array);
    return true;
  };
  std::size_t bytes = 0;
  for (const Link& link : links_) {
    const Description& rule = rule_description(link.rule);
    for (std::size_t k = 0; k < rule.stream_count; ++k) {
      const Role role = rule.streams[k].role;
      const std::size_t width = width_of(rule.streams[k], dtype);
      const bool made_here =
          std::find(written.begin(), written.end(), link.streams[k]) != written.end();
      if (role != Role::kOut && !made_here && add(read, link.streams[k])) bytes += width;
      if (role != Role::kIn && add(written, link.streams[k])) bytes += width;
    }
  }
  return bytes;
}

// One link's walk after the other: what they share is too large for a device's cache anyway.
void Chain::run_on_device(Dtype dtype, std::size_t size, const Execution& execution) {
  thread_local std::vector<Job> jobs;
  thread_local std::vector<DeviceLibrary::Call> calls;
  jobs.clear();
  calls.clear();
  for (Link& link : links_) jobs.push_back({link.streams, size});
  for (std::size_t k = 0; k < links_.size(); ++k) {
    Link& link = links_[k];
    const bool sums = rule_description(link.rule).sum_count() > 0;
    calls.push_back({link.rule, {&jobs[k], 1}, link.scalars, sums ? link.sums : nullptr});
  }
  launch_on_device(dtype, calls, execution);
}

void Chain::run(Dtype dtype, std::size_t size, const Execution& execution) {
  if (!execution.place.on_cpu()) {
    run_on_device(dtype, size, execution);
    return;
  }
  thread_local std::vector<Stage> stages;
  thread_local std::vector<double*> results;
  stages.clear();
  results.clear();
  for (Link& link : links_) {
    const Sweep& sweep = backend_of(execution).table[link.rule][static_cast<std::size_t>(dtype)];
    const Description& rule = rule_description(link.rule);
    if (!sweep.prepare(link.scalars, static_cast<double>(size), link.coef)) {
      throw Error(std::string(rule.name) + ": refused its scalars within a chain");
    }
    const bool gathers = sweep.gather != nullptr;
    stages.push_back({gathers ? sweep.gather : sweep.apply, gathers ? rule.gathered : rule.emitted,
                      rule.sum_count(), link.coef, link.streams, nullptr});
    results.push_back(link.sums);
  }
  const Job job{links_.front().streams, size};
  mdbopt::run(stages, {&job, 1}, bytes(dtype), execution, results.data());
}

}  // namespace mdbopt
