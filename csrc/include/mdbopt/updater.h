// updater – a first-order optimizer at work: its rule, the numbers it carries from step to step, and
// a step over a list of arrays.
//
// A step reads the gradients once more when their norm is bounded, then walks all streams once. The
// numbers are the scalars that the rule gives back as sums (a learned step size, a sum of squared
// norms), one for all arrays or, in a rule of Scope::kArray, one for each, and t, the steps taken.
//
// Where arrays are shards (reducer.h), a step meets the other shards if its rule or a bound of the norm
// takes sums; the first step, and one whose arrays have other sizes, in any case. Updaters that step in turn, each
// arrays of its own, share their messages: then a failure of one ends all of them, on all shards.
//
// Contract. The arrays are the caller's: a job's streams are x, the gradient and the rule's state, dense, in
// the order of its description, with state zeroed before the first step; behind them the average of a finish
// that has one, x before the first step. An updater holds numbers only. One
// thread at a time may use it.
#pragma once

#include <mdbopt/launch.h>
#include <mdbopt/reducer.h>
#include <mdbopt/tensor.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace mdbopt {

class DeviceOptimizer;  // runtime/device.h
class Reduction;

class Updater {
 public:
  struct Options {
    std::string name;  // in messages
    std::size_t rule = 0;
    std::vector<double> scalars;         // in the order of the rule's description
    std::string decay = "weight_decay";  // the scalar that a group may replace, or "l2"
    bool maximize = false;
    std::uint64_t seed = 0;                 // of the random bits of execution.stochastic
    Execution execution;                    // its key is made anew at each step
    std::shared_ptr<Reducer> reducer = {};  // arrays are shards; null: they are whole
    Finish finish = {};                     // what follows each step
  };
  struct Number {
    const char* name;
    std::size_t scalar, sum;
    double value;                   // of all arrays; of each at first
    std::vector<double> each = {};  // by Job::array, as far as steps have met them
  };
  // What differs between the arrays of a step; a job's `variant` counts them.
  struct Group {
    Dtype dtype = Dtype::kFloat64;
    std::optional<double> decay = {};  // none: that of the options
    bool operator==(const Group&) const = default;
  };
  // What one step may bring.
  struct Call {
    double grad_scale = 1.0;  // gradients are divided by it
    double max_norm = 0.0;    // bounds their norm after that; 0: no bound, inf: only looks at it
    Location location = {};   // of all arrays
    // On a device these may be read there, when the step runs; `data` is null where they are not.
    DeviceNumber lr_there = {}, grad_scale_there = {}, found_inf_there = {};
    // What max_norm bounds, where these gradients are a part of those it is of; none: it is theirs.
    std::optional<double> norm = {};
  };

  // Throws Error unless the rule is an update and has as many scalars.
  explicit Updater(Options options);
  ~Updater();
  Updater(Updater&&) noexcept;
  Updater& operator=(Updater&&) noexcept;

  // Steps; jobs hold the rule's streams. Trusts them, as launch does. Returns the norm of the
  // gradients where one is bounded, divided by their scale; 0 on a device. Throws Error when t would
  // leave the whole numbers that a double counts.
  double step(std::span<const Group> groups, std::span<const Job> jobs, const Call& call);
  double step(Dtype dtype, std::span<const Job> jobs, const Call& call) {
    const Group one{dtype};
    return step({&one, 1}, jobs, call);
  }

  // The norm of the gradients, divided by their scale; waits for a device.
  double norm(std::span<const Group> groups, std::span<const Job> jobs, double grad_scale,
              const Location& location) const;

  // Meets the other shards by the messages of an updater that has a reducer, this one's as well from now on.
  void share(const Updater& other);
  // Exchanges what has to be alike on all shards, unless that was done for arrays of these sizes. A step does so by
  // itself; before the steps of several updaters it keeps the first from writing what the next would refuse.
  void meet(std::span<const Group> groups, std::span<const Job> jobs, const Call& call);
  // Tells the other shards, where this step would meet them, that it ends here with these words;
  // `bounds` a norm.
  void fail(const char* words, bool bounds) noexcept;

  // Copies the norm that the last step on a device looked at, a double, to memory there.
  void copy_norm(void* to);

  // Replaces the hyperparameters and keeps t and the numbers.
  void configure(Options options);
  const Options& options() const { return options_; }
  // The decay of arrays whose group has none.
  double one_decay() const { return values_[decay_scalar_]; }
  const Description& rule() const { return rule_description(options_.rule); }

  // Once steps are taken on a device, t and the numbers live there: these wait for it.
  std::uint64_t t();
  void set_t(std::uint64_t t);
  const std::vector<Number>& numbers();
  void set_number(const std::string& name, double value);
  // Of each array.
  void set_number(const std::string& name, std::span<const double> each);
  bool keeps_each() const { return rule().scope == Scope::kArray && !numbers_.empty(); }
  void set_scalar(const std::string& name, double value);

  static constexpr std::uint64_t kMostSteps = std::uint64_t{1} << 53;

 private:
  std::span<const Variant> variants_of(std::span<const Group> groups) const;
  std::span<const Variant> variants_of(std::span<const Group> groups, std::span<const Job> jobs,
                                       std::vector<Job>& apart) const;
  void launch_each(std::span<const Group> groups, std::span<const Job> jobs,
                   const Execution& execution);
  void meet_arrays(std::span<const Job> jobs);
  std::vector<double> each_numbers() const;
  void take_each(std::span<const double> all);
  double step_on_cpu(std::span<const Group> groups, std::span<const Job> jobs, const Call& call);
  void step_on_device(std::span<const Group> groups, std::span<const Job> jobs, const Call& call);
  void move_to(const Location& location);
  void fetch();
  void send();

  Options options_;
  std::vector<Number> numbers_;
  std::vector<double> values_;  // the scalars of the next step
  std::size_t t_scalar_, grad_scale_scalar_, decay_scalar_;
  std::uint64_t t_ = 0;
  std::unique_ptr<DeviceOptimizer> device_optimizer_;  // null: on the CPU
  std::unique_ptr<Reduction> reduction_;               // null: arrays are whole
};

}  // namespace mdbopt
