// jax_update – one step of a first-order optimizer over all arrays of its parameters, for XLA.
//
// Operands: numbers of this step by the names in `told` (float32 or float64), the count of steps (int32), the
// optimizer's own numbers (the bits of a double as two uint32, each), then parameters, gradients and each
// of the rule's arrays, one after the other, for all leaves; then an average where one is kept and low bits where
// parameters have them. Results: the same without the numbers of this step and the gradients.
#include <mdbopt/error.h>
#include <mdbopt/updater.h>

#include <algorithm>
#include <limits>

#include "../engine/layout.h"
#include "codes.h"
#include "jax.h"
#include "xla_targets.h"

namespace mdbopt::bind {
namespace {

Updater::Options update_options(const XlaOptions& given) {
  Updater::Options options;
  options.name = given.text("name");
  options.rule = find_rule(given.text("rule").c_str());
  const auto scalars = given.get<ffi::Span<const double>>("scalars");
  options.scalars.assign(scalars.begin(), scalars.end());
  options.decay = given.text("decay");
  options.maximize = given.get<bool>("maximize");
  options.seed = static_cast<std::uint64_t>(given.get<std::int64_t>("seed"));
  options.execution.stochastic = given.get<bool>("stochastic");
  options.execution.flush_subnormals = given.get<bool>("flush_subnormals");
  options.execution.threads = static_cast<std::size_t>(given.get<std::int64_t>("threads"));
  if (given.has("backend"))
    options.execution.backend = &find_backend(given.text("backend").c_str());
  options.finish.max_update = given.get<double>("max_update", 0.0);
  options.finish.l1 = given.get<double>("l1");
  if (given.has("average")) options.finish.average = given.get<double>("average");
  options.finish.cautious = given.get<bool>("cautious");
  options.finish.cautious_weight_decay = given.get<bool>("cautious_weight_decay");
  return options;
}

// The words between commas.
std::vector<std::string> words_of(std::string_view text) {
  std::vector<std::string> words;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(','), text.size());
    words.emplace_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return words;
}

// What the step of a call is made of: its options, numbers and jobs.
class XlaStep {
 public:
  XlaStep(const XlaArrays& arrays, const XlaOptions& given)
      : arrays_(arrays), given_(given), updater_(update_options(given)) {
    for (const std::string& name : words_of(given.get<std::string_view>("formats"))) {
      formats_.push_back(name == "plain" ? Format::kPlain : format_named(name));
      formatted_ = formatted_ || formats_.back() != Format::kPlain;
    }
  }

  void take() {
    double lr = given_.get<double>("lr");
    Updater::Call call{1.0, given_.get<double>("max_norm", 0.0)};
    for (const std::string& name : words_of(given_.get<std::string_view>("told"))) {
      const double value = arrays_.number(operand_++);
      if (name == "lr")
        lr = value;
      else if (name == "max_norm")
        call.max_norm = value;
      else
        updater_.set_scalar(name, value);
    }
    if (!(lr >= 0.0 && lr <= std::numeric_limits<double>::max())) {
      throw Error(updater_.options().name + ": lr: expected a finite number >= 0, got " +
                  std::to_string(lr));
    }
    if (!(call.max_norm >= 0.0)) {
      throw Error(updater_.options().name + ": max_norm: expected a number > 0, got " +
                  std::to_string(call.max_norm));
    }
    auto* count = static_cast<std::int32_t*>(carry());
    if (*count < 0) {
      throw Error(updater_.options().name + ": state: count: expected a number >= 0, got " +
                  std::to_string(*count));
    }
    updater_.set_t(static_cast<std::uint64_t>(*count));
    const std::vector<void*> numbers = read_numbers();
    list_jobs(lr);
    if (!jobs_.empty()) updater_.step(groups_, jobs_, call);
    for (std::size_t k = 0; k < numbers.size(); ++k) {
      const Updater::Number& number = updater_.numbers()[k];
      const std::span<const double> values = updater_.keeps_each()
                                                 ? std::span<const double>(number.each)
                                                 : std::span<const double>(&number.value, 1);
      if (!values.empty()) std::memcpy(numbers[k], values.data(), values.size_bytes());
    }
    // It stays at the largest number.
    if (*count < std::numeric_limits<std::int32_t>::max()) ++*count;
  }

