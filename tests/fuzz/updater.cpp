// updater – an Updater of any rule with any options over arrays of any sizes: steps, or an Error.
//
// What it is given lies in blocks of its exact size, so that a step beyond them is seen. Two updaters that
// are told the same take the same steps, to the bit.
#include <mdbopt/error.h>
#include <mdbopt/updater.h>

#include <array>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <vector>

#include "input.h"

using fuzz::number;
using fuzz::require;
using fuzz::seldom;
using mdbopt::Dtype;
using mdbopt::Job;
using mdbopt::Updater;

namespace {

using Bytes = std::vector<unsigned char>;

// The arrays of a few jobs, each a block of its own.
class Arrays {
 public:
  Arrays(const mdbopt::Description& rule, std::span<const Updater::Group> groups,
         FuzzedDataProvider& input) {
    const std::size_t count = input.ConsumeIntegralInRange<std::size_t>(0, 4);
    for (std::size_t j = 0; j < count; ++j) {
      One& one = arrays_.emplace_back();
      one.variant = input.ConsumeIntegralInRange<std::size_t>(0, groups.size() - 1);
      one.size = input.ConsumeIntegralInRange<std::size_t>(0, 70);
      if (j == 0 && seldom(input, 32)) one.size += 1000;
      const Dtype dtype = groups[one.variant].dtype;
      for (std::size_t k = 0; k < rule.stream_count; ++k) {
        one.streams.push_back(
            filled(one.size, stored_dtype(rule.streams[k].storage, dtype), input));
      }
      one.lr = number(input);
      one.each_lr = input.ConsumeBool();
      one.rates = filled(one.each_lr ? one.size : 0, arithmetic_dtype(dtype), input);
      one.copies = dtype == Dtype::kFloat32 && input.ConsumeBool();
      one.copy = filled(one.copies ? one.size : 0, Dtype::kBFloat16, input);
      one.array = input.ConsumeBool() ? mdbopt::kInOrder
                                      : 5 * j + input.ConsumeIntegralInRange<std::size_t>(0, 4);
    }
  }

  std::span<const Job> jobs() {
    jobs_.clear();
    for (One& one : arrays_) {
      for (std::size_t k = 0; k < one.streams.size(); ++k) one.pointers[k] = one.streams[k].data();
      Job job{one.pointers.data(), one.size, one.lr};
      if (one.each_lr) job.step_sizes = one.rates.data();
      if (one.copies) job.copy = one.copy.data();
      job.variant = one.variant;
      job.array = one.array;
      jobs_.push_back(job);
    }
    return jobs_;
  }

  // Of all that steps write.
  std::vector<Bytes> bytes() const {
    std::vector<Bytes> all;
    for (const One& one : arrays_) {
      all.insert(all.end(), one.streams.begin(), one.streams.end());
      all.push_back(one.copy);
    }
    return all;
  }

 private:
  struct One {
    std::size_t size, variant, array;
    std::vector<Bytes> streams;
    Bytes rates, copy;
    double lr;
    bool each_lr, copies;
    std::array<void*, mdbopt::kMaxStreams> pointers;
  };

  // Repeats what the input has.
  static Bytes filled(std::size_t size, Dtype dtype, FuzzedDataProvider& input) {
    Bytes bytes(size * mdbopt::info(dtype).bytes);
    const Bytes pattern =
        input.ConsumeBytes<unsigned char>(input.ConsumeIntegralInRange<std::size_t>(0, 24));
    for (std::size_t i = 0; i < bytes.size() && !pattern.empty(); ++i)
      bytes[i] = pattern[i % pattern.size()];
    return bytes;
  }

