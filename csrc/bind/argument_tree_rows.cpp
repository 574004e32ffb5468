// argument_tree_rows – arrays of which some rows are stepped: each run of rows is a job of its own.
#include <mdbopt/error.h>
#include <pybind11/numpy.h>

#include <cstdlib>
#include <unordered_map>

#include "../engine/check.h"
#include "../update/missed.h"
#include "nodes.h"

namespace py = pybind11;

namespace mdbopt::bind {
namespace {

std::int64_t width_of(const Found& found) {
  return static_cast<std::int64_t>(info(found.view.tensor.dtype).bytes);
}

std::int64_t elements_of_row(const Found& found) {
  std::int64_t elements = 1;
  for (int k = 1; k < found.view.rank; ++k) elements *= found.view.shape[k];
  return elements;
}

// From one row to the next, in bytes.
std::int64_t stride_of_rows(const Found& found) {
  return found.strides != nullptr ? found.strides[0] : elements_of_row(found) * width_of(found);
}

// Whether each row ends before the next one begins.
bool rows_are_apart(const Found& found) {
  if (found.strides == nullptr || found.view.shape[0] <= 1) return true;
  std::int64_t reach = width_of(found);
  for (int k = 1; k < found.view.rank; ++k) {
    reach += (found.view.shape[k] - 1) * std::abs(found.strides[k]);
  }
  return std::abs(found.strides[0]) >= reach;
}

}  // namespace

// The runs are those of ArgumentTrees::rows.
void Leaves::read_rows(PyObject* node) {
  by_rows_ = node != nullptr && node != Py_None;
  runs_ = {};
  rows_ = 0;
  if (!by_rows_) return;
  const auto runs = py::reinterpret_borrow<py::array_t<std::int64_t, py::array::c_style>>(node);
  static_assert(sizeof(Run) == 4 * sizeof(std::int64_t));
  runs_ = {reinterpret_cast<const Run*>(runs.data()), static_cast<std::size_t>(runs.shape(0))};
  for (const Run& run : runs_) rows_ += run.count;
}

void Leaves::check_rows(const Path& path) const {
  if (device_ >= 0) {
    throw Error(named(0, path) + " lives on " + memory_name(device_) +
                ", expected the CPU for a step of some rows");
  }
  if (found_[tree_of(kRates)].given) {
    throw Error(named(tree_of(kRates), path) +
                ": expected a number for a step of some rows, got step sizes of each coordinate");
  }
  for (std::size_t k = 0; k < stream_count(); ++k) {
    if (found_[k].given && is_codes(trees_->formats[k])) {
      throw Error(named(k, path) +
                  " has blocks of 256 elements, expected rows that lie apart for a step of some");
    }
  }
  for (std::size_t k = 0; k <= tree_of(kLow); ++k) {
    if (written_[k] && found_[k].given && !rows_are_apart(found_[k])) {
      throw Error(named(k, path) +
                  " has rows that lie in between each other, expected rows one after the other for "
                  "a step of some");
    }
  }
}

// A job for each run. What was found of the leaf is narrowed to its rows meanwhile.
void Leaves::add_rows(const Path& path, const Job& job, const std::optional<double>& decay,
                      bool walked, bool opened) {
  const std::size_t count = stream_count() + 3;
  const std::vector<Found> whole(found_, found_ + count);
  const std::int64_t row_size = elements_of_row(whole[0]);
  const double one = decay.value_or(trees_->one_decay);
  std::unordered_map<std::int64_t, std::size_t> variants{{0, job.variant}};  // by missed steps
  std::vector<std::int64_t> shape(whole[0].view.shape, whole[0].view.shape + whole[0].view.rank);
  for (const Run& run : runs_) {
    shape[0] = run.count;
    Job own = job;
    own.size = static_cast<std::size_t>(run.count * row_size);
    for (std::size_t k = 0; k < count; ++k) {
      if (!whole[k].given) continue;
      View& view = found_[k].view;
      const std::int64_t first = k == kGrads ? run.gradient : run.first;
      view.tensor.data =
          static_cast<char*>(whole[k].view.tensor.data) + first * stride_of_rows(whole[k]);
      view.tensor.size = own.size;
      view.shape = shape.data();
    }
    const auto [known, fresh] = variants.try_emplace(run.missed, groups.size());
    if (fresh) {
      const auto missed = static_cast<double>(run.missed);
      groups.push_back({groups[job.variant].dtype, decay_made_up(one, job.lr, missed)});
    }
    own.variant = known->second;
    add_job(path, own, walked, opened);
  }
  std::copy(whole.begin(), whole.end(), found_);
}

}  // namespace mdbopt::bind
