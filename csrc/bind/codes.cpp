// codes – arrays of the formats that states are stored in, as NumPy's.
#include <mdbopt/error.h>
#include <pybind11/numpy.h>

#include <string>
#include <vector>

#include "../base/block_codes.h"
#include "../engine/opening.h"
#include "bind.h"
#include "codes.h"

namespace py = pybind11;
using namespace py::literals;

namespace mdbopt::bind {

Format format_named(const std::string& name) {
  if (name == "remainder") return Format::kRemainder;
  if (name == "bfloat16") return Format::kBFloat16;
  return name == "signed" ? Format::kSignedCodes : Format::kUnsignedCodes;
}

namespace {

using Values = py::array_t<float, py::array::c_style>;

Values decoded(const std::string& format, const py::array& stored, std::size_t size) {
  Values values(static_cast<py::ssize_t>(size));
  decode(format_named(format), stored.data(), size, values.mutable_data());
  return values;
}

py::array encoded(const std::string& format, const Values& values) {
  const auto size = static_cast<std::size_t>(values.size());
  const Format wanted = format_named(format);
  std::vector<std::size_t> shape{size};
  if (is_codes(wanted)) shape = {blocks_of(size), kBlockBytes};
  py::array stored(py::dtype(is_codes(wanted) ? "u1" : "u2"), shape);
  encode(wanted, values.data(), size, stored.mutable_data());
  return stored;
}

}  // namespace

void bind_codes(py::module_& module) {
  module.def("decoded", &decoded, "format"_a, "stored"_a, "size"_a,
             "The float32 numbers that a dense array in a format stands for.");
  module.def("encoded", &encoded, "format"_a, "values"_a,
             "An array in a format, nearest to dense float32 numbers.");
}

}  // namespace mdbopt::bind
