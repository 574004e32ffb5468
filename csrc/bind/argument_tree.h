// argument_tree – parameters, gradients and state as parallel nested lists, tuples and dicts of arrays, read
// leaf by leaf into the jobs of a step.
#pragma once

#include <mdbopt/updater.h>
#include <pybind11/pybind11.h>

#include <algorithm>
#include <cstdint>
#include <deque>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "../engine/format.h"
#include "containers.h"
#include "dlpack.h"
#include "numpy.h"

namespace mdbopt::bind {

// A place in a tree, for messages: the keys from the root down.
struct Path {
  const Path* above = nullptr;
  pybind11::handle key = {};  // of a dict; else `index` counts
  Py_ssize_t index = 0;

  std::string below(const std::string& root) const;
};

// The trees of one step: params, grads, the state's, and what else comes. All have the structure of
// params, but that a missing gradient (None) leaves out what stands there, and that a step size or a
// decay may be a number for all below it. None among the params is nothing.
struct ArgumentTrees {
  std::string optimizer;  // in messages
  std::vector<std::string>
      names;  // of params, grads, the state's streams and, behind them, an average
  std::vector<pybind11::object> roots;
  pybind11::object lr, copy, decay;  // None when absent
  // For each of the params the runs of rows that are stepped, an array of int64 with a Run in each row, or
  // None where all are; gradients have those rows alone. Checked, but for the gradients. None when absent.
  pybind11::object rows;
  double one_decay = 0.0;  // of all params, where `decay` is absent
  // Of the streams, where it is not that of the dtype; how what they store is rounded; and the low bits of
  // the params, a tree as those of the state.
  std::vector<Format> formats;
  bool finished = false;  // whether a finish follows the update, which takes no half precision
  bool stochastic = false, stochastic_state = false;
  pybind11::object low;

  bool formatted() const {
    return std::any_of(formats.begin(), formats.end(),
                       [](Format format) { return format != Format::kPlain; });
  }
  // Where an element has its place by its number alone.
  bool by_number() const {
    return std::any_of(formats.begin(), formats.end(), [](Format format) {
      return is_codes(format) || format == Format::kRemainder;
    });
  }
};

// Rows one behind the other, from `first` on: where their gradients begin, and the steps they missed.
struct Run {
  std::int64_t first, gradient, count, missed;
};

// An array of a leaf; its memory is the owner's.
struct Found {
  bool given = false;
  View view;
  const std::int64_t* strides = nullptr;  // in bytes; null: row-major, and aligned
};

// An array of NumPy's or PyTorch's as it was seen.
struct Fingerprint {
  ArrayFingerprint array;
  TensorFingerprint tensor;

  bool remember(pybind11::handle object) {
    return array.remember(object) || tensor.remember(object);
  }
  bool still(pybind11::handle object) const { return array.still(object) || tensor.still(object); }
};

// The leaves of a step, checked. What was found is remembered: when all arrays of the next step are
// NumPy's or PyTorch's and are as they were, looking at each is all that is left to do. Gradients of
// PyTorch's, which are new tensors in each step, may lie elsewhere then.
class Leaves {
 public:
  Leaves() = default;
  ~Leaves() { release(); }
  Leaves(const Leaves&) = delete;
  Leaves& operator=(const Leaves&) = delete;

  // Reads the trees; throws TypeError or Error that names the place, or DeviceError. All arrays are
  // held until release(), which comes before the next call, so that other threads cannot free them
  // meanwhile; but a few small ones of NumPy, which are updated faster than the interpreter is handed
  // over.
  void read(const Description& rule, const ArgumentTrees& trees, const Accepted& accepted);
  // As read(), of the objects that were read the last time, which the caller still holds, all of them
  // tensors of PyTorch: with gradients as C++ objects, and step sizes and decays by leaf. False when one
  // is not what it was, or has to be read in another way; read() does it then.
  bool read_again(std::span<const char* const> gradients, std::span<const double> rates,
                  std::span<const double> decays);
  bool held() const { return !held_.empty(); }
  void release();

  std::vector<Job> jobs;
  std::vector<Updater::Group> groups;  // of the jobs' variants; at least one
  std::size_t elements = 0;
  // Tensors of PyTorch that the caller sees written: params and copies.
  std::vector<pybind11::handle> counting_versions;
  // The arrays of codes that got a unit of NaN since they were last asked for, as messages name them.
  std::vector<std::string> take_not_finite();
  pybind11::handle first() const { return first_leaf_; }  // of the params
  // Of all arrays.
  Location location() const { return device_ < 0 ? Location{} : where_.location(); }
  const CallStream& where() const { return where_; }

