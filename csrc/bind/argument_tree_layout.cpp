// argument_tree_layout – in which order the arrays of a leaf are walked, and how each of them lies in it.
#include <mdbopt/error.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <utility>

#include "../engine/check.h"
#include "codes.h"
#include "nodes.h"

namespace mdbopt::bind {
namespace {

// The axes of an array, outermost first in the order of the walk.
struct Axes {
  char* data;
  std::vector<std::int64_t> shape, strides;  // strides in bytes
};

std::vector<std::int64_t> strides_of(const Found& found) {
  const View& view = found.view;
  if (found.strides != nullptr) return {found.strides, found.strides + view.rank};
  std::vector<std::int64_t> strides(static_cast<std::size_t>(view.rank));
  auto stride = static_cast<std::int64_t>(info(view.tensor.dtype).bytes);
  for (std::size_t k = strides.size(); k-- > 0; stride *= view.shape[k]) strides[k] = stride;
  return strides;
}

// The parameter's memory is walked from its begin to its end: from its widest stride to its
// narrowest, those that run backwards turned round.
std::vector<std::size_t> order_of(const Found& parameter,
                                  const std::vector<std::int64_t>& strides) {
  std::vector<std::size_t> order;
  for (std::size_t k = 0; k < strides.size(); ++k) {
    if (parameter.view.shape[k] != 1) order.push_back(k);
  }
  std::ranges::sort(order, {}, [&](std::size_t k) { return std::pair(-std::abs(strides[k]), k); });
  return order;
}

// An array in that order; axes that go through its memory in one stride become one.
Axes axes_of(const Found& found, const std::vector<std::size_t>& order,
             const std::vector<std::int64_t>& leading) {
  const std::vector<std::int64_t> strides = strides_of(found);
  Axes axes{static_cast<char*>(found.view.tensor.data), {}, {}};
  for (const std::size_t k : order) {
    const std::int64_t size = found.view.shape[k];
    const bool turned = leading[k] < 0;
    const std::int64_t stride = turned ? -strides[k] : strides[k];
    if (turned) axes.data += (size - 1) * strides[k];
    if (!axes.shape.empty() && axes.strides.back() == size * stride) {
      axes.shape.back() *= size;
      axes.strides.back() = stride;
    } else {
      axes.shape.push_back(size);
      axes.strides.push_back(stride);
    }
  }
  return axes;
}

// Of codes, the bytes.
Axes codes_of(const Tensor& tensor) {
  return {static_cast<char*>(tensor.data), {static_cast<std::int64_t>(tensor.size)}, {1}};
}

bool is_dense(const Axes& axes, std::size_t width) {
  const bool aligned = reinterpret_cast<std::uintptr_t>(axes.data) % width == 0;
  const bool one = axes.shape.size() == 1 && axes.strides[0] == static_cast<std::int64_t>(width);
  return aligned && (axes.shape.empty() || one);
}

// Whether two elements share memory. Where each stride goes beyond all that the narrower ones reach
// they cannot; else their places are compared.
bool repeats(const Axes& axes, std::size_t width) {
  std::vector<std::size_t> narrow(axes.shape.size());
  for (std::size_t k = 0; k < narrow.size(); ++k) narrow[k] = k;
  std::sort(narrow.begin(), narrow.end(), [&](std::size_t a, std::size_t b) {
    return std::abs(axes.strides[a]) < std::abs(axes.strides[b]);
  });
  auto reach = static_cast<std::int64_t>(width);
  bool nested = true;
  for (const std::size_t k : narrow) {
    const std::int64_t stride = std::abs(axes.strides[k]);
    if (stride == 0) return true;
    nested = nested && stride >= reach;
    reach += (axes.shape[k] - 1) * stride;
  }
  if (nested) return false;
  std::vector<std::int64_t> places{0};
  for (std::size_t k = 0; k < axes.shape.size(); ++k) {
    const std::size_t before = places.size();
    for (std::int64_t i = 1; i < axes.shape[k]; ++i) {
      for (std::size_t j = 0; j < before; ++j) places.push_back(places[j] + i * axes.strides[k]);
    }
  }
  std::sort(places.begin(), places.end());
  return std::adjacent_find(places.begin(), places.end(), [&](std::int64_t a, std::int64_t b) {
           return b - a < static_cast<std::int64_t>(width);
         }) != places.end();
}

}  // namespace

// What opens an array of a dtype for a walk over another.
Format Leaves::format_of(std::size_t tree, Dtype stored, Dtype walked) const {
  if (tree < stream_count() && trees_->formats[tree] != Format::kPlain) {
    return trees_->formats[tree];
  }
  return walked == Dtype::kFloat32 ? bind::format_of(stored) : Format::kPlain;
}

void Leaves::arrange(const Path& path, Job& job, bool opened) {
  const std::size_t count = stream_count();
  const Found& parameter = found_[0];
  const Dtype dtype = parameter.view.tensor.dtype;
  const bool by_number = trees_->by_number();
  std::vector<std::int64_t> leading = strides_of(parameter);
  // Elements that are found by their number are walked in its order.
  if (by_number) leading.assign(leading.size(), 0);
  const std::vector<std::size_t> order = order_of(parameter, leading);
  std::array<void*, kMaxStreams + 3> data{};
  std::vector<Layout> layouts(count + 2);
  for (std::size_t k = 0; k < count + 2; ++k) {
    if (!found_[k].given) continue;
    const Tensor& tensor = found_[k].view.tensor;
    data[k] = tensor.data;
    if (job.size == 0) continue;
    const Dtype wanted = k < count && opened ? arithmetic_dtype(dtype) : expected(k, dtype);
    const Format format = format_of(k, tensor.dtype, wanted);
    const std::size_t width = info(tensor.dtype).bytes;
    Axes axes = is_codes(format) ? codes_of(tensor) : axes_of(found_[k], order, leading);
    data[k] = axes.data;
    if (is_dense(axes, width) && tensor.dtype == wanted) continue;
    if (device_ >= 0 && k == 0 && by_number && !is_dense(axes, width)) {
      throw Error(named(0, path) + " is not in row-major order, expected it on " +
                  memory_name(device_) + ", as the state's arrays");
    }
    if (device_ >= 0 && (format == Format::kPlain || !is_dense(axes, width))) {
      throw Error(named(k, path) + " orders its elements in memory unlike " +
                  path.below(name_of(0)) + ", expected the same strides on " +
                  memory_name(device_));
    }
    if (written_[k] && repeats(axes, width)) {
      throw Error(named(k, path) +
                  " has elements that share memory (a stride of 0, or overlapping ones), expected "
                  "memory of its own for each element that is written");
    }
    const std::size_t rank = axes.shape.size();
    std::vector<std::int64_t>& kept = axes_.emplace_back(std::move(axes.shape));
    kept.insert(kept.end(), axes.strides.begin(), axes.strides.end());
    Layout& layout = layouts[k];
    layout = {axes.data, tensor.dtype, static_cast<int>(rank), kept.data(), kept.data() + rank};
    layout.format = format;
    if (format == Format::kPlain || !written_[k]) continue;
    layout.stochastic = k == 0 ? trees_->stochastic : trees_->stochastic_state;
    if (format == Format::kRemainder) layout.low = found_[tree_of(kLow)].view.tensor.data;
    if (is_codes(format) && device_ < 0) {
      layout.not_finite = &not_finite_.emplace_back(NotFinite{0, jobs.size(), k}).found;
    }
  }
  pointers_.insert(pointers_.end(), data.begin(),
                   data.begin() + static_cast<std::ptrdiff_t>(count));
  job.step_sizes = data[count];
  job.copy = data[count + 1];
  if (std::any_of(layouts.begin(), layouts.end(),
                  [](const Layout& l) { return l.data != nullptr; })) {
    job.layouts = layouts_.emplace_back(std::move(layouts)).data();
  }
}

}  // namespace mdbopt::bind
