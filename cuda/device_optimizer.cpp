// device_optimizer – a step as a sequence of kernels that read all numbers on the device.
//
//   [norm, fold, (once more)]  prepare  [gather, fold, solve]  apply and what follows it  [fold]
//
// Every kernel after prepare does nothing where the step was skipped or refused.
#include "device_optimizer.h"

#include <algorithm>
#include <vector>

#include "device.h"
#include "device_table.h"
#include "jobs.h"
#include "memory.h"
#include "optimizer_numbers.h"
#include "queue.h"
#include "results.h"
#include "rule_table.h"
#include "stored_jobs.h"

namespace mdbopt::cuda {
namespace {

// Memory that stays, and grows when a step needs more.
class Workspace {
 public:
  ~Workspace() { free(location_, memory_); }
  template <class Number>
  Number* of(std::size_t count, const Location& location) {
    location_ = location;
    const std::size_t bytes = count * sizeof(Number);
    if (bytes > bytes_) {
      void* larger = allocate(location, bytes);
      free(location_, memory_);
      memory_ = larger;
      bytes_ = bytes;
    }
    return static_cast<Number*>(memory_);
  }

 private:
  Location location_;
  void* memory_ = nullptr;
  std::size_t bytes_ = 0;
};

// Memory for the partial sums of a step, and what folding them needs; where sums are of each array,
// for these and what is solved from them.
struct Partials {
  double* sums;
  double* scratch;
  double* each_sums;
  void* each_coefs;
};

std::vector<Job> gradients_of(std::span<const Job> jobs) {
  std::vector<Job> gradients;
  gradients.reserve(jobs.size());
  for (const Job& job : jobs) {
    Job& gradient = gradients.emplace_back(Job{job.streams + 1, job.size});
    if (job.layouts != nullptr) gradient.layouts = job.layouts + 1;
  }
  return gradients;
}

// Fills in which sums are which scalars of the next step, and tells how many.
template <class Carried>
std::uint32_t set_carried(const DeviceStep& step, Carried* to) {
  for (std::size_t k = 0; k < step.carried.size(); ++k) {
    to[k].scalar = static_cast<std::uint32_t>(step.carried[k].scalar);
    to[k].sum = static_cast<std::uint32_t>(step.carried[k].sum);
  }
  return static_cast<std::uint32_t>(step.carried.size());
}

class OnOneDevice final : public DeviceOptimizer {
 public:
  explicit OnOneDevice(const Location& location)
      : location_(location),
        table_(location),
        gradients_(location),
        stored_(location),
        stored_gradients_(location) {
    const OnDevice scope(location.device);
    numbers_ = static_cast<OptimizerNumbers*>(allocate(location, sizeof(OptimizerNumbers)));
    check(cudaMemsetAsync(numbers_, 0, sizeof(OptimizerNumbers), stream_of(location)),
          location.device, "clearing an optimizer's numbers");
  }
  ~OnOneDevice() override {
    if (recorded_) wait_for_device(location_.device);
    free(location_, numbers_);
    free(location_, each_);
  }

  const Location& location() const override { return location_; }

  void step(const DeviceStep& step, const Execution& execution) override {
    const OnDevice scope(execution.location.device);
    go_to(execution.location);
    recorded_ = recorded_ || is_capturing(location_);
    const Description& rule = description_of(step.rule);
    const StoredJobs stored(step.jobs, rule, step.following);
    const Jobs jobs(stored.jobs(), rule.stream_count, step.one_lr);
    const bool clips = step.max_norm > 0.0;
    const std::vector<Job> read_first = clips ? gradients_of(step.jobs) : std::vector<Job>{};
    const StoredJobs stored_gradients(read_first, description_of(norm_rule()));
    const Jobs gradients(stored_gradients.jobs(), 1, true);
    // All that may fail comes before anything is queued.
    WalkArguments over_all{}, over_gradients{};
    describe(jobs, stored, table_, stored_, over_all);
    describe(gradients, stored_gradients, gradients_, stored_gradients_, over_gradients);
    const std::size_t most = std::max({rule.gathered_count, rule.emitted_count, kNormSums});
    const bool sums = rule.sum_count() > 0 || clips;
    const std::size_t partial = sums ? jobs.chunks() * most : 0;
    const std::size_t scratch = sums ? fold_scratch(jobs.chunks(), most) : 0;
    const std::size_t own = rule.scope == Scope::kArray ? jobs.all().size() : 0;
    const std::size_t coefs = own * (kMaxCoefBytes / sizeof(double));
    double* workspace =
        workspace_.of<double>(coefs + partial + scratch + own * rule.sum_count(), location_);
    double* after = workspace + coefs;
    const Partials partials{after, after + partial, after + partial + scratch, workspace};
    if (clips) look_at_norm(step.dtype, over_gradients, stored_gradients.formats(), partials);
    const CompiledRule& row = compiled_rule(step.rule, step.dtype);
    prepare(step, rule, row, static_cast<double>(jobs.elements()));
    if (step.following != nullptr) prepare(*step.following, step.dtype);
    Run run{rule, row, over_all, static_cast<double>(jobs.elements()), execution.stochastic};
    run.formats = stored.formats();
    run.walk.following = step.following != nullptr ? numbers_->following : nullptr;
    run.walk.lr = step.one_lr ? &numbers_->lr : nullptr;
    if (rule.scope == Scope::kArray) {
      run.carried.numbers = each_;
      run.carried.count = set_carried(step, run.carried.each);
    }
    walk(run, partials);
  }

