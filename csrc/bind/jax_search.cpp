// jax_search – one judgement of a search whose state is a table of numbers and arrays, for XLA.
//
// Operands: f and the gradient at a point, the point, the table (the bits of a double or of a 64-bit whole
// number as two uint32 in each row), the arrays by the names in `arrays`, and as int32 whether x moved, the
// status, evaluations, accepted steps and whether the search has ended. Results: all but the first three, after it.
//
// With `begin` the point is that of the caller: a search that has none starts there; for another it has
// to be x, but for the rounding of the caller's x + (x' - x). Else it is the trial, and is judged.
// Numbers of a state are checked as those of a saved one; arrays are taken as they are, since looking at
// them would cost as much as the judgement.
#include <mdbopt/error.h>

#include <algorithm>
#include <cmath>
#include <memory>

#include "../search/search.h"
#include "jax.h"
#include "search_layout.h"
#include "xla_targets.h"

namespace mdbopt::bind {
namespace {

using search::Buffer;
using search::Range;

// Rows of the table before those of the search's own fields.
constexpr std::size_t kStarted = 0;
constexpr std::size_t kReach = 1;  // max|point| of the last begin
constexpr std::size_t kFirstField = 2;
constexpr std::size_t kNoRow = static_cast<std::size_t>(-1);

struct StateTable {
  char* memory;
  std::size_t rows;

  template <class Value>
  Value get(std::size_t row) const {
    static_assert(sizeof(Value) == 8);
    Value value;
    std::memcpy(&value, memory + 8 * row, 8);
    return value;
  }
  template <class Value>
  void set(std::size_t row, Value value) const {
    static_assert(sizeof(Value) == 8);
    std::memcpy(memory + 8 * row, &value, 8);
  }
};

struct StateArray {
  std::string name;
  char* memory;
  std::size_t bytes;
};

// What a field is read from and written to.
struct StateMemory {
  StateTable table;
  std::vector<StateArray> arrays;

  void* find(const std::string& field, const Buffer& value) const {
    const SearchPlace place = place_of(field);
    for (const StateArray& array : arrays) {
      if (array.name != place.name) continue;
      const std::size_t offset = place.row * value.bytes();
      if (offset + value.bytes() > array.bytes) break;
      return array.memory + offset;
    }
    throw Error("state: '" + field + "' has no room, expected a state of this search");
  }
};

class StateFields : public search::Fields {
 public:
  explicit StateFields(const StateMemory& memory) : memory_(memory) {}

 protected:
  std::size_t next_row() {
    if (row_ == memory_.table.rows)
      throw Error("state: numbers: too few, expected a state of this search");
    return row_++;
  }
  const StateMemory& memory_;

 private:
  std::size_t row_ = kFirstField;
};

class StateLoader final : public StateFields {
 public:
  using StateFields::StateFields;
  std::size_t next_pair = kNoRow;  // the slot that the next judgement writes

  bool loading() const override { return true; }
  void agree(const std::string& name, bool holds, const char* expected) override {
    if (!holds) throw Error("state: '" + name + "': expected " + expected);
  }
  void word(const std::string& name, const std::string& value) override {
    if (memory_.table.get<std::int64_t>(next_row()) != mark_of(value))
      throw Error("state: '" + name + "': expected that of '" + value + "' (as this search)");
  }
  void number(const std::string& name, double& value, const Range& range) override {
    const auto loaded = memory_.table.get<double>(next_row());
    if (!range.holds(loaded)) refuse(name, std::to_string(loaded));
    value = loaded;
  }
  void count(const std::string& name, std::int64_t& value, std::int64_t least,
             std::int64_t most) override {
    const auto loaded = memory_.table.get<std::int64_t>(next_row());
    if (loaded < least || loaded > most) refuse(name, std::to_string(loaded));
    value = loaded;
    if (name == "pairs_next") next_pair = static_cast<std::size_t>(loaded);
  }
  void array(const std::string& name, Buffer& value, const Range&) override {
    value.write(memory_.find(name, value));
  }

