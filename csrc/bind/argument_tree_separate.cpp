// argument_tree_separate – what a step writes lies apart from all else that it touches.
#include <mdbopt/error.h>

#include <algorithm>
#include <utility>

#include "nodes.h"

namespace py = pybind11;

namespace mdbopt::bind {

const Layout* Leaves::layout_of(const Range& range) const {
  const Layout* layouts = jobs[range.leaf].layouts;
  const bool dense =
      layouts == nullptr || range.tree == tree_of(kLow) || layouts[range.tree].data == nullptr;
  return dense ? nullptr : layouts + range.tree;
}

const void* Leaves::memory_of(const Job& job, std::size_t tree) const {
  if (tree < stream_count()) return job.streams[tree];
  if (tree == tree_of(kRates)) return job.step_sizes;
  if (tree == tree_of(kCopy)) return job.copy;
  return job.layouts == nullptr ? nullptr : job.layouts[0].low;
}

void Leaves::find_ranges() {
  ranges_written_.clear();
  ranges_read_.clear();
  for (std::size_t leaf = 0; leaf < jobs.size(); ++leaf) {
    const Job& job = jobs[leaf];
    for (std::size_t tree = 0; tree < tree_of(kDecay); ++tree) {
      const void* data = memory_of(job, tree);
      if (data == nullptr || job.size == 0) continue;
      Range range{static_cast<const char*>(data), nullptr, leaf, tree};
      if (const Layout* layout = layout_of(range)) {
        range.end = range.begin + info(layout->dtype).bytes;
        for (int k = 0; k < layout->rank; ++k) {
          const std::int64_t reach = (layout->shape[k] - 1) * layout->strides[k];
          (reach < 0 ? range.begin : range.end) += reach;
        }
      } else {
        range.end = range.begin + job.size * info(expected(tree, dtype_of(job))).bytes;
      }
      (written_[tree] ? ranges_written_ : ranges_read_).push_back(range);
    }
  }
}

// Whether two arrays have an element in common. NumPy knows for any strides; where it would take too
// long, they count as if they had.
bool Leaves::share(const Range& a, const Range& b) const {
  const auto view = [&](const Range& range) {
    const Job& job = jobs[range.leaf];
    const Dtype dtype = expected(range.tree, dtype_of(job));
    const Layout dense{const_cast<char*>(range.begin), dtype};
    const Layout* own = layout_of(range);
    const Layout& layout = own == nullptr ? dense : *own;
    const auto width = static_cast<py::ssize_t>(info(layout.dtype).bytes);
    std::vector<py::ssize_t> shape{static_cast<py::ssize_t>(job.size)}, strides{width};
    if (own != nullptr) {
      shape.assign(layout.shape, layout.shape + layout.rank);
      strides.assign(layout.strides, layout.strides + layout.rank);
    }
    return py::array(py::dtype("V" + std::to_string(width)), shape, strides, layout.data,
                     py::none());
  };
  if (layout_of(a) == nullptr && layout_of(b) == nullptr) return true;
  const py::module_ numpy = py::module_::import("numpy");
  constexpr int kMostWork = 100'000;
  try {
    return numpy.attr("shares_memory")(view(a), view(b), kMostWork).cast<bool>();
  } catch (const py::error_already_set& error) {
    if (!error.matches(numpy.attr("exceptions").attr("TooHardError"))) throw;
    return true;
  }
}

// What the check for overlap depends on.
void Leaves::remember_memory() {
  const auto address = [](const void* data) { return reinterpret_cast<std::uintptr_t>(data); };
  memory_.clear();
  for (void* data : pointers_) memory_.push_back(address(data));
  for (const Job& job : jobs) {
    const auto dtype = static_cast<std::uintptr_t>(dtype_of(job));
    memory_.insert(memory_.end(), {job.size, dtype, address(job.step_sizes), address(job.copy)});
    if (job.layouts == nullptr) continue;
    for (std::size_t k = 0; k < stream_count() + 2; ++k) {
      const Layout& layout = job.layouts[k];
      memory_.push_back(address(layout.data));
      memory_.push_back(address(layout.low));
      memory_.push_back(static_cast<std::uintptr_t>(layout.dtype));
      const auto rank = static_cast<std::size_t>(layout.rank);
      memory_.insert(memory_.end(), layout.shape, layout.shape + rank);
      memory_.insert(memory_.end(), layout.strides, layout.strides + rank);
    }
  }
}

// By where they begin; gives two that overlap.
std::optional<std::pair<Leaves::Range, Leaves::Range>> Leaves::sort_written() {
  sorted_ = ranges_written_;
  std::sort(sorted_.begin(), sorted_.end(),
            [](const Range& a, const Range& b) { return a.begin < b.begin; });
  interleaved_ = false;
  std::vector<Range> open;  // that reach beyond the begin of the next one
  for (const Range& range : sorted_) {
    std::erase_if(open, [&](const Range& before) { return before.end <= range.begin; });
    for (const Range& before : open) {
      if (share(before, range)) return {{before, range}};
      interleaved_ = true;
    }
    open.push_back(range);
  }
  return {};
}

// Two arrays that overlap, of which one is written; the same memory was checked before.
std::optional<std::pair<Leaves::Range, Leaves::Range>> Leaves::find_overlap() {
  remember_memory();
  if (memory_ == checked_memory_) return {};
  checked_memory_.clear();
  find_ranges();
  const bool dense = layouts_.empty();
  if (!dense || ranges_written_ != checked_written_) {
    checked_written_.clear();
    if (const auto both = sort_written()) return both;
    if (dense) checked_written_ = ranges_written_;
  }
  for (const Range& range : ranges_read_) {
    auto next = sorted_.begin();
    if (!interleaved_) {  // else they do not end in the order in which they begin
      next = std::upper_bound(
          sorted_.begin(), sorted_.end(), range.begin,
          [](const char* begin, const Range& written) { return begin < written.end; });
    }
    for (; next != sorted_.end() && next->begin < range.end; ++next) {
      if (range.begin < next->end && share(*next, range)) return {{*next, range}};
    }
  }
  checked_memory_ = memory_;
  return {};
}

void Leaves::check_separate() {
  if (const auto both = find_overlap()) overlapping(both->first, both->second);
}

// The range's name, by a walk to its leaf.
std::string Leaves::named(const Range& range) const {
  std::size_t left = leaf_numbers_[range.leaf];
  std::string found;
  const auto find = [&](const auto& self, PyObject* node, PyObject* grad,
                        const Path& path) -> bool {
    if (node == nullptr || node == Py_None || grad == nullptr || grad == Py_None) return false;
    if (is_sequence(node)) {
      for (Py_ssize_t k = 0; is_sequence(grad) && k < std::min(length(node), length(grad)); ++k) {
        if (self(self, containers_.item(node, k), containers_.item(grad, k), {&path, {}, k})) {
          return true;
        }
      }
      return false;
    }
    if (PyDict_Check(node)) {
      PyObject* key = nullptr;
      PyObject* value = nullptr;
      for (Py_ssize_t at = 0; PyDict_Check(grad) && containers_.next(node, at, key, value);) {
        if (self(self, value, containers_.value(grad, key), {&path, key})) return true;
      }
      return false;
    }
    if (left-- > 0) return false;
    found = path.below(name_of(range.tree));
    return true;
  };
  find(find, trees_->roots[0].ptr(), trees_->roots[kGrads].ptr(), Path{});
  PyErr_Clear();                                       // of keys that cannot be compared
  return found.empty() ? name_of(range.tree) : found;  // others may have changed the trees
}

std::vector<std::string> Leaves::take_not_finite() {
  std::vector<std::string> names;
  for (NotFinite& array : not_finite_) {
    if (std::exchange(array.found, 0) != 0) {
      names.push_back(named({nullptr, nullptr, array.leaf, array.tree}));
    }
  }
  return names;
}

void Leaves::overlapping(const Range& a, const Range& b) const {
  throw Error(trees_->optimizer + ": " + named(b) + " overlaps " + named(a) +
              ", expected separate memory since one of them is written");
}

}  // namespace mdbopt::bind