  void read(std::uint64_t& t, double* sums, std::span<double> each) override {
    const OnDevice scope(location_.device);
    catch_up(location_, recorded_);
    OptimizerNumbers here;
    check(
        cudaMemcpyAsync(&here, numbers_, sizeof here, cudaMemcpyDeviceToHost, stream_of(location_)),
        location_.device, "reading an optimizer's numbers");
    if (!each.empty()) {
      check(cudaMemcpyAsync(each.data(), each_, each.size_bytes(), cudaMemcpyDeviceToHost,
                            stream_of(location_)),
            location_.device, "reading an optimizer's numbers");
    }
    check(cudaStreamSynchronize(stream_of(location_)), location_.device, "in work queued before");
    t = here.t;
    std::copy_n(here.results.sums, kMaxSums, sums);
  }

  void write(std::uint64_t t, const double* sums, std::span<const double> each) override {
    const OnDevice scope(location_.device);
    catch_up(location_, recorded_);
    OptimizerNumbers here{};
    here.t = t;
    std::copy_n(sums, kMaxSums, here.results.sums);
    upload(location_, numbers_, &here, sizeof here);
    if (each.empty()) return;
    if (each.size() != each_count_) {
      void* room = allocate(location_, each.size_bytes());
      free(location_, each_);
      each_ = static_cast<double*>(room);
      each_count_ = each.size();
    }
    upload(location_, each_, each.data(), each.size_bytes());
  }

  void copy_norm(void* to) override {
    const OnDevice scope(location_.device);
    check(cudaMemcpyAsync(to, &numbers_->total, sizeof(double), cudaMemcpyDeviceToDevice,
                          stream_of(location_)),
          location_.device, "copying the norm of the gradients");
  }

 private:
  // Later work goes to another stream from here on; a graph that is recorded cannot wait for work
  // outside of it, and its recorder has.
  void go_to(const Location& location) {
    if (location.stream == location_.stream) return;
    if (!is_capturing(location)) order(location_, location);
    location_ = location;
  }

  // What a walk must know of jobs that are stored so, with what has to lie on the device for it.
  void describe(const Jobs& jobs, const StoredJobs& stored, DeviceTable& table, DeviceTable& rows,
                WalkArguments& walk) {
    jobs.describe(walk, table.of(jobs.table(), location_));
    walk.stored = reinterpret_cast<const StoredJob*>(rows.of(stored.rows(), location_));
    walk.packed = walk.packed && stored.packed();
  }

  void look_at_norm(Dtype dtype, WalkArguments walk, bool formats, const Partials& partials) {
    static const std::size_t norm = norm_rule();
    const CompiledRule& row = compiled_rule(norm, dtype);
    const Description& rule = description_of(norm);
    walk.partials = partials.sums;
    const double one = 1.0;
    row.prepare(&one, 0.0, walk.host_coef);
    const auto gather = [&](double* to) {
      queue_walk(formats ? row.gather_stored : row.gather, true, walk, location_, rule.name);
      queue_fold(rule.gathered, kNormSums, partials.sums, partials.scratch, walk.chunks, to,
                 walk.refused, location_);
    };
    gather(numbers_->norm.sums);
    queue_second_look(numbers_, location_);
    walk.coef = &numbers_->again_scale;
    walk.refused = &numbers_->again.refused;
    gather(numbers_->again.sums);
  }

  void prepare(const DeviceStep& step, const Description& rule, const CompiledRule& row, double n) {
    Preparing p{};
    p.numbers = numbers_;
    p.n = n;
    std::copy_n(step.scalars, rule.scalar_count, p.scalars);
    p.scalar_count = static_cast<std::uint32_t>(rule.scalar_count);
    p.sum_count = static_cast<std::uint32_t>(rule.sum_count());
    p.carried_count = rule.scope == Scope::kAll ? set_carried(step, p.carried) : 0;
    p.t_scalar = static_cast<std::uint32_t>(step.t_scalar);
    p.grad_scale_scalar = static_cast<std::uint32_t>(step.grad_scale_scalar);
    p.sign = step.maximize ? -1.0 : 1.0;
    p.max_norm = step.max_norm;
    p.clipped = step.clipped;
    p.seed = step.seed;
    p.grad_scale = step.grad_scale;
    p.lr = step.lr;
    p.found_inf = step.found_inf;
    launch(row.prepare_there, 1, 1, p, location_, rule.name);
  }

  void prepare(const DeviceStep::Following& following, Dtype dtype) {
    const Description& rule = description_of(following.rule);
    Preparing p{};
    p.numbers = numbers_;
    std::copy_n(following.scalars, rule.scalar_count, p.scalars);
    p.scalar_count = static_cast<std::uint32_t>(rule.scalar_count);
    p.grad_scale_scalar = static_cast<std::uint32_t>(following.grad_scale_scalar);
    launch(compiled_rule(following.rule, dtype).prepare_there, 1, 1, p, location_, rule.name);
  }

  void walk(Run& run, const Partials& partials) {
    run.walk.coef = numbers_->coef;
    run.walk.refused = &numbers_->results.refused;
    run.walk.key = &numbers_->key;
    run.partials = partials.sums;
    run.scratch = partials.scratch;
    const bool each = run.rule.scope == Scope::kArray;
    run.sums = each ? partials.each_sums : numbers_->results.sums;
    run.solved = each ? partials.each_coefs : numbers_->solved;
    run.refused = &numbers_->results.refused;
    queue_run(run, location_);
  }

  Location location_;
  OptimizerNumbers* numbers_ = nullptr;
  double* each_ = nullptr;  // the numbers of each array
  std::size_t each_count_ = 0;
  DeviceTable table_, gradients_, stored_, stored_gradients_;
  Workspace workspace_;
  bool recorded_ = false;  // in a graph, that may be replayed at any time
};

}  // namespace

std::unique_ptr<DeviceOptimizer> make_device_optimizer(const Location& location) {
  return std::make_unique<OnOneDevice>(location);
}

}  // namespace mdbopt::cuda
