// rule_bits – every rule in every dtype over the same numbers: one digest for all backends. Each is
// printed, so that what two processors or compilers say can be compared (`make check-aarch64`).
#include <cstdio>
#include <iterator>
#include <limits>
#include <optional>

#include "base/half.h"
#include "check.h"
#include "engine/launch.h"

using mdbopt::Dtype;
using mdbopt::Storage;

namespace {

constexpr std::size_t kSize = 3001;  // three chunks, the last with a rest
constexpr double kSpecial[] = {0.0,
                               -0.0,
                               0x1p-1060,
                               0x1p-140,
                               0x1p-20,
                               1e30,
                               std::numeric_limits<double>::infinity(),
                               -std::numeric_limits<double>::infinity(),
                               std::numeric_limits<double>::quiet_NaN()};

using Bytes = std::vector<unsigned char>;

template <class T>
Bytes bytes_of(const std::vector<double>& values) {
  Bytes bytes(values.size() * sizeof(T));
  for (std::size_t i = 0; i < values.size(); ++i) {
    T rounded;
    if constexpr (sizeof(T) == 2) {
      rounded = mdbopt::Nearest<T>::of(static_cast<float>(values[i]));
    } else {
      rounded = static_cast<T>(values[i]);
    }
    std::memcpy(&bytes[i * sizeof(T)], &rounded, sizeof(T));
  }
  return bytes;
}

Bytes stored(Dtype dtype, const std::vector<double>& values) {
  switch (dtype) {
    case Dtype::kFloat32:
      return bytes_of<float>(values);
    case Dtype::kBFloat16:
      return bytes_of<mdbopt::BFloat16>(values);
    case Dtype::kFloat16:
      return bytes_of<mdbopt::Float16>(values);
    default:
      return bytes_of<double>(values);
  }
}

// FNV-1a over elements, in which any NaN is one: IEEE 754 leaves a NaN's sign and payload open.
class Digest {
 public:
  void add(Dtype dtype, const unsigned char* bytes, std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) add(element(dtype, bytes + i * info(dtype).bytes));
  }
  std::uint64_t value() const { return value_; }

 private:
  static std::uint64_t element(Dtype dtype, const unsigned char* bytes) {
    std::uint64_t bits = 0;
    std::memcpy(&bits, bytes, info(dtype).bytes);
    const std::uint64_t infinity = dtype == Dtype::kFloat64    ? 0x7ffULL << 52
                                   : dtype == Dtype::kFloat32  ? 0xffULL << 23
                                   : dtype == Dtype::kBFloat16 ? 0xffULL << 7
                                                               : 0x1fULL << 10;
    const std::uint64_t sign = 1ULL << (8 * info(dtype).bytes - 1);
    return (bits & ~sign) > infinity ? infinity + 1 : bits;
  }
  void add(std::uint64_t word) {
    for (int k = 0; k < 8; ++k) value_ = (value_ ^ ((word >> (8 * k)) & 0xff)) * 0x100000001b3;
  }
  std::uint64_t value_ = 0xcbf29ce484222325;
};

// Every fifth element is a special one when they are asked for.
std::vector<double> numbers(check::Random& random, bool special) {
  std::vector<double> values = random.numbers(kSize);
  if (!special) return values;
  for (std::size_t i = 0; i < values.size(); i += 5) {
    values[i] = kSpecial[random.bits() % std::size(kSpecial)];
  }
  return values;
}

struct Case {
  std::size_t rule;
  Dtype dtype;
  bool special, stochastic;
};

std::uint64_t digest(const Case& given, const mdbopt::Backend& backend) {
  const mdbopt::Description& rule = mdbopt::rule_description(given.rule);
  check::Random random(17);
  std::vector<Bytes> memory;
  std::vector<void*> streams;
  for (std::size_t k = 0; k < rule.stream_count; ++k) {
    memory.push_back(
        stored(stored_dtype(rule.streams[k].storage, given.dtype), numbers(random, given.special)));
    streams.push_back(memory.back().data());
  }
  std::vector<double> scalars;
  for (std::size_t k = 0; k < rule.scalar_count; ++k) {
    const double fallback = rule.scalars[k].fallback;
    scalars.push_back(fallback == fallback ? fallback : 0.25 + random.number() / 8);
  }
  double sums[mdbopt::kMaxSums] = {};
  const mdbopt::Job job{streams.data(), kSize, 0.01};
  mdbopt::Execution how{&backend, 1};
  how.stochastic = given.stochastic;
  how.key = 5;
  const bool applied =
      mdbopt::launch(given.rule, given.dtype, {&job, 1}, scalars.data(), sums, how);
  Digest all;
  for (std::size_t k = 0; k < rule.stream_count; ++k) {
    all.add(stored_dtype(rule.streams[k].storage, given.dtype), memory[k].data(), kSize);
  }
  Bytes told(sizeof(sums));
  std::memcpy(told.data(), sums, sizeof(sums));
  all.add(Dtype::kFloat64, told.data(), rule.sum_count());
  return all.value() + (applied ? 1 : 0);
}

void one_digest_for_all_backends(const Case& given) {
  std::optional<std::uint64_t> first;
  for (std::size_t k = 0; k < mdbopt::backend_count(); ++k) {
    const mdbopt::Backend& backend = mdbopt::backend_at(k);
    if (!backend.supported()) continue;
    const std::uint64_t value = digest(given, backend);
    if (!first) first = value;
    if (value != *first) {
      check::fail(__FILE__, __LINE__)
          << mdbopt::rule_description(given.rule).name << " in " << info(given.dtype).name
          << " has other bits with " << backend.name << '\n';
    }
  }
  std::printf("%s %s%s%s %016llx\n", mdbopt::rule_description(given.rule).name,
              info(given.dtype).name, given.special ? " special" : "",
              given.stochastic ? " stochastic" : "",
              static_cast<unsigned long long>(first.value_or(0)));
}

}  // namespace

int main() {
  for (std::size_t rule = 0; rule < mdbopt::rule_count(); ++rule) {
    const mdbopt::Description& description = mdbopt::rule_description(rule);
    for (std::size_t k = 0; k < mdbopt::kDtypeCount; ++k) {
      const auto dtype = static_cast<Dtype>(k);
      if (is_half(dtype) && !description.half) continue;
      for (const bool special : {false, true}) {
        one_digest_for_all_backends({rule, dtype, special, false});
        if (is_half(dtype)) one_digest_for_all_backends({rule, dtype, special, true});
      }
    }
  }
  return check::result();
}
