// reduction – sums of shards against the tree over the whole, what shards exchange, and how they end.
#include "engine/reduction.h"

#include <algorithm>
#include <barrier>
#include <functional>
#include <memory>
#include <stdexcept>
#include <thread>

#include "check.h"
#include "trees.h"

using mdbopt::add_nodes;
using mdbopt::ChunkSums;
using mdbopt::Fold;
using mdbopt::Job;
using mdbopt::Node;
using mdbopt::Reducer;
using mdbopt::Reduction;
using mdbopt::ShardError;
using Sizes = std::vector<std::vector<std::size_t>>;  // by array, then by shard

namespace {

constexpr std::size_t kChunk = 1024;

struct Hall {
  explicit Hall(std::size_t count) : messages(count), barrier(static_cast<std::ptrdiff_t>(count)) {}
  std::vector<std::vector<double>> messages;
  std::barrier<> barrier;
};

class Door final : public Reducer {
 public:
  Door(Hall& hall, std::size_t shard) : hall_(hall), shard_(shard) {}
  void gather(std::span<const double> mine, std::vector<double>& all) override {
    hall_.messages[shard_].assign(mine.begin(), mine.end());
    hall_.barrier.arrive_and_wait();
    all.clear();
    for (const auto& message : hall_.messages)
      all.insert(all.end(), message.begin(), message.end());
    hall_.barrier.arrive_and_wait();
  }

