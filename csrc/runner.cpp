// runner – the steps one by one, neighbouring walks in one pass.
#include "runner.h"

#include "launch.h"
#include "partition.h"

namespace mdbopt {
namespace {

// Walks that wait for the rest of their pass.
class PendingPass {
 public:
  PendingPass(const Program& program, const Execution& execution)
      : program_(program), execution_(execution), walks_(memory()) {
    walks_.clear();
  }
  void add(const Step& step) {
    if (!step.joins) flush();
    Slot& slot = *step.slot;
    if (slot.skip != 0) return;
    walks_.push_back({step.what, step.kind == Step::Kind::kGather, slot.job.streams, &slot.coef,
                      slot.sums});
    size_ = step.size;
  }
  void flush() {
    if (walks_.empty()) return;
    run_pass(walks_, program_.dtype, size_, execution_);
    walks_.clear();
  }

 private:
  static std::vector<PassWalk>& memory() {
    thread_local std::vector<PassWalk> walks;
    return walks;
  }

  const Program& program_;
  const Execution& execution_;
  std::vector<PassWalk>& walks_;
  std::size_t size_ = 0;
};

}  // namespace

void run(const Program& program, const Told& told, const Execution& execution) {
  *static_cast<Told*>(program.control) = told;
  PendingPass pass(program, execution);
  for (const Step& step : program.steps) {
    if (step.kind == Step::Kind::kGather || step.kind == Step::Kind::kApply) {
      pass.add(step);
      continue;
    }
    pass.flush();
    if (step.kind == Step::Kind::kDecide) {
      step.decide(program.control);
    } else if (*step.skip == 0) {
      const bool sums = step.kind == Step::Kind::kSumGroups;
      (sums ? sum_groups : spread_groups)(program.partition, step.from, step.to, execution);
    }
  }
  pass.flush();
}

}  // namespace mdbopt
