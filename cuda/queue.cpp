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

void queue_walk(WalkKernel kernel, std::size_t sums, const WalkArguments& walk,
                const Location& location, const char* rule) {
  if (walk.chunks == 0) return;
  const std::size_t units = sums > 0 ? walk.chunks : walk.chunks * (kChunk / kUnit);
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

void queue_run(const Run& run, const Location& location) {
  const Description& rule = run.rule;
  WalkArguments walk = run.walk;
  walk.partials = run.partials;
  if (run.row.gather != nullptr) {
    queue_walk(run.row.gather, rule.gathered_count, walk, location, rule.name);
    queue_fold(rule.gathered, rule.gathered_count, run.partials, run.scratch, walk.chunks, run.sums,
               walk.refused, location);
  }
  if (run.row.solve != nullptr) {
    Solving solving{};
    solving.sums = run.sums;
    solving.n = run.n;
    solving.coef = walk.coef;
    std::memcpy(solving.host_coef, walk.host_coef, sizeof(walk.host_coef));
    solving.solved = run.solved;
    solving.refused = run.refused;
    launch(run.row.solve, 1, 1, solving, location, rule.name);
    walk.coef = run.solved;
  }
  if (run.row.apply == nullptr) return;
  const bool stochastic = run.stochastic && run.row.apply_stochastic != nullptr;
  queue_walk(stochastic ? run.row.apply_stochastic : run.row.apply, rule.emitted_count, walk,
             location, rule.name);
  if (rule.emitted_count == 0) return;
  queue_fold(rule.emitted, rule.emitted_count, run.partials, run.scratch, walk.chunks,
             run.sums + rule.gathered_count + rule.solved_count, walk.refused, location);
}

}  // namespace mdbopt::cuda
