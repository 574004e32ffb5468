// builder – makes the steps of a program from the slots of a control that lies here and will run there.
#pragma once

#include <cstddef>
#include <vector>

#include "../engine/program.h"
#include "decisions.h"
#include "rule_runner.h"

namespace mdbopt::search {

// What a walk goes over: every coordinate, or a number for each group of them.
enum class Over : std::uint8_t { kCoordinates, kGroups };

class Builder {
 public:
  Builder(Program& program, const RuleRunner& runner)
      : program_(program), size_(runner.size), elements_(runner.elements()) {}

  // What lies at `here` is to be found at `there` when the program runs.
  void locate(const void* here, std::size_t bytes, void* there) {
    regions_.push_back({static_cast<const char*>(here), bytes, static_cast<char*>(there)});
  }

  template <class Decision>
  void decide() {
    Step step{Step::Kind::kDecide};
    step.what = index_of<Decision>(Decisions{});
    step.decide = [](void* control) {
      Decision::take(*static_cast<typename Decision::Control*>(control));
    };
    program_.steps.push_back(step);
  }
  template <class Rule>
  Step& gather(Slot& slot, Over over = Over::kCoordinates) {
    return walk<Rule>(Step::Kind::kGather, slot, over);
  }
  template <class Rule>
  Step& apply(Slot& slot, Over over = Over::kCoordinates) {
    return walk<Rule>(Step::Kind::kApply, slot, over);
  }
  // Where the walk of this slot is wanted.
  void sum_groups(const Slot& slot, const void* values, void* sums) {
    groups(Step::Kind::kSumGroups, slot, values, sums);
  }
  void spread_groups(const Slot& slot, const void* per_group, void* values) {
    groups(Step::Kind::kSpreadGroups, slot, per_group, values);
  }

 private:
  struct Region {
    const char* here;
    std::size_t bytes;
    char* there;
  };

  void* there(const void* address) const {
    const auto* at = static_cast<const char*>(address);
    for (const Region& region : regions_) {
      if (at >= region.here && at < region.here + region.bytes) {
        return region.there + (at - region.here);
      }
    }
    return nullptr;
  }
  template <class Rule>
  Step& walk(Step::Kind kind, Slot& slot, Over over) {
    static const std::size_t rule = find_rule(Rule::kName);
    const bool groups = over == Over::kGroups;
    slot.job = {};
    slot.job.size = groups ? program_.partition.groups : size_;
    slot.elements = groups ? static_cast<double>(slot.job.size) : elements_;
    Step step{kind};
    step.sharded = !groups;
    step.what = rule;
    step.slot = static_cast<Slot*>(there(&slot));
    step.size = slot.job.size;
    program_.steps.push_back(step);
    return program_.steps.back();
  }
  void groups(Step::Kind kind, const Slot& slot, const void* from, void* to) {
    Step step{kind};
    step.from = static_cast<const double*>(from);
    step.to = static_cast<double*>(to);
    step.skip = static_cast<const std::uint32_t*>(there(&slot.skip));
    program_.steps.push_back(step);
  }

  Program& program_;
  std::size_t size_;
  double elements_;  // of the whole
  std::vector<Region> regions_;
};

}  // namespace mdbopt::search