 private:
  struct Nodes;
  // What comes beside the rule's streams, by place behind them.
  enum Beside : std::size_t { kRates, kCopy, kLow, kDecay, kRows };
  std::size_t tree_of(Beside beside) const { return stream_count() + beside; }
  // Of the rule, and of an average behind them.
  std::size_t stream_count() const { return trees_->roots.size(); }
  // The memory of one array, and which it is: the tree-th of a leaf.
  struct Range {
    const char* begin;
    const char* end;
    std::size_t leaf, tree;
    bool operator==(const Range&) const = default;
  };
  Nodes roots() const;
  bool are_many() const;
  bool recall(const Nodes& nodes, int depth);
  bool recall_leaf(const Nodes& nodes);
  bool recall_gradient(pybind11::handle gradient);
  bool recall_all();
  void read_all();
  void remember(const Nodes& nodes);
  std::optional<std::pair<Range, Range>> find_overlap();
  void check_separate();
  void hold(const Nodes& nodes);
  void visit(const Nodes& nodes, const Path& path);
  void check_size(const Nodes& nodes, std::size_t tree, Py_ssize_t size, const Path& path) const;
  [[noreturn]] void changed_size(std::size_t tree, const Path& path) const;
  void visit_sequence(Nodes nodes, const Path& path, Py_ssize_t size);
  void visit_dict(const Nodes& nodes, const Path& path);
  void leaf(const Nodes& nodes, const Path& path);
  void add_job(const Path& path, Job job, bool walked, bool opened);
  void add_rows(const Path& path, const Job& job, const std::optional<double>& decay, bool walked,
                bool opened);
  void check_rows(const Path& path) const;
  void read_rows(PyObject* node);
  // What an array of a leaf has; of gradients, the rows that are given.
  std::vector<std::int64_t> shape_of(std::size_t tree, const Found& parameter) const;
  void look(Found& found, pybind11::handle object, std::size_t tree, const Path& path,
            CallStream& where, Dtype dtype);
  void convert(Found& found, pybind11::handle object, std::size_t tree, const Path& path,
               Dtype dtype);
  void hold(pybind11::handle object);
  void expect(const Tensor& parameter);
  bool fits(const Found& found, std::size_t tree, const Found& parameter) const;
  void refuse(const Found& found, std::size_t tree, const Found& parameter, const Path& path) const;
  void check(const Found& found, std::size_t tree, const Found& parameter, const Path& path) const {
    if (!fits(found, tree, parameter)) refuse(found, tree, parameter, path);
  }
  bool is_walked(const Found& found, std::size_t tree, Dtype dtype) const {
    return found.strides == nullptr && found.view.tensor.dtype == expected(tree, dtype);
  }
  // Where arrays lie in the order of the walk: sets their pointers or the job's layouts. `opened`: as
  // float32, whatever they are stored as.
  void arrange(const Path& path, Job& job, bool opened);
  Format format_of(std::size_t tree, Dtype stored, Dtype walked) const;
  Accepted accepting(std::size_t tree) const;
  void check_formats(const Path& path) const;
  void read_lr(Found& found, pybind11::handle lr, const Found& parameter, const Path& path,
               Job& job);
  double number(pybind11::handle node, std::size_t tree, const Path& path) const;
  [[noreturn]] void refuse_group(std::size_t group, const Path& path) const;
  std::size_t group_of(Dtype dtype, const std::optional<double>& decay);
  const std::string& name_of(std::size_t tree) const;
  std::string named(std::size_t tree, const Path& path) const;

  void find_ranges();
  std::optional<std::pair<Range, Range>> sort_written();
  void remember_memory();
  const void* memory_of(const Job& job, std::size_t tree) const;
  const Layout* layout_of(const Range& range) const;
  bool share(const Range& a, const Range& b) const;
  std::string named(const Range& range) const;
  [[noreturn]] void overlapping(const Range& a, const Range& b) const;

  std::span<const Run> runs_;  // of the leaf that is being read
  bool by_rows_ = false;       // whether it has any, of so many rows
  std::int64_t rows_ = 0;
  std::vector<std::size_t> leaf_numbers_;  // by job
  std::size_t leaf_count_ = 0;
  const Description* rule_ = nullptr;
  const ArgumentTrees* trees_ = nullptr;
  Accepted accepted_;
  bool first_ = true;
  std::size_t arrays_ = 0;  // met so far, those without a gradient among them
  int depth_ = 0;           // of the node that is being read
  pybind11::handle first_leaf_;
  bool hold_ = true;
  CallStream where_;
  int device_ = -1;                               // of all arrays
  Dtype expected_[kDtypeCount][kMaxStreams + 4];  // by the parameter's dtype and tree
  bool written_[kMaxStreams + 4];
  Dtype expected(std::size_t tree, Dtype dtype) const {
    return expected_[static_cast<std::size_t>(dtype)][tree];
  }
  Dtype dtype_of(const Job& job) const { return groups[job.variant].dtype; }
  Found found_[kMaxStreams + 4];  // of the leaf that is being read: by stream, then Beside
  std::vector<void*> pointers_;
  // Of jobs that have layouts: by stream, that of an average among them, then of lr and copy; and their axes. Pointers lead into the
  // inner vectors, here and below, which stay where they are when the outer one grows.
  std::vector<std::vector<Layout>> layouts_;
  std::vector<std::vector<std::int64_t>> axes_;
  // Of arrays of codes; layouts lead into it.
  struct NotFinite {
    std::uint32_t found;
    std::size_t leaf, tree;
  };
  std::deque<NotFinite> not_finite_;
  mutable Containers containers_;
  std::vector<PyObject*> held_;
  std::vector<Borrowed> borrowed_;  // those that a glance does not read
  std::vector<std::vector<std::int64_t>> strides_;
  std::vector<Fingerprint> fingerprints_;  // by leaf and tree
  std::vector<PyObject*> remembered_;      // whose they are, for as long as the caller holds them
  bool recallable_ = false;                // so far, while they are read
  bool can_recall_ = false;
  std::size_t recalled_ = 0;
  bool moved_ = false;  // whether a gradient lies elsewhere, while they are recalled
  std::vector<std::optional<double>> decays_;  // by leaf
  // What the check for overlap depends on, now and at the last check; its working memory.
  std::vector<std::uintptr_t> memory_, checked_memory_;
  bool interleaved_ = false;  // whether memory of one written array lies between that of another
  std::vector<Range> ranges_written_, ranges_read_, checked_written_, sorted_;
};

}  // namespace mdbopt::bind