  std::vector<One> arrays_;
  std::vector<Job> jobs_;
};

Updater::Options options_of(FuzzedDataProvider& input) {
  Updater::Options options;
  options.name = "fuzzed";
  options.rule = input.ConsumeIntegralInRange<std::size_t>(0, mdbopt::rule_count() + 1);
  if (seldom(input, 64)) options.rule = input.ConsumeIntegral<std::size_t>();
  std::size_t count = 0;
  if (options.rule < mdbopt::rule_count())
    count = mdbopt::rule_description(options.rule).scalar_count;
  if (seldom(input, 32)) count = input.ConsumeIntegralInRange<std::size_t>(0, 20);
  for (std::size_t k = 0; k < count; ++k) options.scalars.push_back(number(input));
  switch (input.ConsumeIntegralInRange<int>(0, 15)) {
    case 0:
      options.decay = input.ConsumeRandomLengthString(16);
      break;
    case 1:
      options.decay = "l2";
      break;
    default:
      break;
  }
  options.maximize = input.ConsumeBool();
  options.seed = input.ConsumeIntegral<std::uint64_t>();
  options.execution.threads = input.ConsumeIntegralInRange<std::size_t>(0, 3);
  options.execution.flush_subnormals = input.ConsumeBool();
  options.execution.stochastic = input.ConsumeBool();
  return options;
}

bool same_numbers(Updater& a, Updater& b) {
  for (std::size_t k = 0; k < a.numbers().size(); ++k) {
    const Updater::Number& left = a.numbers()[k];
    const Updater::Number& right = b.numbers()[k];
    if (!fuzz::same_bits(left.value, right.value) || left.each.size() != right.each.size())
      return false;
    for (std::size_t i = 0; i < left.each.size(); ++i) {
      if (!fuzz::same_bits(left.each[i], right.each[i])) return false;
    }
  }
  return a.t() == b.t();
}

void change(Updater& updater, Updater& twin, FuzzedDataProvider& input) {
  const auto both = [&](auto call) {
    call(updater);
    call(twin);
  };
  const std::string name = updater.numbers().empty() || input.ConsumeBool()
                               ? input.ConsumeRandomLengthString(8)
                               : updater.numbers().front().name;
  const double value = number(input);
  switch (input.ConsumeIntegralInRange<int>(0, 4)) {
    case 0: {
      const std::uint64_t t = input.ConsumeIntegral<std::uint64_t>();
      return both([&](Updater& one) { one.set_t(t); });
    }
    case 1:
      return both([&](Updater& one) { one.set_number(name, value); });
    case 2: {
      const std::vector<double> each(input.ConsumeIntegralInRange<std::size_t>(0, 30), value);
      return both([&](Updater& one) { one.set_number(name, each); });
    }
    case 3: {
      const mdbopt::Description& rule = updater.rule();
      const std::size_t k = input.ConsumeIntegralInRange<std::size_t>(0, rule.scalar_count - 1);
      return both([&](Updater& one) { one.set_scalar(rule.scalars[k].name, value); });
    }
    default: {
      const Updater::Options options = options_of(input);
      return both([&](Updater& one) {
        try {
          one.configure(options);
        } catch (const mdbopt::Error&) {
        }
      });
    }
  }
}

void run(FuzzedDataProvider& input) {
  const Updater::Options options = options_of(input);
  Updater updater(options), twin(options);
  std::vector<Updater::Group> groups(input.ConsumeIntegralInRange<std::size_t>(1, 3));
  const bool half = updater.rule().half;
  for (Updater::Group& group : groups) {
    group.dtype = static_cast<Dtype>(input.ConsumeIntegralInRange<int>(0, half ? 3 : 1));
    if (input.ConsumeBool()) group.decay = number(input);
  }
  Arrays arrays(updater.rule(), groups, input);
  Arrays others = arrays;
  for (int k = input.ConsumeIntegralInRange<int>(0, 4); k > 0; --k) {
    if (input.ConsumeBool()) change(updater, twin, input);
    Updater::Call call;
    call.grad_scale = number(input);
    if (input.ConsumeBool()) call.max_norm = number(input);
    if (input.ConsumeBool()) call.norm = number(input);
    const std::vector<Bytes> before = arrays.bytes();
    try {
      const double norm = updater.step(groups, arrays.jobs(), call);
      require(fuzz::same_bits(norm, twin.step(groups, others.jobs(), call)),
              "the same norm of the same step");
    } catch (const mdbopt::Error&) {
      require(arrays.bytes() == before, "nothing written by a step that was refused");
    }
    require(arrays.bytes() == others.bytes(), "the same arrays of the same steps");
    require(same_numbers(updater, twin), "the same numbers of the same steps");
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  return fuzz::run_input(data, size, run);
}
