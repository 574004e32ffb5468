// residence – a step as a sequence of kernels that read all numbers on the device.
//
//   [norm, fold, (once more)]  prepare  [gather, fold, solve]  apply  [fold]
//
// Every kernel after prepare does nothing where the step was skipped or refused.
#include "residence.h"

#include <algorithm>
#include <vector>

#include "device.h"
#include "jobs.h"
#include "memory.h"
#include "queue.h"
#include "resident.h"
#include "results.h"
#include "table.h"
#include "table_of_jobs.h"

namespace mdbopt::cuda {
namespace {

// Memory that stays, and grows when a step needs more.
class Room {
 public:
  ~Room() { free(place_, memory_); }
  double* of(std::size_t doubles, const Place& place) {
    place_ = place;
    if (doubles <= doubles_) return memory_;
    void* larger = allocate(place, doubles * sizeof(double));
    free(place_, memory_);
    memory_ = static_cast<double*>(larger);
    doubles_ = doubles;
    return memory_;
  }

 private:
  Place place_;
  double* memory_ = nullptr;
  std::size_t doubles_ = 0;
};

// Memory for the partial sums of a step, and what folding them needs.
struct Partials {
  double* sums;
  double* scratch;
};

std::vector<Job> gradients_of(std::span<const Job> jobs) {
  std::vector<Job> gradients;
  gradients.reserve(jobs.size());
  for (const Job& job : jobs) gradients.push_back({job.streams + 1, job.size});
  return gradients;
}

class OnOneDevice final : public Residence {
 public:
  explicit OnOneDevice(const Place& place) : place_(place), table_(place), gradients_(place) {
    const OnDevice scope(place.device);
    resident_ = static_cast<Resident*>(allocate(place, sizeof(Resident)));
    check(cudaMemsetAsync(resident_, 0, sizeof(Resident), stream_of(place)), place.device,
          "clearing an optimizer's numbers");
  }
  ~OnOneDevice() override {
    if (recorded_) wait_for_device(place_.device);
    free(place_, resident_);
  }

  const Place& place() const override { return place_; }

  void step(const DeviceStep& step, const Execution& execution) override {
    const OnDevice scope(execution.place.device);
    go_to(execution.place);
    recorded_ = recorded_ || is_capturing(place_);
    const Description& rule = description_of(step.rule);
    const Jobs jobs(step.jobs, rule.stream_count, step.one_lr);
    const bool clips = step.max_norm > 0.0;
    const Jobs gradients(clips ? gradients_of(step.jobs) : std::vector<Job>{}, 1, true);
    // All that may fail comes before anything is queued.
    const void* table = table_.of(jobs, place_);
    const void* gradients_table = gradients_.of(gradients, place_);
    const std::size_t most = std::max({rule.gathered_count, rule.emitted_count, kNormSums});
    const bool sums = rule.sum_count() > 0 || clips;
    const std::size_t partial = sums ? jobs.chunks() * most : 0;
    double* room = room_.of(partial + (sums ? fold_scratch(jobs.chunks(), most) : 0), place_);
    const Partials partials{room, room + partial};
    if (clips) look_at_norm(step.dtype, gradients, gradients_table, partials);
    const Row& row = row_of(step.rule, step.dtype);
    prepare(step, rule, row, static_cast<double>(jobs.elements()));
    Run run{rule, row, {}, static_cast<double>(jobs.elements()), execution.stochastic};
    jobs.describe(run.walk, table);
    run.walk.lr = step.one_lr ? &resident_->lr : nullptr;
    walk(run, partials);
  }

  void read(std::uint64_t& t, double* sums) override {
    const OnDevice scope(place_.device);
    catch_up(place_, recorded_);
    Resident here;
    check(cudaMemcpyAsync(&here, resident_, sizeof here, cudaMemcpyDeviceToHost, stream_of(place_)),
          place_.device, "reading an optimizer's numbers");
    check(cudaStreamSynchronize(stream_of(place_)), place_.device, "in work queued before");
    t = here.t;
    std::copy_n(here.results.sums, kMaxSums, sums);
  }

