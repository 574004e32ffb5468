// arrays – layout, numbers of any floating-point format, and what memory is left.
#include "arrays.h"

#include <mdbopt/error.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <limits>
#include <new>
#include <string>

#include "chunks.h"

namespace bench {
namespace {

using mdbopt::Description;
using mdbopt::Dtype;
using mdbopt::Role;

constexpr std::size_t kPage = 4096;
constexpr std::size_t kLine = 64;
// Between streams: the same offset in their pages would make loads wait for stores elsewhere.
constexpr std::size_t kGap = 17 * kLine;
constexpr std::size_t kPeriod = 64;
static_assert(mdbopt::kChunk % kPeriod == 0);

int fraction_bits(Dtype dtype) {
  constexpr struct {
    const char* name;
    int bits;
  } kFractions[] = {{"float64", 52}, {"float32", 23}, {"bfloat16", 7}, {"float16", 10}};
  for (const auto& fraction : kFractions) {
    if (std::strcmp(fraction.name, mdbopt::info(dtype).name) == 0) return fraction.bits;
  }
  throw mdbopt::Error(std::string("bench/cpp/arrays.cpp: no fraction known of dtype ") +
                      mdbopt::info(dtype).name);
}

// A binary format of IEEE's kind: a sign, an exponent, a fraction.
struct Format {
  explicit Format(Dtype dtype) : bytes(mdbopt::info(dtype).bytes), fraction(fraction_bits(dtype)) {}

  std::uint64_t largest_exponent() const {
    return (std::uint64_t{1} << (8 * bytes - 1 - static_cast<std::size_t>(fraction))) - 1;
  }
  // 1 + k/128, which seven bits of a fraction can say.
  std::uint64_t number(std::size_t k) const {
    return (largest_exponent() / 2 << fraction) + (std::uint64_t{k} << (fraction - 7));
  }
  bool zero_or_normal(std::uint64_t bits) const {
    const std::uint64_t exponent = bits >> fraction & largest_exponent();
    const std::uint64_t sign = std::uint64_t{1} << (8 * bytes - 1);
    return (bits & ~sign) == 0 || (exponent > 0 && exponent < largest_exponent());
  }

  std::size_t bytes;
  int fraction;
};

std::size_t stream_bytes(const mdbopt::Stream& stream, Dtype dtype, std::size_t size) {
  const std::size_t bytes = size * mdbopt::info(mdbopt::stored_dtype(stream.storage, dtype)).bytes;
  return (bytes + kLine - 1) / kLine * kLine + kGap;
}

// The number after a label in a file such as /proc/meminfo; infinite when there is none.
double number_in(const char* path, const std::string& label) {
  std::ifstream file(path);
  double number = 0.0;
  for (std::string word; label.empty() || file >> word;) {
    if (label.empty() || word == label) {
      return file >> number ? number : std::numeric_limits<double>::infinity();
    }
  }
  return std::numeric_limits<double>::infinity();
}

}  // namespace

std::size_t Arrays::bytes_needed(const Description& rule, Dtype dtype, std::size_t size) {
  std::size_t bytes = 0;
  for (std::size_t k = 0; k < rule.stream_count; ++k) {
    bytes += stream_bytes(rule.streams[k], dtype, size);
  }
  return (bytes + kPage - 1) / kPage * kPage;
}

void Arrays::hold(const Description& rule, Dtype dtype, std::size_t size) {
  if (rule_ == &rule && dtype_ == dtype && size_ == size) return;
  reserve(bytes_needed(rule, dtype, size));
  rule_ = &rule;
  dtype_ = dtype;
  size_ = size;
  std::byte* next = memory_.get();
  for (std::size_t k = 0; k < rule.stream_count; ++k) {
    streams_[k] = next;
    next += stream_bytes(rule.streams[k], dtype, size);
    fill(k, mdbopt::default_threads());
  }
}

void Arrays::reserve(std::size_t bytes) {
  if (bytes <= capacity_) return;
  rule_ = nullptr;
  capacity_ = 0;
  memory_.reset();  // before the new memory, or both would have to fit
  memory_.reset(static_cast<std::byte*>(std::aligned_alloc(kPage, bytes)));
  if (memory_ == nullptr) throw std::bad_alloc();
  capacity_ = bytes;
}

void Arrays::refill(std::size_t threads) {
  for (std::size_t k = 0; k < rule_->stream_count; ++k) {
    if (rule_->streams[k].role == Role::kInOut) fill(k, threads);
  }
}

Dtype Arrays::dtype_of(std::size_t stream) const {
  return mdbopt::stored_dtype(rule_->streams[stream].storage, dtype_);
}

void Arrays::fill(std::size_t stream, std::size_t threads) {
  const Format format(dtype_of(stream));
  std::byte chunk[mdbopt::kChunk * sizeof(double)];
  for (std::size_t i = 0; i < mdbopt::kChunk; ++i) {
    // Odd, so that a period has every k; the shift keeps streams from being equal.
    const std::uint64_t bits = format.number((37 * i + 11 * stream) % kPeriod);
    std::memcpy(chunk + i * format.bytes, &bits, format.bytes);  // little-endian
  }
  std::byte* const data = static_cast<std::byte*>(streams_[stream]);
  const std::size_t bytes = size_ * format.bytes;
  const std::size_t step = mdbopt::kChunk * format.bytes;
  over_chunks(size_, bytes, threads, [&](std::size_t first, std::size_t last) {
    for (std::size_t at = first * step; at < std::min(last * step, bytes); at += step) {
      std::memcpy(data + at, chunk, std::min(step, bytes - at));
    }
  });
}

bool Arrays::normal() const {
  for (std::size_t k = 0; k < rule_->stream_count; ++k) {
    if (rule_->streams[k].role == Role::kIn) continue;
    const Format format(dtype_of(k));
    for (std::size_t i = 0; i < std::min(kPeriod, size_); ++i) {
      std::uint64_t bits = 0;
      std::memcpy(&bits, static_cast<const std::byte*>(streams_[k]) + i * format.bytes,
                  format.bytes);
      if (!format.zero_or_normal(bits)) return false;
    }
  }
  return true;
}

std::size_t memory_limit() {
  const double installed =
      static_cast<double>(sysconf(_SC_PHYS_PAGES)) * static_cast<double>(sysconf(_SC_PAGESIZE));
  const double available = 1024.0 * number_in("/proc/meminfo", "MemAvailable:");
  const double granted = number_in("/sys/fs/cgroup/memory.max", "");
  return static_cast<std::size_t>(0.5 * std::min({installed, available, granted}));
}

}  // namespace bench