 private:
  Hall& hall_;
  std::size_t shard_;
};

void together(std::size_t shards, const std::function<void(std::size_t, Reduction&)>& body) {
  Hall hall(shards);
  std::vector<std::thread> threads;
  for (std::size_t shard = 0; shard < shards; ++shard) {
    threads.emplace_back([&, shard] {
      Reduction reduction(std::make_shared<Door>(hall, shard));
      body(shard, reduction);
    });
  }
  for (std::thread& thread : threads) thread.join();
}

std::vector<std::size_t> of_shard(const Sizes& sizes, std::size_t shard) {
  std::vector<std::size_t> own;
  for (const auto& array : sizes) own.push_back(array[shard]);
  return own;
}

// The partial sums of the whole's chunks, and those of each shard in the order of its arrays.
struct Partials {
  std::vector<double> whole;
  std::vector<std::vector<double>> own;
};

Partials partials_of(const Sizes& sizes, check::Random& random) {
  Partials partials;
  partials.own.resize(sizes.front().size());
  for (const auto& array : sizes) {
    for (std::size_t shard = 0; shard < array.size(); ++shard) {
      for (const double sum : random.numbers((array[shard] + kChunk - 1) / kChunk)) {
        partials.whole.push_back(sum);
        partials.own[shard].push_back(sum);
      }
    }
  }
  return partials;
}

void aligned_shards_have_the_sums_of_the_whole() {
  check::Random random(1);
  for (std::size_t trial = 0; trial < 60; ++trial) {
    const std::size_t shards = 1 + random.bits() % 5;
    Sizes sizes(1 + random.bits() % 3, std::vector<std::size_t>(shards));
    for (auto& array : sizes) {
      for (std::size_t& size : array) size = kChunk * (random.bits() % 9);
      array.back() += random.bits() % 3;  // the last chunk need not be whole
    }
    const Partials partials = partials_of(sizes, random);
    const double wanted = trees::pairs(partials.whole);
    double largest = 0.0;
    for (const double sum : partials.whole) largest = std::max(largest, sum);
    std::vector<double> sums(shards), most(shards);
    together(shards, [&](std::size_t shard, Reduction& reduction) {
      reduction.agree(of_shard(sizes, shard), {});
      reduction.reserve(2);
      std::vector<double> own;
      for (const double sum : partials.own[shard]) own.insert(own.end(), {sum, sum});
      const ChunkSums both[] = {{Fold::kAdd, own.data(), 2, &sums[shard]},
                                {Fold::kMax, own.data() + 1, 2, &most[shard]}};
      reduction.fold(both);
    });
    for (std::size_t shard = 0; shard < shards; ++shard) {
      CHECK_BITS(sums[shard], wanted);
      if (!partials.whole.empty()) CHECK_EQUAL(most[shard] >= largest, true);
    }
  }
}

void shards_anywhere_have_one_sum() {
  check::Random random(2);
  const Sizes sizes{{700, 5000, 0, 33}, {1, 2, 3, 4}};
  const Partials partials = partials_of(sizes, random);
  std::vector<double> sums(4);
  together(4, [&](std::size_t shard, Reduction& reduction) {
    reduction.agree(of_shard(sizes, shard), {});
    CHECK_EQUAL(reduction.elements(), 5743.0);
    std::vector<double> own = partials.own[shard];
    const ChunkSums one[] = {{Fold::kAdd, own.data(), 1, &sums[shard]}};
    reduction.fold(one);
  });
  std::vector<double> folded;
  for (const auto& own : partials.own) folded.push_back(trees::pairs(own));
  const double wanted = folded[0] + (folded[1] + (folded[2] + folded[3]));
  for (const double sum : sums) CHECK_BITS(sum, wanted);
}

// More sums than one message has room for come in several.
void many_sums() {
  const Sizes sizes{{40 * kChunk - 3}};
  check::Random random(3);
  const Partials partials = partials_of(sizes, random);
  std::vector<double> sums(200);
  together(1, [&](std::size_t, Reduction& reduction) {
    reduction.agree(of_shard(sizes, 0), {});
    std::vector<std::vector<double>> own(sums.size(), partials.own[0]);
    std::vector<ChunkSums> all;
    for (std::size_t k = 0; k < sums.size(); ++k)
      all.push_back({Fold::kAdd, own[k].data(), 1, &sums[k]});
    reduction.fold(all);
  });
  for (const double sum : sums) CHECK_BITS(sum, trees::pairs(partials.whole));
}

// 28 sums are those of the walk over a trial with ten pairs, the most of any pass at such a size.
void messages_of_many_variables_are_short() {
  constexpr std::size_t kSums = 28;
  constexpr std::size_t kHeader = 3;
  constexpr std::size_t kChunks = 976'563;  // 1e9 variables
  const auto longest = [&](std::size_t unit) {
    std::size_t most = 0;
    for (std::size_t shard = 0; shard < 64; ++shard) {
      const auto cut = [&](std::size_t k) {
        return k == 64 ? kChunks : k * kChunks / 64 / unit * unit;
      };
      std::vector<Node> nodes;
      add_nodes(cut(shard), cut(shard + 1) - cut(shard), 0, nodes);
      most = std::max(most, nodes.size());
    }
    return sizeof(double) * (kHeader + kSums * most);
  };
  CHECK_EQUAL(longest(1), 4280U);
  CHECK_EQUAL(longest(4), 3608U);
  CHECK_EQUAL(longest(256), 2488U);
}

void what_differs_is_refused_on_all() {
  together(2, [](std::size_t shard, Reduction& reduction) {
    const Reduction::Fact facts[] = {{"same", 1.0}, {"gamma", shard == 0 ? 0.5 : 0.25}};
    const std::size_t size = 5;
    CHECK_THROWS(ShardError, "gamma: expected the same on every shard, got 0.5 on shard 0 and 0.25",
                 reduction.agree({&size, 1}, facts));
    CHECK_EQUAL(reduction.failed(), true);
  });
  together(3, [](std::size_t shard, Reduction& reduction) {
    const std::size_t sizes[] = {5, 6};
    CHECK_THROWS(ShardError, "reducer: the number of arrays: expected the same on every shard",
                 reduction.agree(std::span(sizes).first(shard == 1 ? 1 : 2), {}));
  });
  together(2, [](std::size_t shard, Reduction& reduction) {
    const std::size_t size = 5;
    reduction.agree({&size, 1}, {});
    reduction.tell("f", shard == 0 ? 1.0 : 2.0);
    double value = 1.0;
    CHECK_THROWS(ShardError,
                 "f: expected the same on every shard, got 1 on shard 0 and 2 on shard 1",
                 reduction.add({&value, 1}));
    CHECK_EQUAL(value, 1.0);
  });
}

void a_failure_ends_all() {
  together(3, [](std::size_t shard, Reduction& reduction) {
    const std::size_t size = 5;
    reduction.agree({&size, 1}, {});
    double value = 1.0;
    if (shard == 2) return reduction.fail("x: expected more");
    CHECK_THROWS(ShardError, "shard 2 has failed: x: expected more", reduction.add({&value, 1}));
    CHECK_THROWS(ShardError, "a shard has failed before", reduction.add({&value, 1}));
    reduction.fail("not heard any more");
  });
}

void numbers_are_added_and_collected() {
  together(2, [](std::size_t shard, Reduction& reduction) {
    const std::size_t size = 5;
    reduction.agree({&size, 1}, {});
    std::vector<double> values(150, 1.0 + static_cast<double>(shard));
    reduction.add(values);
    for (const double value : values) CHECK_EQUAL(value, 3.0);
    const std::vector<double> own(shard == 0 ? 100 : 3, static_cast<double>(shard));
    const std::vector<double> all = reduction.collect(own);
    CHECK_EQUAL(all.size(), 103U);
    CHECK_EQUAL(std::count(all.begin(), all.begin() + 100, 0.0), 100);
    CHECK_EQUAL(std::count(all.begin() + 100, all.end(), 1.0), 3);
  });
}

void sizes_that_change_are_seen() {
  together(1, [](std::size_t, Reduction& reduction) {
    Job jobs[] = {{nullptr, 5}, {nullptr, 7}};
    CHECK_EQUAL(reduction.agreed(jobs), false);
    const std::size_t sizes[] = {5, 7};
    reduction.agree(sizes, {});
    CHECK_EQUAL(reduction.agreed(jobs), true);
    CHECK_EQUAL(reduction.agreed(std::span(jobs).first(1)), false);
    jobs[1].size = 8;
    CHECK_EQUAL(reduction.agreed(jobs), false);
  });
}

}  // namespace

int main() {
  aligned_shards_have_the_sums_of_the_whole();
  shards_anywhere_have_one_sum();
  many_sums();
  messages_of_many_variables_are_short();
  what_differs_is_refused_on_all();
  a_failure_ends_all();
  numbers_are_added_and_collected();
  sizes_that_change_are_seen();
  return check::result();
}
