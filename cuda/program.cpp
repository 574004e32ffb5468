// program – a program's steps one after the other on a stream. Every walk does nothing where its flag
// says so.
#include "program.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "device.h"
#include "groups.cuh"
#include "memory.h"
#include "queue.h"
#include "results.h"
#include "rule_table.h"

namespace mdbopt::cuda {
namespace {

class Loaded final : public DeviceProgram {
 public:
  Loaded(const Program& program, const Location& location)
      : program_(program), location_(location) {
    std::size_t most = 0;
    std::size_t scratch = 0;
    for (const Step& step : program_.steps) {
      const std::size_t chunks = chunks_of(step.size);
      const std::size_t sums = sums_of(step).second;
      most = std::max(most, chunks * sums);
      scratch = std::max(scratch, fold_scratch(chunks, sums));
    }
    if (program_.partition.groups > 0) most = std::max(most, group_scratch(program_.partition));
    const OnDevice scope(location.device);
    partials_ = static_cast<double*>(allocate(location, (most + scratch) * sizeof(double)));
    scratch_ = partials_ + most;
  }
  ~Loaded() override { free(location_, partials_); }
  Loaded(const Loaded&) = delete;
  Loaded& operator=(const Loaded&) = delete;

  void run(const Told& told, const DeviceNumber& f, const Location& location) override {
    const OnDevice scope(location.device);
    location_ = location;
    recorded_ = recorded_ || is_capturing(location);
    queue_told(program_.control, told, f, location);
    for (const Step& step : program_.steps) queue(step);
  }

  bool recorded() const override { return recorded_; }

  void read(void* to, const void* from, std::size_t bytes) override {
    const OnDevice scope(location_.device);
    catch_up(location_, recorded_);
    std::memcpy(to, fetch(from, bytes, location_), bytes);
  }

  void write(void* to, const void* from, std::size_t bytes) override {
    upload(location_, to, from, bytes);
  }

 private:
  // Those of a walk, and how many.
  static std::pair<const Sum*, std::size_t> sums_of(const Step& step) {
    if (step.slot == nullptr) return {nullptr, 0};
    const Description& rule = description_of(step.what);
    if (step.kind == Step::Kind::kGather) return {rule.gathered, rule.gathered_count};
    return {rule.emitted, rule.emitted_count};
  }

  void queue(const Step& step) const {
    switch (step.kind) {
      case Step::Kind::kDecide:
        return queue_decision(step.what, program_.control, location_);
      case Step::Kind::kSumGroups:
        return queue_sum_groups(location_, program_.partition, step.from, step.to, partials_,
                                step.skip);
      case Step::Kind::kSpreadGroups:
        return queue_spread_groups(location_, program_.partition, step.from, step.to, step.skip);
      default:
        return queue_walk_of(step);
    }
  }

  void queue_walk_of(const Step& step) const {
    const CompiledRule& row = compiled_rule(step.what, program_.dtype);
    const auto [sums, count] = sums_of(step);
    Slot* slot = step.slot;
    WalkArguments walk{};
    walk.table = &slot->job;
    walk.jobs = 1;
    walk.chunks = chunks_of(step.size);
    walk.coef = &slot->coef;
    walk.refused = &slot->skip;
    walk.partials = partials_;
    walk.packed = step.aligned;
    queue_walk(step.kind == Step::Kind::kGather ? row.gather : row.apply, count > 0, walk,
               location_, description_of(step.what).name);
    if (count == 0) return;
    queue_fold(sums, count, partials_, scratch_, walk.chunks, slot->sums, &slot->skip, location_);
  }

  Program program_;
  Location location_;
  double* partials_ = nullptr;
  double* scratch_ = nullptr;
  bool recorded_ = false;
};

}  // namespace

std::unique_ptr<DeviceProgram> load_program(const Program& program, const Location& location) {
  return std::make_unique<Loaded>(program, location);
}

}  // namespace mdbopt::cuda