  void write(std::uint64_t t, const double* sums) override {
    const OnDevice scope(place_.device);
    catch_up(place_, recorded_);
    Resident here{};
    here.t = t;
    std::copy_n(sums, kMaxSums, here.results.sums);
    upload(place_, resident_, &here, sizeof here);
  }

  void copy_norm(void* to) override {
    const OnDevice scope(place_.device);
    check(cudaMemcpyAsync(to, &resident_->total, sizeof(double), cudaMemcpyDeviceToDevice,
                          stream_of(place_)),
          place_.device, "copying the norm of the gradients");
  }

 private:
  // Later work goes to another stream from here on; a graph that is recorded cannot wait for work
  // outside of it, and its recorder has.
  void go_to(const Place& place) {
    if (place.stream == place_.stream) return;
    if (!is_capturing(place)) order(place_, place);
    place_ = place;
  }

  void look_at_norm(Dtype dtype, const Jobs& jobs, const void* table, const Partials& partials) {
    static const std::size_t norm = norm_rule();
    const Row& row = row_of(norm, dtype);
    const Description& rule = description_of(norm);
    Walk walk{};
    jobs.describe(walk, table);
    walk.partials = partials.sums;
    const double one = 1.0;
    row.prepare(&one, 0.0, walk.host_coef);
    queue_walk(row.gather, kNormSums, walk, place_, rule.name);
    queue_fold(rule.gathered, kNormSums, partials.sums, partials.scratch, jobs.chunks(),
               resident_->norm.sums, nullptr, place_);
    queue_second_look(resident_, place_);
    walk.coef = &resident_->again_scale;
    walk.refused = &resident_->again.refused;
    queue_walk(row.gather, kNormSums, walk, place_, rule.name);
    queue_fold(rule.gathered, kNormSums, partials.sums, partials.scratch, jobs.chunks(),
               resident_->again.sums, walk.refused, place_);
  }

  void prepare(const DeviceStep& step, const Description& rule, const Row& row, double n) {
    Preparing p{};
    p.resident = resident_;
    p.n = n;
    std::copy_n(step.scalars, rule.scalar_count, p.scalars);
    p.scalar_count = static_cast<std::uint32_t>(rule.scalar_count);
    p.sum_count = static_cast<std::uint32_t>(rule.sum_count());
    p.carried_count = static_cast<std::uint32_t>(step.carried.size());
    p.t_scalar = static_cast<std::uint32_t>(step.t_scalar);
    p.grad_scale_scalar = static_cast<std::uint32_t>(step.grad_scale_scalar);
    for (std::size_t k = 0; k < step.carried.size(); ++k) {
      p.carried[k].scalar = static_cast<std::uint32_t>(step.carried[k].scalar);
      p.carried[k].sum = static_cast<std::uint32_t>(step.carried[k].sum);
    }
    p.sign = step.maximize ? -1.0 : 1.0;
    p.max_norm = step.max_norm;
    p.seed = step.seed;
    p.grad_scale = step.grad_scale;
    p.lr = step.lr;
    p.found_inf = step.found_inf;
    launch(row.prepare_there, 1, 1, p, place_, rule.name);
  }

  void walk(Run& run, const Partials& partials) {
    run.walk.coef = resident_->coef;
    run.walk.refused = &resident_->results.refused;
    run.walk.key = &resident_->key;
    run.partials = partials.sums;
    run.scratch = partials.scratch;
    run.sums = resident_->results.sums;
    run.solved = resident_->solved;
    run.refused = &resident_->results.refused;
    queue_run(run, place_);
  }

  Place place_;
  Resident* resident_ = nullptr;
  TableOfJobs table_, gradients_;
  Room room_;
  bool recorded_ = false;  // in a graph, that may be replayed at any time
};

}  // namespace

std::unique_ptr<Residence> make_residence(const Place& place) {
  return std::make_unique<OnOneDevice>(place);
}

}  // namespace mdbopt::cuda
