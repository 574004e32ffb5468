// runner – the steps one by one, neighbouring walks in one pass.
#include "runner.h"

#include "partition.h"

namespace mdbopt {

void ProgramRunner::flush(const Execution& execution) {
  if (pass_.empty()) return;
  run_pass(pass_, program.dtype, size_, sharded_, execution);
  pass_.clear();
}

void ProgramRunner::add(const Step& step, const Execution& execution) {
  if (!step.joins) flush(execution);
  Slot& slot = *step.slot;
  if (slot.skip != 0) return;
  const bool gathers = step.kind == Step::Kind::kGather;
  pass_.push_back({step.what, gathers, slot.job.streams, &slot.coef, slot.sums});
  size_ = step.size;
  sharded_ = step.sharded;
}

void ProgramRunner::run(const Told& told, const Execution& execution) {
  *static_cast<Told*>(program.control) = told;
  pass_.clear();
  for (const Step& step : program.steps) {
    if (step.kind == Step::Kind::kGather || step.kind == Step::Kind::kApply) {
      add(step, execution);
      continue;
    }
    flush(execution);
    if (step.kind == Step::Kind::kDecide) {
      step.decide(program.control);
    } else if (*step.skip == 0) {
      const bool sums = step.kind == Step::Kind::kSumGroups;
      (sums ? sum_groups : spread_groups)(program.partition, step.from, step.to, execution);
    }
  }
  flush(execution);
}

}  // namespace mdbopt