 private:
  [[noreturn]] static void refuse(const std::string& name, const std::string& came) {
    throw Error("state: '" + name + "' is " + came + ", expected one of this search");
  }
};

class StateSaver final : public StateFields {
 public:
  // Of the pairs, one alone may have changed: the others are there already.
  StateSaver(const StateMemory& memory, std::size_t changed_pair)
      : StateFields(memory), changed_pair_(changed_pair) {}

  void word(const std::string&, const std::string& value) override {
    memory_.table.set(next_row(), mark_of(value));
  }
  void number(const std::string&, double& value, const Range&) override {
    memory_.table.set(next_row(), value);
  }
  void count(const std::string&, std::int64_t& value, std::int64_t, std::int64_t) override {
    memory_.table.set(next_row(), value);
  }
  void array(const std::string& name, Buffer& value, const Range&) override {
    const SearchPlace place = place_of(name);
    if (place.name != name && changed_pair_ != kNoRow && place.row != changed_pair_) return;
    value.read(memory_.find(name, value));
  }

 private:
  std::size_t changed_pair_;
};

search::Options search_options(const XlaOptions& given) {
  search::Options options;
  options.method = given.text("method");
  options.gamma = given.get("gamma", options.gamma);
  options.initial_scale = given.get("initial_scale", options.initial_scale);
  options.forward = given.get("forward", options.forward);
  options.cocoercive = given.get("cocoercive", options.cocoercive);
  options.refine = given.get<std::int32_t>("refine", options.refine);
  options.gradient_direction = given.get("gradient_direction", options.gradient_direction);
  if (given.has("groups")) {
    const auto groups = given.get<ffi::Span<const std::int64_t>>("groups");
    options.groups.assign(groups.begin(), groups.end());
  }
  for (const auto& [name, to] :
       {std::pair{"lower", &options.lower}, {"upper", &options.upper}, {"l1", &options.l1}}) {
    if (!given.has(name)) continue;
    const auto numbers = given.get<ffi::Span<const double>>(name);
    to->assign(numbers.begin(), numbers.end());
  }
  options.memory = static_cast<std::size_t>(given.get<std::int64_t>("memory", 0));
  if (given.has("proposer")) options.proposer = given.text("proposer");
  options.execution.threads = static_cast<std::size_t>(given.get<std::int64_t>("threads", 0));
  if (given.has("backend"))
    options.execution.backend = &find_backend(given.text("backend").c_str());
  return options;
}

Tensor tensor_of(const ffi::AnyBuffer& buffer) {
  return {buffer.untyped_data(), buffer.element_count(), dtype_of(buffer), false};
}

double element(const Tensor& array, std::size_t i) {
  if (array.dtype == Dtype::kFloat64) return static_cast<const double*>(array.data)[i];
  return static_cast<double>(static_cast<const float*>(array.data)[i]);
}

double largest(const Tensor& array) {
  double most = 0.0;
  for (std::size_t i = 0; i < array.size; ++i) most = std::max(most, std::abs(element(array, i)));
  return most;
}

// The caller has added x' - x to x: what that rounds depends on the larger of the two.
void check_point(const Tensor& point, const Tensor& x, double reach) {
  const double slack = 4.0 * epsilon_of(x.dtype) * std::max(reach, largest(x));
  for (std::size_t i = 0; i < x.size; ++i) {
    if (std::abs(element(point, i) - element(x, i)) <= slack) continue;
    throw Error("params: element " + std::to_string(i) + " is " +
                std::to_string(element(point, i)) + ", expected " + std::to_string(element(x, i)) +
                ", where the last update led; to go on elsewhere, call init");
  }
}

class XlaJudgement {
 public:
  XlaJudgement(const XlaArrays& arrays, const XlaOptions& given) : arrays_(arrays), given_(given) {
    memory_.table = {static_cast<char*>(arrays.carried(kTable, 0)),
                     arrays.operand(kTable).size_bytes() / 8};
    std::string_view names = given.get<std::string_view>("arrays");
    for (std::size_t k = 1; !names.empty(); ++k) {
      const std::size_t end = std::min(names.find(','), names.size());
      memory_.arrays.push_back({std::string(names.substr(0, end)),
                                static_cast<char*>(arrays.carried(kTable + k, k)),
                                arrays.operand(kTable + k).size_bytes()});
      names.remove_prefix(std::min(end + 1, names.size()));
    }
    const std::size_t last = memory_.arrays.size() + 1;
    told_ = static_cast<std::int32_t*>(arrays.carried(kTable + last, last));
  }