 private:
  // Takes what numbers there are from their operands; tells where these are carried.
  std::vector<void*> read_numbers() {
    const bool each = updater_.keeps_each();
    const auto leaves = static_cast<std::size_t>(given_.get<std::int64_t>("leaves"));
    std::vector<void*> numbers;
    for (const Updater::Number& number : updater_.numbers()) {
      numbers.push_back(carry());
      std::vector<double> values(each ? leaves : 1);
      if (!values.empty()) {
        std::memcpy(values.data(), numbers.back(), values.size() * sizeof(double));
      }
      if (each)
        updater_.set_number(number.name, std::span<const double>(values));
      else
        updater_.set_number(number.name, values[0]);
    }
    return numbers;
  }

  void* carry() { return arrays_.carried(operand_++, result_++); }

  void list_jobs(double lr) {
    const auto leaves = static_cast<std::size_t>(given_.get<std::int64_t>("leaves"));
    const std::size_t width = formats_.size();
    const bool finished = updater_.options().finish.any();
    const auto decays =
        given_.get<ffi::Span<const double>>("decays", ffi::Span<const double>(nullptr, 0));
    const bool master = formats_[0] == Format::kRemainder;
    streams_.resize(leaves * width);
    layouts_.reserve(leaves);
    for (std::size_t k = 0; k < leaves; ++k) {
      streams_[k * width] = arrays_.carried(operand_ + k, result_ + k);
      streams_[k * width + 1] = arrays_.operand(operand_ + leaves + k).untyped_data();
      for (std::size_t s = 2; s < width; ++s) {
        streams_[k * width + s] =
            arrays_.carried(operand_ + s * leaves + k, result_ + (s - 1) * leaves + k);
      }
      void* low = master ? arrays_.carried(operand_ + width * leaves + k,
                                           result_ + (width - 1) * leaves + k)
                         : nullptr;
      const ffi::AnyBuffer x = arrays_.operand(operand_ + k);
      if (x.element_count() == 0) continue;
      const Dtype dtype = dtype_of(x);
      const Dtype gradient = dtype_of(arrays_.operand(operand_ + leaves + k));
      const bool opened = formatted_ || gradient != dtype || (finished && is_half(dtype));
      Updater::Group group{opened ? arithmetic_dtype(dtype) : dtype};
      if (decays.size() > 0) group.decay = decays.begin()[k];
      const auto found = std::find(groups_.begin(), groups_.end(), group);
      Job job{streams_.data() + k * width, x.element_count(), lr};
      job.array = k;
      job.variant = static_cast<std::size_t>(found - groups_.begin());
      if (opened) job.layouts = lay_out(job, dtype, gradient, low);
      if (found == groups_.end()) groups_.push_back(group);
      jobs_.push_back(job);
    }
  }

  // Of a job that is walked as float32, all arrays dense.
  const Layout* lay_out(const Job& job, Dtype dtype, Dtype gradient, void* low) {
    std::vector<Layout>& layouts = layouts_.emplace_back(formats_.size() + 2);
    for (std::size_t k = 0; k < formats_.size(); ++k) {
      Format format = formats_[k];
      if (k < 2 && format == Format::kPlain) format = format_of(k == 0 ? dtype : gradient);
      if (format == Format::kPlain) continue;
      Layout& layout = layouts[k];
      layout.data = job.streams[k];
      layout.dtype = stored_dtype(format);
      layout.format = format;
      layout.stochastic =
          k == 0 ? given_.get<bool>("stochastic") : given_.get<bool>("stochastic_state");
    }
    layouts[0].low = low;
    return layouts.data();
  }

  const XlaArrays& arrays_;
  const XlaOptions& given_;
  Updater updater_;
  std::size_t operand_ = 0, result_ = 0;
  std::vector<Format> formats_;  // by stream, that of an average behind the rule's
  bool formatted_ = false;
  std::vector<void*> streams_;
  std::vector<std::vector<Layout>> layouts_;  // by job that has any
  std::vector<Updater::Group> groups_;
  std::vector<Job> jobs_;
};

ffi::Error update_by_xla(ffi::RemainingArgs operands, ffi::RemainingRets results,
                         ffi::Dictionary attributes) {
  return returned([&] {
    const XlaArrays arrays(operands, results);
    const XlaOptions options(attributes);
    XlaStep(arrays, options).take();
  });
}

XLA_FFI_Error* xla_update(XLA_FFI_CallFrame* frame) {
  XLA_FFI_DEFINE_HANDLER(handler, update_by_xla,
                         ffi::Ffi::Bind().RemainingArgs().RemainingRets().Attrs());
  return handler(frame);
}

const EnteredXlaTarget g_entered("mdbopt_update", reinterpret_cast<void*>(&xla_update));

}  // namespace
}  // namespace mdbopt::bind
