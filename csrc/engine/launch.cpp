// launch – cuts jobs into chunks, gives each thread a fixed run of them, and folds the partial
// sums.
#include "launch.h"

#include <algorithm>
#include <vector>

#include "../base/fold.h"
#include "../base/half.h"
#include "../runtime/device.h"
#include "ahead.h"
#include "finisher.h"
#include "flush.h"
#include "opening.h"
#include "pool.h"
#include "reduction.h"

namespace mdbopt {
namespace {

// One rule's walk within a pass.
struct Stage {
  const CompiledRule* row;  // by dtype
  CompiledRule::Walk CompiledRule::* phase;
  const Sum* sums;
  std::size_t sum_count;
  const Coef* coefs;     // by variant, or by job where `solved`
  void* const* streams;  // of stages that have one job each
  double* partials;
  bool stochastic = false;
  bool solved = false;  // for each job by itself

  CompiledRule::Walk sweep(Dtype dtype) const {
    const CompiledRule& sweep = row[static_cast<std::size_t>(dtype)];
    return stochastic && sweep.apply_stochastic != nullptr ? sweep.apply_stochastic : sweep.*phase;
  }
};

// One pass over memory: every stage on a chunk before the next chunk.
struct Pass {
  const Description* rule;  // null for several stages
  std::span<Stage> stages;
  std::span<const Variant> variants;
  std::span<const Job> jobs;
  std::size_t chunks;
  std::size_t parts;
  std::uint64_t key;
  bool flush_subnormals;
  const CompiledFormats* formats;
  std::size_t each = 0;    // sums are of each job, and lie so far apart; 0: they are of all
  std::size_t beside = 0;  // streams of a job behind the rule's
  const Finishing* finishing = nullptr;