  void run() {
    const double f = arrays_.number(0);
    const Tensor g = tensor_of(arrays_.operand(1));
    const Tensor point = tensor_of(arrays_.operand(2));
    const bool started = memory_.table.get<std::int64_t>(kStarted) != 0;
    const bool begins = given_.get<bool>("begin");
    if (begins && started) {
      check_point(point, x_like(point), memory_.table.get<double>(kReach));
      told_[0] = 0;
    } else if (begins) {
      search_ = search::make(search_options(given_));
      search_->init(point, f, g);
      save(kNoRow);
    } else {
      judge(f, g);
    }
    if (begins) {
      memory_.table.set(kStarted, std::int64_t{1});
      memory_.table.set(kReach, largest(point));
    }
  }

 private:
  static constexpr std::size_t kTable = 3;

  Tensor x_like(const Tensor& point) const {
    for (const StateArray& array : memory_.arrays) {
      if (array.name == "x") return {array.memory, point.size, point.dtype, false};
    }
    throw Error("state: 'x' is missing");
  }
  void judge(double f, const Tensor& g) {
    StateLoader loader(memory_);
    search_ = search::make(search_options(given_), g.size, g.dtype);
    search_->fields(loader);
    search_->loaded();
    if (search_->converged(0.0)) return tell(false);
    search_->propose();
    const bool moved = search_->judge(f, g);
    // Where a face closes, all pairs change.
    save(given_.has("lower") || given_.has("l1") ? kNoRow : loader.next_pair);
    tell(moved);
  }
  void save(std::size_t changed_pair) {
    StateSaver saver(memory_, changed_pair);
    search_->fields(saver);
    tell(false);
  }
  void tell(bool moved) {
    constexpr std::int64_t kMost = std::numeric_limits<std::int32_t>::max();
    told_[0] = moved;
    told_[1] = static_cast<std::int32_t>(search_->status());
    told_[2] = static_cast<std::int32_t>(std::min(search_->evaluations(), kMost));
    told_[4] = search_->converged(0.0);
    told_[3] = static_cast<std::int32_t>(std::min(search_->accepted(), kMost));
  }

  const XlaArrays& arrays_;
  const XlaOptions& given_;
  StateMemory memory_;
  std::int32_t* told_;
  std::unique_ptr<search::Search> search_;
};

ffi::Error search_by_xla(ffi::RemainingArgs operands, ffi::RemainingRets results,
                         ffi::Dictionary attributes) {
  return returned([&] {
    const XlaArrays arrays(operands, results);
    const XlaOptions options(attributes);
    XlaJudgement(arrays, options).run();
  });
}

XLA_FFI_Error* xla_search(XLA_FFI_CallFrame* frame) {
  XLA_FFI_DEFINE_HANDLER(handler, search_by_xla,
                         ffi::Ffi::Bind().RemainingArgs().RemainingRets().Attrs());
  return handler(frame);
}

const EnteredXlaTarget g_entered("mdbopt_search", reinterpret_cast<void*>(&xla_search));

}  // namespace
}  // namespace mdbopt::bind
