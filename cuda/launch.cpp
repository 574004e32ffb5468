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
  std::size_t sums_at = 0, coefs_at = 0;  // in the layout's, of doubles and of coefs

  Queued(DeviceLibrary::Call& of, Dtype dtype)
      : call(of),
        rule(description_of(of.rule)),
        row(compiled_rule(of.rule, dtype)),
        jobs(of.jobs, rule.stream_count, false, each()),
        walk{} {
    prepared = row.prepare(call.scalars, static_cast<double>(jobs.elements()), walk.host_coef);
    if (call.sums != nullptr) std::fill_n(call.sums, sum_count(), 0.0);
  }
  // Whether sums are of each job.
  bool each() const { return rule.scope == Scope::kArray; }
  std::size_t own() const { return each() ? call.jobs.size() : 1; }
  std::size_t sum_count() const { return own() * rule.sum_count(); }
  std::size_t most_sums() const { return std::max(rule.gathered_count, rule.emitted_count); }
  bool answers() const { return prepared && call.sums != nullptr && rule.sum_count() > 0; }
};

// Where everything lies in the memory of a call: refusals, sums, solved coefs, tables, partial sums.
struct Layout {
  std::size_t refused = 0, sums_of_all = 0, coefs = 0, tables = 0, partials = 0, scratch = 0,
              bytes = 0;
  bool sums = false;

  explicit Layout(std::vector<Queued>& all) {
    std::size_t table_bytes = 0;
    std::size_t most_partials = 0;
    std::size_t most_scratch = 0;
    std::size_t sum_count = 0;
    std::size_t coef_count = 0;
    for (Queued& queued : all) {
      queued.sums_at = sum_count;
      queued.coefs_at = coef_count;
      sum_count += queued.sum_count();
      coef_count += queued.own();
      sums = sums || queued.rule.sum_count() > 0;
      table_bytes += queued.jobs.table_bytes();
      most_partials = std::max(most_partials, queued.jobs.chunks() * queued.most_sums());
      most_scratch = std::max(most_scratch, fold_scratch(queued.jobs.chunks(), queued.most_sums()));
    }
    if (sums) {
      refused = take(all.size() * sizeof(std::uint32_t));
      sums_of_all = take(sum_count * sizeof(double));
      coefs = take(coef_count * kMaxCoefBytes);
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
    run.partials = reinterpret_cast<double*>(memory + layout.partials);
    run.scratch = reinterpret_cast<double*>(memory + layout.scratch);
    run.sums = reinterpret_cast<double*>(memory + layout.sums_of_all) + queued.sums_at;
    run.solved = memory + layout.coefs + queued.coefs_at * kMaxCoefBytes;
    run.refused = reinterpret_cast<std::uint32_t*>(memory + layout.refused) + index;
    run.walk.refused = run.refused;
  }
  run.walk.host_key = execution.key;
  queue_run(run, execution.location);
}

// Copies refusals and sums to the host and waits for them.
void answer(std::vector<Queued>& all, const unsigned char* memory, const Layout& layout,
            const Location& location) {
  const auto* found = static_cast<const unsigned char*>(
      fetch(memory + layout.refused, layout.coefs - layout.refused, location));
  const auto* refused = reinterpret_cast<const std::uint32_t*>(found);
  const auto* sums = reinterpret_cast<const double*>(found + layout.sums_of_all - layout.refused);
  for (std::size_t k = 0; k < all.size(); ++k) {
    if (!all[k].answers()) continue;
    std::copy_n(sums + all[k].sums_at, all[k].sum_count(), all[k].call.sums);
    all[k].call.applied = refused[k] == 0;
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
  if (layout.sums) {
    check(cudaMemsetAsync(memory + layout.refused, 0, layout.coefs - layout.refused,
                          stream_of(location)),
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
  if (answers) answer(all, memory, layout, location);
}

}  // namespace mdbopt::cuda
