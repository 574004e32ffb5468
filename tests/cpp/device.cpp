// device – every rule on a device gives the bits of the CPU, for every dtype, size and alignment.
//
// Skips where no device can be used; MDBOPT_CUDA_LIBRARY may name one that is emulated.
#include "runtime/device.h"

#include <algorithm>
#include <string>

#include "device_arrays.h"
#include "engine/launch.h"

using mdbopt::Description;
using mdbopt::Dtype;
using mdbopt::Execution;
using mdbopt::Job;
using mdbopt::Location;
using mdbopt::Role;

namespace {

// The arrays of one call: streams of each job, then its step sizes and copy where it has them.
struct Call {
  const Description& rule;
  std::size_t index;
  Dtype dtype;
  std::vector<std::size_t> sizes;
  bool extras;
  std::vector<Bytes> arrays;

  std::size_t per_job() const { return rule.stream_count + (extras ? 2 : 0); }

  Call(check::Random& random, std::size_t at, Dtype of, std::vector<std::size_t> job_sizes,
       bool with_extras)
      : rule(mdbopt::rule_description(at)),
        index(at),
        dtype(of),
        sizes(std::move(job_sizes)),
        extras(with_extras) {
    for (std::size_t size : sizes) {
      for (std::size_t k = 0; k < rule.stream_count; ++k) {
        const mdbopt::Stream& stream = rule.streams[k];
        const bool gradient = std::string(stream.name).rfind('g', 0) == 0;
        arrays.push_back(
            numbers(random, mdbopt::stored_dtype(stream.storage, dtype), size, gradient));
      }
      if (!extras) continue;
      arrays.push_back(numbers(random, mdbopt::arithmetic_dtype(dtype), size, false));
      arrays.push_back(numbers(random, Dtype::kBFloat16, size, false));
    }
  }

  // Runs on memory that starts at data[…]; returns sums and whether the rule was applied.
  std::vector<double> run(const std::vector<void*>& data, const Execution& execution) const {
    std::vector<double> scalars;
    for (std::size_t k = 0; k < rule.scalar_count; ++k) {
      const double fallback = rule.scalars[k].fallback;
      scalars.push_back(fallback == fallback ? fallback : 2.0);
    }
    std::vector<Job> jobs;
    for (std::size_t j = 0; j < sizes.size(); ++j) {
      Job job{data.data() + j * per_job(), sizes[j], 0.125};
      if (extras) {
        job.step_sizes = data[j * per_job() + rule.stream_count];
        if (dtype == Dtype::kFloat32) job.copy = data[j * per_job() + rule.stream_count + 1];
      }
      jobs.push_back(job);
    }
    const bool each = rule.scope == mdbopt::Scope::kArray;
    std::vector<double> sums(mdbopt::kMaxSums * (each ? jobs.size() : 1), 0.0);
    sums.push_back(mdbopt::launch(index, dtype, jobs, scalars.data(), sums.data(), execution));
    return sums;
  }
};

void same_on_device(const Call& call, const Location& location, std::size_t offset,
                    bool stochastic) {
  Execution on_cpu;
  on_cpu.stochastic = stochastic;
  on_cpu.key = 42;
  Execution on_device = on_cpu;
  on_device.location = location;
  std::vector<Bytes> expected = call.arrays;
  std::vector<void*> host;
  std::vector<OnDevice> there;
  std::vector<void*> device;
  for (Bytes& bytes : expected) host.push_back(bytes.data());
  for (std::size_t k = 0; k < call.arrays.size(); ++k) {
    const std::size_t count = call.sizes[k / call.per_job()];
    const std::size_t width = count > 0 ? call.arrays[k].size() / count : 1;
    there.emplace_back(location, call.arrays[k], offset * width);
    device.push_back(there.back().data());
  }
  const std::vector<double> sums = call.run(host, on_cpu);
  const std::vector<double> got = call.run(device, on_device);
  const std::string what = std::string(call.rule.name) + ' ' + info(call.dtype).name + " size " +
                           std::to_string(call.sizes.front()) + " offset " +
                           std::to_string(offset) + (stochastic ? " stochastic" : "");
  for (std::size_t k = 0; k < sums.size(); ++k) {
    if (!check::same_bits(sums[k], got[k])) {
      check::fail(__FILE__, __LINE__)
          << what << ": sum " << k << " is " << got[k] << ", expected " << sums[k] << '\n';
    }
  }
  for (std::size_t k = 0; k < expected.size(); ++k) {
    if (there[k].bytes(expected[k].size()) != expected[k]) {
      check::fail(__FILE__, __LINE__) << what << ": array " << k << " differs\n";
    }
  }
}

void every_rule(const Location& location, bool brief) {
  check::Random random(1);
  for (std::size_t rule = 0; rule < mdbopt::rule_count(); ++rule) {
    const Description& description = mdbopt::rule_description(rule);
    for (std::size_t k = 0; k < mdbopt::kDtypeCount; ++k) {
      const auto dtype = static_cast<Dtype>(k);
      if (brief && k % 2 == 0) continue;
      if (is_half(dtype) && !description.half) continue;
      const bool extras = description.takes_lr;
      same_on_device(Call(random, rule, dtype, {5000}, extras), location, 0, false);
      same_on_device(Call(random, rule, dtype, {1300}, extras), location, 1, false);
      same_on_device(Call(random, rule, dtype, {1, 1024, 33, 0, 2049, 256, 7}, false), location, 0,
                     false);
      if (description.update && is_half(dtype)) {
        same_on_device(Call(random, rule, dtype, {2000}, false), location, 0, true);
      }
    }
  }
}

// More chunks than one block folds, and more than two levels of blocks would if tiles were small.
void many_chunks(const Location& location, bool brief) {
  check::Random random(2);
  const std::size_t norm = mdbopt::find_rule("norm");
  const std::size_t each = mdbopt::find_rule("normalized_gd_array");
  for (std::size_t chunks : {2048U, 2049U, 4097U}) {
    if (brief && chunks != 2049) continue;
    const std::size_t size = mdbopt::kChunk * (chunks - 1) + 5;
    same_on_device(Call(random, norm, Dtype::kFloat32, {size}, false), location, 0, false);
    same_on_device(Call(random, each, Dtype::kFloat32, {5, size, 3000}, false), location, 0, false);
  }
}

void no_memory_is_kept(const Location& location) {
  mdbopt::device_library().synchronize(location);
  CHECK_EQUAL(mdbopt::device_library().allocated(location.device), std::size_t{0});
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
  every_rule(location, brief);
  many_chunks(location, brief);
  no_memory_is_kept(location);
  return check::result();
}
