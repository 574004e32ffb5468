// device_updater – steps on a device give the bits of steps on the CPU: parameters, state, t and the
// numbers carried from step to step; and what is read on the device when a step runs.
//
// Skips where no device can be used; MDBOPT_CUDA_LIBRARY may name one that is emulated.
#include <mdbopt/updater.h>

#include <cmath>
#include <string>

#include "base/block_codes.h"
#include "device_arrays.h"
#include "engine/layout.h"
#include "runtime/device.h"

using mdbopt::Description;
using mdbopt::Format;
using mdbopt::Job;
using mdbopt::Layout;
using mdbopt::Role;
using mdbopt::Updater;

namespace {

const std::vector<std::size_t> kSizes = {700, 1, 3000, 256, 0, 5, 1025};

Updater::Options options_of(std::size_t rule, bool stochastic) {
  Updater::Options options;
  options.name = "Own";
  options.rule = rule;
  options.seed = 7;
  options.execution.stochastic = stochastic;
  const Description& description = mdbopt::rule_description(rule);
  for (std::size_t k = 0; k < description.scalar_count; ++k) {
    const double fallback = description.scalars[k].fallback;
    options.scalars.push_back(std::isnan(fallback) ? 0.5 : fallback);
  }
  return options;
}

// The same arrays at two places; an average behind the rule's streams where it is asked for.
struct Both {
  const Description& rule;
  std::size_t each;
  std::vector<Bytes> host;
  std::vector<Dtype> dtypes;
  std::vector<OnDevice> there;
  std::vector<void*> here_at, there_at;

