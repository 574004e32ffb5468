// queue – how many blocks a walk gets, and the levels of a fold.
#include "queue.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "fold.cuh"

namespace mdbopt::cuda {
namespace {

// More blocks than fit at once even out where some are slower; each then takes several units.
constexpr std::size_t kBlocksPerMultiprocessor = 64;

unsigned fold_threads(std::size_t chunks) {
  const std::size_t pairs = chunks / 2 + 1;  // one is what is left of an odd number
  const std::size_t warps = (pairs + kWarp - 1) / kWarp;
  return static_cast<unsigned>(std::min<std::size_t>(warps * kWarp, kFoldThreads));
}

std::size_t tiles_of(std::size_t chunks) {
  return std::max<std::size_t>(1, (chunks + kFoldTile - 1) / kFoldTile);
}

}  // namespace

std::size_t blocks_for(std::size_t units, std::size_t units_per_block, const Location& location) {
  const std::size_t most =
      kBlocksPerMultiprocessor * static_cast<std::size_t>(multiprocessors(location.device));
  return std::min((units + units_per_block - 1) / units_per_block, most);
}

void queue_walk(WalkKernel kernel, bool by_chunk, const WalkArguments& walk,
                const Location& location, const char* rule) {
  if (walk.chunks == 0) return;
  const std::size_t units = by_chunk ? walk.chunks : walk.chunks * (kChunk / kUnit);
  launch(kernel, blocks_for(units, kWalkThreads / kWarp, location), kWalkThreads, walk, location,
         rule);
}

std::size_t fold_scratch(std::size_t chunks, std::size_t sums) { return tiles_of(chunks) * sums; }

void queue_fold(const Sum* sums, std::size_t count, double* partials, double* scratch,
                std::size_t chunks, double* to, const std::uint32_t* refused,
                const Location& location) {
  Folding folding{};
  folding.sums = static_cast<std::uint32_t>(count);
  folding.refused = refused;
  for (std::size_t k = 0; k < count; ++k) folding.folds[k] = sums[k].fold;
  for (;; chunks = tiles_of(chunks)) {
    const std::size_t tiles = tiles_of(chunks);
    folding.from = partials;
    folding.to = tiles == 1 ? to : scratch;
    folding.count = chunks;
    launch(fold_kernel, tiles * count, fold_threads(chunks), folding, location, "folding sums");
    if (tiles == 1) return;
    std::swap(partials, scratch);
  }
}

void queue_fold_each(const Sum* sums, std::size_t count, const WalkArguments& walk, double* to,
                     std::size_t apart, const Location& location) {
  if (walk.jobs == 0) return;
  FoldingEach folding{};
  folding.table = walk.table;
  std::copy_n(walk.few, kFewJobs, folding.few);
  folding.partials = walk.partials;
  folding.to = to;
  folding.apart = apart;
  folding.sums = static_cast<std::uint32_t>(count);
  for (std::size_t k = 0; k < count; ++k) folding.folds[k] = sums[k].fold;
  folding.refused = walk.refused;
  folding.jobs = walk.jobs;
  folding.folded = 1;
  // One block would take as long for a large array as the walk itself.
  if (walk.chunks > kFoldTile) {
    const std::size_t places = walk.chunks / kFoldTile + walk.jobs;
    launch(fold_tiles_each_kernel, places * count, kFoldThreads, folding, location, "folding sums");
    folding.folded = kFoldTile;
  }
  launch(fold_each_kernel, walk.jobs * count, kFoldThreads, folding, location, "folding sums");
}

namespace {

void queue_solve(const Run& run, const WalkArguments& walk, bool each, const Location& location) {
  Solving solving{};
  solving.sums = run.sums;
  solving.n = run.n;
  solving.coef = walk.coef;
  std::memcpy(solving.host_coef, walk.host_coef, sizeof(walk.host_coef));
  solving.solved = run.solved;
  solving.refused = run.refused;
  solving.carried = run.carried;
  if (!each) return launch(run.row.solve, 1, 1, solving, location, run.rule.name);
  if (walk.jobs == 0) return;
  solving.table = walk.table;
  std::copy_n(walk.few, kFewJobs, solving.few);
  solving.jobs = walk.jobs;
  solving.apart = run.rule.sum_count();
  launch(run.row.solve, (walk.jobs + kWarp - 1) / kWarp, kWarp, solving, location, run.rule.name);
}

}  // namespace

void queue_run(const Run& run, const Location& location) {
  const Description& rule = run.rule;
  const bool each = rule.scope == Scope::kArray;
  WalkArguments walk = run.walk;
  walk.partials = run.partials;
  const auto fold = [&](const Sum* sums, std::size_t count, std::size_t before) {
    if (each) {
      queue_fold_each(sums, count, walk, run.sums + before, rule.sum_count(), location);
    } else {
      queue_fold(sums, count, run.partials, run.scratch, walk.chunks, run.sums + before,
                 walk.refused, location);
    }
  };
  if (run.row.gather != nullptr) {
    queue_walk(run.formats ? run.row.gather_stored : run.row.gather, true, walk, location,
               rule.name);
    fold(rule.gathered, rule.gathered_count, 0);
  }
  if (run.row.solve != nullptr) {
    queue_solve(run, walk, each, location);
    walk.coef = run.solved;
    walk.coef_each = each;
  }
  if (run.row.apply == nullptr) return;
  const bool stochastic = run.stochastic && run.row.apply_stochastic != nullptr;
  const WalkKernel plain = stochastic ? run.row.apply_stochastic : run.row.apply;
  queue_walk(walk.stored != nullptr ? run.row.apply_stored : plain, each || rule.emitted_count > 0,
             walk, location, rule.name);
  if (rule.emitted_count == 0) return;
  fold(rule.emitted, rule.emitted_count, rule.gathered_count + rule.solved_count);
}

}  // namespace mdbopt::cuda
