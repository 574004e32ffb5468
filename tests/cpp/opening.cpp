// opening – arrays in every format, whole and in part, by every instruction set; launches over them are
// launches over float32 between opening and closing.
#include "engine/opening.h"

#include <cstdint>
#include <cstring>
#include <limits>
#include <vector>

#include "base/block_codes.h"
#include "base/fold.h"
#include "base/half.h"
#include "check.h"
#include "engine/backend.h"
#include "engine/launch.h"

using mdbopt::Dtype;
using mdbopt::Format;
using mdbopt::Job;
using mdbopt::Layout;

namespace {

using Bytes = std::vector<unsigned char>;
using Floats = std::vector<float>;

constexpr Format kStates[] = {Format::kBFloat16, Format::kSignedCodes, Format::kUnsignedCodes};

Bytes room(Format format, std::size_t size) {
  Layout layout;
  layout.format = format;
  layout.dtype = mdbopt::stored_dtype(format);
  return Bytes(mdbopt::stored_bytes(layout, size));
}

Floats numbers(std::uint64_t seed, std::size_t size, bool positive) {
  Floats values;
  for (const double x : check::Random(seed).numbers(size)) {
    values.push_back(static_cast<float>(positive ? x * x : x));
  }
  return values;
}

// Rounded to nearest what was rounded is as it was, whatever its size.
void arrays_of_any_size() {
  for (const Format format : kStates) {
    for (std::size_t size : {0U, 1U, 255U, 256U, 257U, 1023U, 1024U, 1025U, 3000U}) {
      const Floats values = numbers(size + 1, size, format == Format::kUnsignedCodes);
      Bytes stored = room(format, size), again = stored;
      mdbopt::encode(format, values.data(), size, stored.data());
      Floats read(size), same(size);
      mdbopt::decode(format, stored.data(), size, read.data());
      mdbopt::encode(format, read.data(), size, again.data());
      CHECK(stored == again);
      for (std::size_t k = 0; k < size; ++k) {
        CHECK(std::abs(read[k] - values[k]) <= 0.07F * std::abs(values[k]) + 1e-3F);
      }
    }
  }
}

// Each instruction set opens and closes to the same bits, also in the middle of what lies with gaps.
void backends_agree() {
  const std::int64_t size = mdbopt::kChunk + 700, gap = 3 * sizeof(std::uint16_t);
  std::vector<std::uint32_t> random(mdbopt::kChunk + mdbopt::kApart);
  std::vector<std::vector<std::uint16_t>> found;
  for (std::size_t k = 0; k < mdbopt::backend_count(); ++k) {
    const mdbopt::Backend& backend = mdbopt::backend_at(k);
    if (!backend.supported()) continue;
    backend.formats->draw(17, random.size(), random.data());
    for (std::size_t i = 0; i < random.size(); ++i) {
      const auto place = static_cast<std::uint32_t>(i % mdbopt::kChunk);
      CHECK_EQUAL(random[i], 16U * mdbopt::shared16(17, place));
    }
    std::vector<std::uint16_t> memory(static_cast<std::size_t>(3 * size), 0xabcd);
    std::vector<std::uint16_t> low(static_cast<std::size_t>(size));
    Layout layout{memory.data(), Dtype::kBFloat16, 1, &size, &gap, Format::kRemainder};
    layout.low = low.data();
    const Floats values = numbers(5, mdbopt::kChunk, false);
    const std::size_t count = 700;
    alignas(64) float block[mdbopt::kChunk], back[mdbopt::kChunk];
    std::memcpy(block, values.data(), sizeof block);
    mdbopt::close_chunk(layout, *backend.formats, mdbopt::kChunk, count, random.data(), block);
    mdbopt::open_chunk(layout, *backend.formats, mdbopt::kChunk, count, Dtype::kFloat32, back);
    CHECK_EQUAL(std::memcmp(back, values.data(), count * sizeof(float)), 0);
    layout.format = Format::kBFloat16;
    layout.stochastic = true;
    mdbopt::close_chunk(layout, *backend.formats, mdbopt::kChunk, count, random.data(), block);
    memory.insert(memory.end(), low.begin(), low.end());
    CHECK_EQUAL(memory[1], 0xabcd);
    found.push_back(memory);
  }
  for (const auto& each : found) CHECK(each == found.front());
}

void a_launch_over_codes() {
  static const std::size_t adam = mdbopt::find_rule("adam");
  const std::size_t size = 2500;
  const auto bytes = static_cast<std::int64_t>(room(Format::kSignedCodes, size).size());
  const std::int64_t one = 1;
  Floats x = numbers(1, size, false), g = numbers(2, size, false), plain_x = x;
  Bytes m = room(Format::kSignedCodes, size), v = m;
  Floats plain_m = numbers(3, size, false), plain_v = numbers(4, size, true);
  mdbopt::encode(Format::kSignedCodes, plain_m.data(), size, m.data());
  mdbopt::encode(Format::kUnsignedCodes, plain_v.data(), size, v.data());
  mdbopt::decode(Format::kSignedCodes, m.data(), size, plain_m.data());
  mdbopt::decode(Format::kUnsignedCodes, v.data(), size, plain_v.data());
  Layout layouts[mdbopt::kMaxStreams + 2];
  layouts[2] = {m.data(), Dtype::kUint8, 1, &bytes, &one, Format::kSignedCodes};
  layouts[3] = {v.data(), Dtype::kUint8, 1, &bytes, &one, Format::kUnsignedCodes};
  void* streams[] = {x.data(), g.data(), m.data(), v.data()};
  void* plain[] = {plain_x.data(), g.data(), plain_m.data(), plain_v.data()};
  const double scalars[] = {1, 0.9, 0.999, 1e-8, 0, 1, 0, 0.1, 0, 1};
  Job job{streams, size, 0.1};
  job.layouts = layouts;
  const Job dense{plain, size, 0.1};
  mdbopt::launch(adam, Dtype::kFloat32, {&job, 1}, scalars, nullptr, {nullptr, 3});
  mdbopt::launch(adam, Dtype::kFloat32, {&dense, 1}, scalars, nullptr, {});
  CHECK(x == plain_x);
  Bytes expected = m;
  mdbopt::encode(Format::kSignedCodes, plain_m.data(), size, expected.data());
  CHECK(m == expected);
  mdbopt::encode(Format::kUnsignedCodes, plain_v.data(), size, expected.data());
  CHECK(v == expected);
}

// What the arrays of a launch are told of their blocks, by each thread of several.
void a_launch_tells_of_nan() {
  static const std::size_t rule = mdbopt::find_rule("signum");
  const mdbopt::Description& signum = mdbopt::rule_description(rule);
  const std::size_t size = 50'000;
  std::vector<double> scalars;
  for (std::size_t k = 0; k < signum.scalar_count; ++k) scalars.push_back(0.5);
  for (const bool wild : {false, true}) {
    Floats x = numbers(1, size, false), g = numbers(2, size, false);
    if (wild) g[40'000] = std::numeric_limits<float>::infinity();
    Bytes m = room(Format::kSignedCodes, size);
    std::uint32_t found = 0;
    Layout layouts[mdbopt::kMaxStreams + 2];
    layouts[2] = {m.data(), Dtype::kUint8, 0, nullptr, nullptr, Format::kSignedCodes};
    layouts[2].not_finite = &found;
    void* streams[] = {x.data(), g.data(), m.data()};
    Job job{streams, size, 0.1};
    job.layouts = layouts;
    mdbopt::launch(rule, Dtype::kFloat32, {&job, 1}, scalars.data(), nullptr, {nullptr, 3});
    CHECK_EQUAL(found, std::uint32_t{wild});
  }
}

}  // namespace

int main() {
  arrays_of_any_size();
  backends_agree();
  a_launch_over_codes();
  a_launch_tells_of_nan();
  return check::result();
}