  Both(std::size_t index, Dtype dtype, const Location& location, bool averages = false)
      : rule(mdbopt::rule_description(index)), each(rule.stream_count + (averages ? 1 : 0)) {
    check::Random random(3);
    for (std::size_t size : kSizes) {
      for (std::size_t k = 0; k < each; ++k) {
        const bool own = k < rule.stream_count;
        const auto storage = own ? rule.streams[k].storage : mdbopt::Storage::kState;
        const Dtype stored = mdbopt::stored_dtype(storage, dtype);
        host.push_back(numbers(random, stored, size, k == 1));
        dtypes.push_back(stored);
        there.emplace_back(location, host.back(), 0);
        there_at.push_back(there.back().data());
      }
    }
    for (Bytes& bytes : host) here_at.push_back(bytes.data());
  }
  std::vector<Job> jobs(const std::vector<void*>& at, double lr, bool own_lr) const {
    std::vector<Job> made;
    for (std::size_t j = 0; j < kSizes.size(); ++j) {
      made.push_back(
          {at.data() + j * each, kSizes[j], own_lr ? lr / static_cast<double>(j + 1) : lr});
    }
    return made;
  }
  void check_same(const std::string& what) const {
    for (std::size_t k = 0; k < host.size(); ++k) {
      const Bytes found = there[k].bytes(host[k].size());
      const std::size_t i = first_difference(found, host[k], dtypes[k]);
      if (i * info(dtypes[k]).bytes == found.size()) continue;
      check::fail(__FILE__, __LINE__)
          << what << ": array " << k << " has " << element(found, dtypes[k], i) << " at " << i
          << ", expected " << element(host[k], dtypes[k], i) << '\n';
    }
  }
};

void same_steps(std::size_t rule, Dtype dtype, const Location& location, double max_norm,
                bool stochastic, const mdbopt::Finish& finish = {}) {
  const Both both(rule, dtype, location, finish.averages());
  Updater::Options options = options_of(rule, stochastic);
  options.finish = finish;
  Updater on_cpu(options);
  Updater on_device(options);
  const std::string what = std::string(both.rule.name) + ' ' + info(dtype).name;
  for (int t = 1; t <= 3; ++t) {
    const double lr = 0.1 / t;
    on_cpu.step(dtype, both.jobs(both.here_at, lr, t == 2), {2.0, max_norm});
    on_device.step(dtype, both.jobs(both.there_at, lr, t == 2), {2.0, max_norm, location});
  }
  both.check_same(what);
  CHECK_EQUAL(on_device.t(), std::uint64_t{3});
  for (std::size_t k = 0; k < on_cpu.numbers().size(); ++k) {
    CHECK_BITS(on_device.numbers()[k].value, on_cpu.numbers()[k].value);
    CHECK(on_device.numbers()[k].each == on_cpu.numbers()[k].each);
  }
}

void every_update(const Location& location, bool brief) {
  for (std::size_t rule = 0; rule < mdbopt::rule_count(); ++rule) {
    const Description& description = mdbopt::rule_description(rule);
    if (!description.update) continue;
    for (std::size_t k = 0; k < mdbopt::kDtypeCount; ++k) {
      const auto dtype = static_cast<Dtype>(k);
      if (brief && k % 2 == 0) continue;
      same_steps(rule, dtype, location, 0.0, false);
      same_steps(rule, dtype, location, 1.0, false);
      if (is_half(dtype)) same_steps(rule, dtype, location, 0.5, true);
    }
  }
}

// Each thing that follows, and all of it.
void every_update_is_finished(const Location& location, bool brief) {
  mdbopt::Finish bounded, averaged, held, all;
  bounded.max_update = all.max_update = 0.25;
  bounded.l1 = all.l1 = 0.125;
  averaged.average = all.average = 0.75;
  held.cautious = all.cautious = true;
  held.cautious_weight_decay = all.cautious_weight_decay = true;
  for (std::size_t rule = 0; rule < mdbopt::rule_count(); ++rule) {
    if (!mdbopt::rule_description(rule).update) continue;
    for (const Dtype dtype : {Dtype::kFloat64, Dtype::kFloat32}) {
      for (const mdbopt::Finish& finish : {all, bounded, averaged, held}) {
        if (brief && (dtype == Dtype::kFloat64 || !finish.averages())) continue;
        same_steps(rule, dtype, location, 1.0, false, finish);
      }
    }
  }
}

// Moments in codes and gradients of half precision, rounded at random, with a bound of their norm.
void states_in_formats(const Location& location) {
  const std::size_t rule = mdbopt::find_rule("adam");
  const std::size_t streams = mdbopt::rule_description(rule).stream_count;
  constexpr Format kFormats[] = {Format::kRemainder, Format::kBFloat16, Format::kSignedCodes,
                                 Format::kUnsignedCodes};
  check::Random random(5);
  std::vector<Bytes> host;
  std::vector<OnDevice> there;
  const auto add = [&](Bytes bytes) {
    host.push_back(std::move(bytes));
    there.emplace_back(location, host.back(), 0);
  };
  for (const std::size_t size : kSizes) {
    for (std::size_t k = 0; k < 2; ++k) add(numbers(random, Dtype::kBFloat16, size, k == 1));
    for (std::size_t k = 0; k < 2; ++k) add(Bytes(mdbopt::blocks_of(size) * mdbopt::kBlockBytes));
    add(Bytes(size * sizeof(std::uint16_t)));
  }
  const std::size_t each = streams + 1;
  for (const bool on_device : {false, true}) {
    std::vector<void*> at;
    std::vector<std::vector<Layout>> layouts;
    std::vector<Job> jobs;
    at.reserve(host.size());
    layouts.reserve(kSizes.size());
    for (std::size_t j = 0; j < kSizes.size(); ++j) {
      std::vector<Layout>& own = layouts.emplace_back(streams + 2);
      const auto data = [&](std::size_t k) -> void* {
        return on_device ? there[j * each + k].data() : host[j * each + k].data();
      };
      for (std::size_t k = 0; k < streams; ++k) {
        at.push_back(data(k));
        if (kSizes[j] == 0) continue;
        own[k] = {data(k), mdbopt::stored_dtype(kFormats[k]), 0, nullptr, nullptr, kFormats[k],
                  true};
      }
      own[0].low = data(streams);
      Job& job = jobs.emplace_back(Job{at.data() + j * streams, kSizes[j], 0.1});
      job.layouts = own.data();
    }
    Updater updater(options_of(rule, false));
    for (int t = 1; t <= 3; ++t) {
      Updater::Call call{2.0, t == 2 ? 0.5 : 0.0};
      if (on_device) call.location = location;
      updater.step(Dtype::kFloat32, jobs, call);
    }
  }
  for (std::size_t k = 0; k < host.size(); ++k) {
    if (there[k].bytes(host[k].size()) != host[k]) {
      check::fail(__FILE__, __LINE__) << "in formats: array " << k << " differs\n";
    }
  }
}

// Squares out of range: the norm is taken twice.
void huge_gradients_are_clipped(const Location& location) {
  const std::size_t rule = mdbopt::find_rule("sgd");
  for (const double huge : {1e200, 1e-200}) {
    const std::vector<double> g = {huge, -2.0 * huge, 0.5 * huge};
    const std::vector<double> zero(g.size(), 0.0);
    const auto bytes = [](const std::vector<double>& values) {
      Bytes made(values.size() * sizeof(double));
      std::memcpy(made.data(), values.data(), made.size());
      return made;
    };
    Bytes x = bytes(zero);
    Bytes gradient = bytes(g);
    const OnDevice x_there(location, x, 0);
    const OnDevice g_there(location, gradient, 0);
    void* here[] = {x.data(), gradient.data()};
    void* there[] = {x_there.data(), g_there.data()};
    const Job job_here{here, g.size()};
    const Job job_there{there, g.size()};
    const double bound = huge > 1.0 ? 1.0 : 1e-210;
    Updater(options_of(rule, false)).step(Dtype::kFloat64, {&job_here, 1}, {1.0, bound});
    Updater(options_of(rule, false)).step(Dtype::kFloat64, {&job_there, 1}, {1.0, bound, location});
    CHECK(x_there.bytes(x.size()) == x);
    CHECK((huge > 1.0) == (x != bytes(zero)));
  }
}

void a_norm_is_given_on_both_sides(const Location& location) {
  const std::size_t rule = mdbopt::find_rule("adam");
  const Both both(rule, Dtype::kFloat32, location);
  Updater on_cpu(options_of(rule, false));
  Updater on_device(options_of(rule, false));
  const Updater::Group group{Dtype::kFloat32};
  const auto here = both.jobs(both.here_at, 0.25, false);
  const auto there = both.jobs(both.there_at, 0.25, false);
  const double norm = on_cpu.norm({&group, 1}, here, 3.0, {});
  CHECK_BITS(on_device.norm({&group, 1}, there, 3.0, location), norm);
  Updater::Call call{3.0, norm / 7.0};
  call.norm = norm;
  on_cpu.step(Dtype::kFloat32, here, call);
  call.location = location;
  on_device.step(Dtype::kFloat32, there, call);
  both.check_same("a norm that is given");
}

void numbers_are_read_when_the_step_runs(const Location& location) {
  const std::size_t rule = mdbopt::find_rule("adam");
  const Both both(rule, Dtype::kFloat32, location);
  Updater on_cpu(options_of(rule, false));
  Updater on_device(options_of(rule, false));
  const auto there = [&](float value) {
    Bytes bytes(sizeof value);
    std::memcpy(bytes.data(), &value, sizeof value);
    return OnDevice(location, bytes, 0);
  };
  const OnDevice lr = there(0.25F);
  const OnDevice scale = there(8.0F);
  const OnDevice found = there(1.0F);
  const OnDevice none = there(0.0F);
  Updater::Call call{1.0, 0.0, location};
  call.lr_there = {0.0, lr.data(), Dtype::kFloat32};
  call.grad_scale_there = {0.0, scale.data(), Dtype::kFloat32};
  for (const bool skip : {false, true, false}) {
    call.found_inf_there = {0.0, skip ? found.data() : none.data(), Dtype::kFloat32};
    on_device.step(Dtype::kFloat32, both.jobs(both.there_at, 0.0, false), call);
    if (!skip) on_cpu.step(Dtype::kFloat32, both.jobs(both.here_at, 0.25, false), {8.0, 0.0});
  }
  both.check_same("numbers on the device");
  CHECK_EQUAL(on_device.t(), std::uint64_t{2});
}

void numbers_move_with_the_arrays(const Location& location) {
  const std::size_t rule = mdbopt::find_rule("adagrad_norm");
  const Both both(rule, Dtype::kFloat64, location);
  Updater updater(options_of(rule, false));
  Updater same(options_of(rule, false));
  for (int k = 0; k < 2; ++k) {
    const auto here = both.jobs(both.here_at, 0.5, false);
    same.step(Dtype::kFloat64, here, {});
    updater.step(Dtype::kFloat64, both.jobs(both.there_at, 0.5, false), {1.0, 0.0, location});
  }
  CHECK_BITS(updater.numbers()[0].value, same.numbers()[0].value);
  updater.set_t(10);
  updater.set_number(updater.numbers()[0].name, 4.0);
  CHECK_EQUAL(updater.t(), std::uint64_t{10});
  updater.step(Dtype::kFloat64, both.jobs(both.here_at, 0.5, false), {});
  CHECK_EQUAL(updater.t(), std::uint64_t{11});
  CHECK(updater.numbers()[0].value > 4.0);
}

}  // namespace

// With an argument, for tools that slow every launch down: half of the dtypes.
int main(int count, char**) {
  const bool brief = count > 1;
  if (const std::string why = mdbopt::no_device_because(); !why.empty()) {
    std::cerr << "skipped: " << why << '\n';
    return 77;
  }
  const Location location{0, nullptr};
  every_update(location, brief);
  every_update_is_finished(location, brief);
  states_in_formats(location);
  huge_gradients_are_clipped(location);
  a_norm_is_given_on_both_sides(location);
  numbers_are_read_when_the_step_runs(location);
  numbers_move_with_the_arrays(location);
  CHECK_EQUAL(mdbopt::device_library().allocated(0), std::size_t{0});
  return check::result();
}