  PassArguments arguments(const Stage& stage) const { return {stage.coefs, key}; }
  PassArguments arguments(const Stage& stage, const Job& job) const {
    const auto index = static_cast<std::size_t>(&job - jobs.data());
    return {stage.coefs + (stage.solved ? index : job.variant), key};
  }
};

std::size_t width_of(const Stream& stream, Dtype dtype) {
  return info(stored_dtype(stream.storage, dtype)).bytes;
}

// How many random numbers the streams of a chunk take, each beginning at its own.
std::size_t drawn(const Description& rule, const Layout* layouts) {
  std::size_t count = 0;
  for (std::size_t k = 0; k < rule.stream_count; ++k) {
    if (layouts[k].stochastic) count = kChunk + k * kApart;
  }
  return count;
}

constexpr Layout kNoLayouts[kMaxStreams + 3] = {};

// How much of a job goes through blocks at a time: half a chunk, as all of it is in the first cache then, with
// what is asked for meanwhile; a chunk where that has sums or random bits of its own.
std::size_t piece_of(const Stage& stage, Dtype dtype) {
  return stage.sum_count == 0 && !is_half(dtype) ? kChunk / 2 : kChunk;
}

// A job's chunks [first, last), in pieces that go through blocks of what does not lie as the sweep takes it.
void walk_layouts(const Pass& pass, const Job& job, std::size_t first, std::size_t last,
                  std::size_t before) {
  alignas(64) unsigned char blocks[kMaxStreams + 3][kChunk * sizeof(double)];
  const Stage& stage = pass.stages.front();
  const Description& rule = *pass.rule;
  const Dtype dtype = pass.variants[job.variant].dtype;
  const bool gathers = stage.phase == &CompiledRule::gather;
  const Layout* layouts = job.layouts != nullptr ? job.layouts : kNoLayouts;
  const std::size_t average = rule.stream_count;
  const std::size_t step_sizes = rule.stream_count + pass.beside;
  const std::size_t copy = step_sizes + 1;
  const std::size_t numbers = gathers ? 0 : drawn(rule, layouts);
  alignas(64) std::uint32_t random[2 * kChunk];
  Finisher finisher(gathers ? nullptr : pass.finishing, dtype);
  const std::size_t piece = piece_of(stage, dtype);
  const std::size_t end = std::min(last * kChunk, job.size);
  Ahead ahead(rule, job, layouts, dtype, piece);
  for (std::size_t begin = first * kChunk; begin < end; begin += piece) {
    const std::size_t chunk = begin / kChunk;
    const std::size_t count = std::min(piece, end - begin);
    ahead.turn_to(job, begin + count < end ? begin + piece : job.size);
    const auto block_of = [&](std::size_t k, void* dense, Dtype stored, bool reads) -> void* {
      if (dense == nullptr) return nullptr;
      const Layout& layout = layouts[k];
      if (layout.data == nullptr) return static_cast<char*>(dense) + begin * info(stored).bytes;
      if (reads) {
        ahead.ask();
        open_chunk(layout, *pass.formats, begin, count, stored, blocks[k]);
      }
      return blocks[k];
    };
    const auto put_back = [&](std::size_t k) {
      ahead.ask();
      close_chunk(layouts[k], *pass.formats, begin, count, random + k * kApart + begin % kChunk,
                  blocks[k]);
    };
    void* streams[kMaxStreams];
    for (std::size_t k = 0; k < rule.stream_count; ++k) {
      const Stream& stream = rule.streams[k];
      const bool reads = stream.role != Role::kOut && (!gathers || (rule.gather_reads >> k & 1U));
      streams[k] = block_of(k, job.streams[k], stored_dtype(stream.storage, dtype), reads);
    }
    Job part{streams, count, job.lr};
    if (rule.takes_lr) {
      part.step_sizes = block_of(step_sizes, const_cast<void*>(job.step_sizes),
                                 arithmetic_dtype(dtype), !gathers || rule.gathers_lr);
      part.copy = block_of(copy, job.copy, Dtype::kBFloat16, false);
    }
    part.variant = job.variant;
    void* const copied = part.copy;
    if (finisher) {
      finisher.keep(part);
      part.copy = nullptr;  // is of x as it is in the end
    }
    ahead.ask();
    stage.sweep(dtype)(part, 0, 1, before + chunk, pass.arguments(stage, job),
                       stage.partials + (before + chunk) * stage.sum_count);
    if (gathers) continue;
    part.copy = copied;
    if (finisher) {
      void* kept = finisher.averages()
                       ? block_of(average, job.streams[average], arithmetic_dtype(dtype), true)
                       : nullptr;
      finisher.finish(part, kept);
      if (kept == blocks[average]) put_back(average);
    }
    ahead.ask();
    if (numbers > 0 && begin % kChunk == 0) {
      pass.formats->draw(mix64(pass.key + before + chunk), numbers, random);
    }
    for (std::size_t k = 0; k < rule.stream_count; ++k) {
      const bool writes = rule.streams[k].role != Role::kIn && layouts[k].data != nullptr;
      if (writes) put_back(k);
    }
    if (part.copy == blocks[copy]) put_back(copy);
  }
}

// The chunks [first, last), numbered through the jobs.
void walk_jobs(const Pass& pass, std::size_t first, std::size_t last) {
  const Stage& stage = pass.stages.front();
  const CompiledRule::Walk sweep = stage.sweep(pass.variants.front().dtype);
  std::size_t offset = 0;
  for (const Job& job : pass.jobs) {
    const std::size_t count = chunks_of(job.size);
    const std::size_t from = std::max(first, offset);
    const std::size_t to = std::min(last, offset + count);
    if (from < to && (job.layouts != nullptr || pass.finishing != nullptr)) {
      walk_layouts(pass, job, from - offset, to - offset, offset);
    } else if (from < to) {
      const CompiledRule::Walk own =
          job.variant == 0 ? sweep : stage.sweep(pass.variants[job.variant].dtype);
      own(job, from - offset, to - offset, offset, pass.arguments(stage, job),
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
      stage.sweep(pass.variants.front().dtype)({stage.streams, n}, chunk, chunk + 1, 0,
                                               pass.arguments(stage), stage.partials);
    }
  }
}

struct Size {
  std::size_t elements, chunks;
};

Size size_of(std::span<const Job> jobs) {
  Size size{0, 0};
  for (const Job& job : jobs) {
    size.elements += job.size;
    size.chunks += chunks_of(job.size);
  }
  return size;
}

std::size_t step_size_bytes(std::span<const Job> jobs, std::span<const Variant> variants) {
  std::size_t bytes = 0;
  for (const Job& job : jobs) {
    const Dtype dtype = variants[job.variant].dtype;
    if (job.step_sizes != nullptr) bytes += job.size * info(arithmetic_dtype(dtype)).bytes;
  }
  return bytes;
}

// What step sizes of their own and copies add to an update's traffic.
std::size_t extra_bytes(const Description& rule, std::span<const Job> jobs,
                        std::span<const Variant> variants, bool gathers) {
  if (!rule.takes_lr || (gathers && !rule.gathers_lr)) return 0;
  std::size_t bytes = step_size_bytes(jobs, variants);
  for (const Job& job : jobs) {
    if (job.copy != nullptr && !gathers) bytes += job.size * info(Dtype::kBFloat16).bytes;
  }
  return bytes;
}

// What an average that is read and written adds to it.
std::size_t average_bytes(std::span<const Job> jobs, std::span<const Variant> variants) {
  std::size_t bytes = 0;
  for (const Job& job : jobs)
    bytes += 2 * job.size * info(arithmetic_dtype(variants[job.variant].dtype)).bytes;
  return bytes;
}

// How many bytes fewer, or more, a walk of a job moves than one over arrays of its dtype.
std::ptrdiff_t format_bytes(const Description& rule, const Job& job, Dtype dtype, bool gathers) {
  std::ptrdiff_t bytes = 0;
  for (std::size_t k = 0; job.layouts != nullptr && k < rule.stream_count; ++k) {
    const Stream& stream = rule.streams[k];
    const Layout& layout = job.layouts[k];
    if (layout.data == nullptr || layout.format == Format::kPlain) continue;
    const bool reads =
        stream.role != Role::kOut && (!gathers || (rule.gather_reads >> k & 1U) != 0);
    const bool writes = stream.role != Role::kIn && !gathers;
    const auto plain = static_cast<std::ptrdiff_t>(job.size * width_of(stream, dtype));
    const auto stored = static_cast<std::ptrdiff_t>(stored_bytes(layout, job.size));
    bytes += (static_cast<int>(reads) + static_cast<int>(writes)) * (stored - plain);
  }
  return bytes;
}

// What one gather or apply of the jobs reads and writes.
std::size_t walk_bytes(const Description& rule, std::span<const Job> jobs,
                       std::span<const Variant> variants, bool gathers) {
  const auto each = gathers ? gather_bytes : apply_bytes;
  if (variants.size() == 1 && (jobs.empty() || jobs.front().layouts == nullptr)) {
    return size_of(jobs).elements * each(rule, variants.front().dtype);
  }
  std::size_t bytes = 0;
  for (const Job& job : jobs) {
    const Dtype dtype = variants[job.variant].dtype;
    bytes += job.size * each(rule, dtype) +
             static_cast<std::size_t>(format_bytes(rule, job, dtype, gathers));
  }
  return bytes;
}

// A sum of each job, `apart` from each other.
void fold_each(std::span<const Job> jobs, const ChunkSums& sum, std::size_t apart) {
  double* partials = sum.partials;
  double* result = sum.result;
  for (const Job& job : jobs) {
    const std::size_t chunks = chunks_of(job.size);
    *result = fold_chunks(sum.fold, partials, chunks, sum.stride);
    partials += chunks * sum.stride;
    result += apart;
  }
}

// The sums of each stage, over this shard's chunks or those of all.
void fold_sums(const Pass& pass, Reduction* reduction, double* const* results) {
  thread_local std::vector<ChunkSums> sums;
  sums.clear();
  for (std::size_t k = 0; k < pass.stages.size(); ++k) {
    const Stage& stage = pass.stages[k];
    for (std::size_t j = 0; j < stage.sum_count; ++j) {
      const ChunkSums sum{stage.sums[j].fold, stage.partials + j, stage.sum_count, results[k] + j};
      if (reduction != nullptr)
        sums.push_back(sum);
      else if (pass.each > 0)
        fold_each(pass.jobs, sum, pass.each);
      else
        *sum.result = fold_chunks(sum.fold, sum.partials, pass.chunks, sum.stride);
    }
  }
  if (sums.empty()) return;
  if (pass.each > 0)
    reduction->fold_each(sums, pass.each);
  else
    reduction->fold(sums);
}

void count_walk(std::size_t bytes) {
  ++traffic().walks;
  traffic().bytes += bytes;
}

// Runs the stages in one pass, of so many bytes in all, and folds their sums into results[stage].
void run(Pass pass, std::size_t bytes, const Execution& execution, double* const* results) {
  thread_local std::vector<double> partials;
  const std::span<Stage> stages = pass.stages;
  const Size size = size_of(pass.jobs);
  std::size_t needed = kMaxSums;  // sums of no chunk have a place, too
  for (const Stage& stage : stages) needed += size.chunks * stage.sum_count;
  if (partials.size() < needed) partials.resize(needed);
  double* next = partials.data();
  for (Stage& stage : stages) {
    stage.partials = next;
    next += size.chunks * stage.sum_count;
  }
  const std::size_t threads = threads_of(execution);
  const std::size_t wanted = parts_for(threads, kNanosecondsPerByte * static_cast<double>(bytes));
  pass.chunks = size.chunks;
  pass.parts = std::min(wanted, std::max<std::size_t>(1, size.chunks));
  pass.key = execution.key;
  pass.flush_subnormals = execution.flush_subnormals;
  parallel(pass.parts, threads, walk_part, &pass);
  fold_sums(pass, execution.reduction, results);
  count_walk(bytes);
}

const Backend& backend_of(const Execution& execution) {
  return execution.backend != nullptr ? *execution.backend : active_backend();
}

void count_walks(const Description& rule, Dtype dtype, std::span<const Job> jobs, bool applied) {
  const Variant one{dtype, nullptr};
  const auto bytes = [&](bool gathers) {
    return walk_bytes(rule, jobs, {&one, 1}, gathers) + extra_bytes(rule, jobs, {&one, 1}, gathers);
  };
  if (rule.gathered_count > 0) count_walk(bytes(true));
  if (rule.applies && applied) count_walk(bytes(false));
}

void launch_on_device(Dtype dtype, std::span<DeviceLibrary::Call> calls,
                      const Execution& execution) {
  device_library().launch(dtype, calls, execution);
  for (const DeviceLibrary::Call& call : calls) {
    count_walks(rule_description(call.rule), dtype, call.jobs, call.applied);
  }
}

// Each array comes from memory once, whatever the number of walks that read it, and goes back once if
// any writes it.
std::size_t pass_bytes(std::span<const PassWalk> walks, Dtype dtype) {
  if (walks.size() == 1) {
    const Description& rule = rule_description(walks.front().rule);
    return walks.front().gathers ? gather_bytes(rule, dtype) : apply_bytes(rule, dtype);
  }
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
  for (const PassWalk& walk : walks) {
    const Description& rule = rule_description(walk.rule);
    for (std::size_t k = 0; k < rule.stream_count; ++k) {
      const Role role = rule.streams[k].role;
      const std::size_t width = width_of(rule.streams[k], dtype);
      const bool reads =
          role != Role::kOut && (!walk.gathers || (rule.gather_reads >> k & 1U) != 0);
      const bool made_here =
          std::find(written.begin(), written.end(), walk.streams[k]) != written.end();
      if (reads && !made_here && add(read, walk.streams[k])) bytes += width;
      if (!walk.gathers && role != Role::kIn && add(written, walk.streams[k])) bytes += width;
    }
  }
  return bytes;
}

}  // namespace

Traffic& traffic() {
  thread_local Traffic counted{};
  return counted;
}

void count_traffic(std::size_t rule, Dtype dtype, std::span<const Job> jobs, bool norm,
                   bool averages) {
  static const Description& norm_rule = rule_description(find_rule("norm"));
  if (norm) count_walks(norm_rule, dtype, jobs, true);
  count_walks(rule_description(rule), dtype, jobs, true);
  const Variant one{dtype, nullptr};
  if (averages) traffic().bytes += average_bytes(jobs, {&one, 1});
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

namespace {

// Solves for each job by itself, from a coef for each variant to one for each job.
bool solve_each(const CompiledRule& sweep, std::span<const Job> jobs, std::span<const Coef> coefs,
                double* sums, std::size_t each, const Reduction* reduction,
                std::vector<Coef>& solved) {
  solved.resize(jobs.size());
  for (std::size_t k = 0; k < jobs.size(); ++k) {
    solved[k] = coefs[jobs[k].variant];
    const double n =
        reduction != nullptr ? reduction->elements(k) : static_cast<double>(jobs[k].size);
    if (!sweep.solve(sums + k * each, n, &solved[k])) return false;
  }
  return true;
}

}  // namespace

bool launch(std::size_t rule, std::span<const Variant> variants, std::span<const Job> jobs,
            double* sums, const Execution& execution, const Finish& finish) {
  if (!execution.location.on_cpu()) {
    DeviceLibrary::Call call{rule, jobs, variants.front().scalars, sums};
    launch_on_device(variants.front().dtype, {&call, 1}, execution);
    return call.applied;
  }
  const Backend& backend = backend_of(execution);
  const CompiledRule* row = backend.table[rule];
  const CompiledRule& sweep = row[static_cast<std::size_t>(variants.front().dtype)];
  const Description& description = rule_description(rule);
  Coef one;
  std::span<Coef> coefs{&one, 1};
  if (variants.size() > 1) {
    thread_local std::vector<Coef> several;
    several.resize(variants.size());
    coefs = several;
  }
  const double n = execution.reduction != nullptr ? execution.reduction->elements()
                                                  : static_cast<double>(size_of(jobs).elements);
  const bool each = description.scope == Scope::kArray;
  const std::size_t sum_count = description.sum_count() * (each ? jobs.size() : 1);
  thread_local std::vector<double> unwanted;
  if (sums == nullptr) {
    // Some also where there is no job, since what is emitted lies behind them.
    const std::size_t room = std::max(sum_count, kMaxSums);
    if (unwanted.size() < room) unwanted.resize(room);
    sums = unwanted.data();
  }
  std::fill_n(sums, sum_count, 0.0);
  for (std::size_t k = 0; k < variants.size(); ++k) {
    if (!prepare_variant(sweep, description, finish, variants[k].scalars, n, &coefs[k]))
      return false;
  }
  Pass pass{&description,
            {},
            variants,
            jobs,
            0,
            0,
            0,
            false,
            backend.formats,
            each ? description.sum_count() : 0,
            finish.averages() ? std::size_t{1} : 0};
  if (sweep.gather != nullptr) {
    Stage stage{row,
                &CompiledRule::gather,
                description.gathered,
                description.gathered_count,
                coefs.data(),
                nullptr,
                nullptr};
    pass.stages = {&stage, 1};
    traffic().bytes += extra_bytes(description, jobs, variants, true);
    run(pass, walk_bytes(description, jobs, variants, true), execution, &sums);
  }
  thread_local std::vector<Coef> solved;
  const bool own = each && sweep.solve != nullptr;
  if (own) {
    if (!solve_each(sweep, jobs, coefs, sums, pass.each, execution.reduction, solved)) return false;
  } else {
    for (Coef& coef : coefs) {
      if (sweep.solve != nullptr && !sweep.solve(sums, n, &coef)) return false;
    }
  }
  if (sweep.apply != nullptr) {
    Stage stage{row,
                &CompiledRule::apply,
                description.emitted,
                description.emitted_count,
                own ? solved.data() : coefs.data(),
                nullptr,
                nullptr,
                execution.stochastic,
                own};
    pass.stages = {&stage, 1};
    Finishing finishing;
    if (finish.any()) {
      finishing = finishing_of(finish, backend, description, variants);
      pass.finishing = &finishing;
    }
    if (finish.averages()) traffic().bytes += average_bytes(jobs, variants);
    traffic().bytes += extra_bytes(description, jobs, variants, false);
    double* emitted = sums + description.gathered_count + description.solved_count;
    run(pass, walk_bytes(description, jobs, variants, false), execution, &emitted);
  }
  return true;
}

void run_pass(std::span<const PassWalk> walks, Dtype dtype, std::size_t size, bool sharded,
              const Execution& given) {
  Execution execution = given;
  if (!sharded) execution.reduction = nullptr;
  const Backend& backend = backend_of(execution);
  const auto stage_of = [&](const PassWalk& walk) -> Stage {
    const Description& rule = rule_description(walk.rule);
    return {backend.table[walk.rule],
            walk.gathers ? &CompiledRule::gather : &CompiledRule::apply,
            walk.gathers ? rule.gathered : rule.emitted,
            walk.gathers ? rule.gathered_count : rule.emitted_count,
            walk.coef,
            walk.streams,
            nullptr};
  };
  const auto go = [&](std::span<Stage> stages, double* const* results) {
    const Job job{walks.front().streams, size};
    const Variant variant{dtype, nullptr};
    run({nullptr, stages, {&variant, 1}, {&job, 1}, 0, 0, 0, false, backend.formats},
        pass_bytes(walks, dtype) * size, execution, results);
  };
  if (walks.size() == 1) {
    Stage stage = stage_of(walks.front());
    double* result = walks.front().sums;
    return go({&stage, 1}, &result);
  }
  thread_local std::vector<Stage> stages;
  thread_local std::vector<double*> results;
  stages.clear();
  results.clear();
  for (const PassWalk& walk : walks) {
    stages.push_back(stage_of(walk));
    results.push_back(walk.sums);
  }
  go(stages, results.data());
}

}  // namespace mdbopt
