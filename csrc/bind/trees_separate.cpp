// trees_separate – what a step writes lies apart from all else that it touches.
#include <algorithm>

#include "../error.h"
#include "nodes.h"

namespace py = pybind11;

namespace mdbopt::bind {

void Leaves::find_ranges() {
  ranges_written_.clear();
  ranges_read_.clear();
  const std::size_t streams = rule_->stream_count;
  for (std::size_t leaf = 0; leaf < jobs.size(); ++leaf) {
    const Job& job = jobs[leaf];
    for (std::size_t tree = 0; tree < streams + 2; ++tree) {
      const void* data =
          tree < streams ? job.streams[tree] : (tree == streams ? job.step_sizes : job.copy);
      if (data == nullptr || job.size == 0) continue;
      const auto* begin = static_cast<const char*>(data);
      const char* end = begin + job.size * info(expected_[tree]).bytes;
      (written_[tree] ? ranges_written_ : ranges_read_).push_back({begin, end, leaf, tree});
    }
  }
}

// Written memory must be apart from all other; the same memory was checked before.
void Leaves::check_separate() {
  const auto address = [](const void* data) { return reinterpret_cast<std::uintptr_t>(data); };
  for (void* data : pointers_) memory_.push_back(address(data));
  for (const Job& job : jobs) {
    memory_.insert(memory_.end(), {job.size, address(job.step_sizes), address(job.copy)});
  }
  memory_.push_back(static_cast<std::uintptr_t>(dtype));
  if (memory_ == checked_memory_) return;
  checked_memory_.clear();
  find_ranges();
  if (ranges_written_ != checked_written_) {
    checked_written_.clear();
    sorted_ = ranges_written_;
    std::sort(sorted_.begin(), sorted_.end(),
              [](const Range& a, const Range& b) { return a.begin < b.begin; });
    for (std::size_t k = 1; k < sorted_.size(); ++k) {
      if (sorted_[k].begin < sorted_[k - 1].end) overlapping(sorted_[k - 1], sorted_[k]);
    }
    checked_written_ = ranges_written_;
  }
  for (const Range& range : ranges_read_) {
    const auto next = std::upper_bound(
        sorted_.begin(), sorted_.end(), range.begin,
        [](const char* begin, const Range& written) { return begin < written.end; });
    if (next != sorted_.end() && next->begin < range.end) overlapping(*next, range);
  }
  checked_memory_ = memory_;
}

// The range's name, by a walk to its leaf.
std::string Leaves::named(const Range& range) const {
  std::size_t left = range.leaf;
  std::string found;
  const auto find = [&](const auto& self, py::handle node, py::handle grad,
                        const Path& path) -> bool {
    if (grad.is_none()) return false;
    if (is_sequence(node.ptr())) {
      for (Py_ssize_t k = 0; k < length(node.ptr()); ++k) {
        if (self(self, item(node.ptr(), k), item(grad.ptr(), k), {&path, {}, k})) return true;
      }
      return false;
    }
    if (PyDict_Check(node.ptr())) {
      for (const auto& [key, value] : py::reinterpret_borrow<py::dict>(node)) {
        if (self(self, value, PyDict_GetItem(grad.ptr(), key.ptr()), {&path, key})) return true;
      }
      return false;
    }
    if (left-- > 0) return false;
    found = path.below(name_of(range.tree));
    return true;
  };
  find(find, trees_->roots[0], trees_->roots[kGrads], Path{});
  return found;
}

void Leaves::overlapping(const Range& a, const Range& b) const {
  throw Error(trees_->optimizer + ": " + named(b) + " overlaps " + named(a) +
              ", expected separate memory since one of them is written");
}

}  // namespace mdbopt::bind
