// jax – what XLA calls: one update of a first-order optimizer, one judgement of a search, on arrays that
// are the call's alone.
//
// XLA's typed FFI gives operands, which may only be read, and results. Where it has aliased a result with an
// operand both are the same memory; else the operand is copied first, so that either way a call works
// in its results. A call keeps nothing: all that goes from one to the next is in its arrays, so that
// calls may be repeated, dropped, mapped and put into loops.
#pragma once

#include <xla/ffi/api/ffi.h>

#include <mdbopt/dtype.h>

#include <cstring>
#include <exception>
#include <string>
#include <string_view>
#include <vector>

namespace mdbopt::bind {

namespace ffi = xla::ffi;

// The operands and results of a call by their numbers.
class XlaArrays {
 public:
  XlaArrays(const ffi::RemainingArgs& operands, const ffi::RemainingRets& results)
      : operands_(operands), results_(results) {}

  ffi::AnyBuffer operand(std::size_t k) const { return operands_.get<ffi::AnyBuffer>(k).value(); }
  ffi::AnyBuffer result(std::size_t k) const { return *results_.get<ffi::AnyBuffer>(k).value(); }
  // The memory of a result with what its operand holds.
  void* carried(std::size_t operand_number, std::size_t result_number) const {
    const ffi::AnyBuffer from = operand(operand_number);
    void* to = result(result_number).untyped_data();
    if (to != from.untyped_data()) std::memcpy(to, from.untyped_data(), from.size_bytes());
    return to;
  }
  // A number of float32 or float64.
  double number(std::size_t k) const {
    const ffi::AnyBuffer from = operand(k);
    if (from.element_type() == ffi::DataType::F64) return *from.typed_data<double>();
    return static_cast<double>(*from.typed_data<float>());
  }

 private:
  ffi::RemainingArgs operands_;
  ffi::RemainingRets results_;
};

// The attributes of a call.
class XlaOptions {
 public:
  explicit XlaOptions(const ffi::Dictionary& attributes) : attributes_(attributes) {}
  bool has(std::string_view name) const { return attributes_.contains(name); }
  template <class Value>
  Value get(std::string_view name) const {
    return attributes_.get<Value>(name).value();
  }
  template <class Value>
  Value get(std::string_view name, Value fallback) const {
    return has(name) ? get<Value>(name) : fallback;
  }
  std::string text(std::string_view name) const { return std::string(get<std::string_view>(name)); }

 private:
  ffi::Dictionary attributes_;
};

inline Dtype dtype_of(const ffi::AnyBuffer& buffer) {
  switch (buffer.element_type()) {
    case ffi::DataType::F64:
      return Dtype::kFloat64;
    case ffi::DataType::BF16:
      return Dtype::kBFloat16;
    case ffi::DataType::F16:
      return Dtype::kFloat16;
    default:
      return Dtype::kFloat32;
  }
}

// XLA is compiled without exceptions: what a call throws becomes the error that it returns.
template <class Body>
ffi::Error returned(Body body) {
  try {
    body();
    return ffi::Error::Success();
  } catch (const std::bad_alloc&) {
    return {ffi::ErrorCode::kResourceExhausted, "mdbopt: no memory is left"};
  } catch (const std::exception& error) {
    return {ffi::ErrorCode::kInvalidArgument, error.what()};
  }
}

}  // namespace mdbopt::bind
