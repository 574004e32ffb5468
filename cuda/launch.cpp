// launch – prepare on the host; gather, fold, solve, apply and fold on the device; sums to the host
// once, at the end.
#include "launch.h"

#include <algorithm>
#include <vector>

#include "device.h"
#include "jobs.h"
#include "memory.h"
#include "queue.h"
#include "results.h"
#include "rule_table.h"

namespace mdbopt::cuda {
namespace {

// One call, and where its numbers lie on the device.
struct Queued {
  DeviceLibrary::Call& call;
  const Description& rule;
  const CompiledRule& row;
  Jobs jobs;
  bool prepared;
  WalkArguments walk;

  Queued(DeviceLibrary::Call& of, Dtype dtype)
      : call(of),
        rule(description_of(of.rule)),
        row(compiled_rule(of.rule, dtype)),
        jobs(of.jobs, rule.stream_count, false),
        walk{} {
    prepared = row.prepare(call.scalars, static_cast<double>(jobs.elements()), walk.host_coef);
    if (call.sums != nullptr) std::fill_n(call.sums, rule.sum_count(), 0.0);
  }
  std::size_t most_sums() const { return std::max(rule.gathered_count, rule.emitted_count); }
  bool answers() const { return prepared && call.sums != nullptr && rule.sum_count() > 0; }
};

// Where everything lies in the memory of a call: results, solved coefs, tables, partial sums.
struct Layout {
  std::size_t results = 0, coefs = 0, tables = 0, partials = 0, scratch = 0, bytes = 0;
  bool sums = false;

  explicit Layout(const std::vector<Queued>& all) {
    std::size_t table_bytes = 0;
    std::size_t most_partials = 0;
    std::size_t most_scratch = 0;
    for (const Queued& queued : all) {
      sums = sums || queued.rule.sum_count() > 0;
      table_bytes += queued.jobs.table_bytes();
      most_partials = std::max(most_partials, queued.jobs.chunks() * queued.most_sums());
      most_scratch = std::max(most_scratch, fold_scratch(queued.jobs.chunks(), queued.most_sums()));
    }
    if (sums) {
      results = take(all.size() * sizeof(Results));
      coefs = take(all.size() * kMaxCoefBytes);
      partials = take(most_partials * sizeof(double));
      scratch = take(most_scratch * sizeof(double));
    }
    tables = take(table_bytes);
  }

 private:
  std::size_t take(std::size_t size) {
    constexpr std::size_t kAligned = 256;
    const std::size_t at = bytes;
    bytes += (size + kAligned - 1) / kAligned * kAligned;
    return at;
  }
};

void queue(const Queued& queued, unsigned char* memory, const Layout& layout, std::size_t index,
           const Execution& execution) {
  Run run{queued.rule, queued.row, queued.walk, static_cast<double>(queued.jobs.elements()),
          execution.stochastic};
  if (layout.sums) {
    auto* results = reinterpret_cast<Results*>(memory + layout.results) + index;
    run.partials = reinterpret_cast<double*>(memory + layout.partials);
    run.scratch = reinterpret_cast<double*>(memory + layout.scratch);
    run.sums = results->sums;
    run.solved = memory + layout.coefs + index * kMaxCoefBytes;
    run.refused = &results->refused;
    run.walk.refused = run.refused;
  }
  run.walk.host_key = execution.key;
  queue_run(run, execution.location);
}

// Copies the results to the host and waits for them.
void answer(std::vector<Queued>& all, const Results* results, const Location& location) {
  const auto* found =
      static_cast<const Results*>(fetch(results, all.size() * sizeof(Results), location));
  for (std::size_t k = 0; k < all.size(); ++k) {
    if (!all[k].answers()) continue;
    std::copy_n(found[k].sums, all[k].rule.sum_count(), all[k].call.sums);
    all[k].call.applied = found[k].refused == 0;
  }
}

}  // namespace

void launch_calls(Dtype dtype, std::span<DeviceLibrary::Call> calls, const Execution& execution) {
  const Location& location = execution.location;
  const OnDevice scope(location.device);
  std::vector<Queued> all;
  all.reserve(calls.size());
  for (DeviceLibrary::Call& call : calls) all.emplace_back(call, dtype);
  const Layout layout(all);
  const Scratch scratch(location, layout.bytes);
  unsigned char* memory = scratch.memory();
  auto* results = reinterpret_cast<Results*>(memory + layout.results);
  if (layout.sums) {
    check(cudaMemsetAsync(results, 0, all.size() * sizeof(Results), stream_of(location)),
          location.device, "clearing sums");
  }
  std::size_t table = layout.tables;
  bool answers = false;
  for (std::size_t k = 0; k < all.size(); ++k) {
    Queued& queued = all[k];
    queued.call.applied = queued.prepared;
    if (!queued.prepared) continue;
    if (queued.jobs.table_bytes() > 0) {
      upload(location, memory + table, queued.jobs.all().data(), queued.jobs.table_bytes());
    }
    queued.jobs.describe(queued.walk, memory + table);
    table += queued.jobs.table_bytes();
    queue(queued, memory, layout, k, execution);
    answers = answers || queued.answers();
  }
  if (answers) answer(all, results, location);
}

}  // namespace mdbopt::cuda
