// reduction – messages of one length between the shards, and the tree over what they say.
#include "reduction.h"

#include <mdbopt/error.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstring>
#include <random>
#include <utility>

#include "../base/fold.h"

namespace mdbopt {
namespace {

// Of a message: what it is, the how manyth, the number that is told; then what it says.
enum Header : std::size_t { kKind, kNumber, kTold, kHeader };
// What it is; a fold has its number of sums, too.
constexpr double kFailed = 0.0;
constexpr double kGreets = 1.0;
constexpr double kCollects = 2.0;
constexpr double kAdds = 3.0;
constexpr double kFolds = 4.0;

std::string words_of(double value) {
  char text[32];
  return {text, std::to_chars(text, text + sizeof text, value).ptr};
}

// Tells this shard from the others, whose order only the reducer knows.
double token() {
  std::random_device random;
  const std::uint64_t bits = std::uint64_t{random()} << 32U | random();
  return static_cast<double>(bits >> 11U);
}

}  // namespace

Exchanged& exchanged() {
  thread_local Exchanged counted{};
  return counted;
}

// FNV-1a, as many bits as a double counts.
Reduction::Fact::Fact(const char* of, const std::string& text) : name(of), value(0.0), word(text) {
  std::uint64_t hash = 0xcbf29ce484222325U;
  for (const char letter : text)
    hash = (hash ^ static_cast<unsigned char>(letter)) * 0x100000001b3U;
  value = static_cast<double>(hash >> 11U);
}

void add_nodes(std::size_t begin, std::size_t count, std::size_t first, std::vector<Node>& nodes) {
  while (count > 0) {
    std::size_t height = 0;
    while (begin % (std::size_t{2} << height) == 0 && std::size_t{2} << height <= count) ++height;
    const std::size_t width = std::size_t{1} << height;
    nodes.push_back({first, width, height});
    begin += width;
    first += width;
    count -= width;
  }
}

// --- messages ------------------------------------------------------------------------------------
std::span<double> Reduction::message(double kind) {
  mine_.assign(length_, 0.0);
  mine_[kKind] = kind;
  mine_[kNumber] = messages_;
  mine_[kTold] = told_;
  return std::span(mine_).subspan(kHeader);
}

std::span<const double> Reduction::from(std::size_t shard) const {
  return std::span(all_).subspan(shard * length_, length_);
}

void Reduction::exchange() {
  if (failed_) throw ShardError("reducer: a shard has failed before, expected no further call");
  reducer_->gather(mine_, all_);
  ++exchanged().messages;
  exchanged().bytes += mine_.size() * sizeof(double);
  const bool whole = !all_.empty() && all_.size() % length_ == 0;
  if (!whole || (shards_ > 0 && all_.size() != shards_ * length_)) {
    const std::string shards = shards_ > 0 ? std::to_string(shards_) : "as many";
    throw Error("reducer: expected " + std::to_string(length_) + " numbers of each of " + shards +
                " shards, got " + std::to_string(all_.size()) + " in all");
  }
  for (std::size_t shard = 0; shard < all_.size() / length_; ++shard) {
    const std::span<const double> theirs = from(shard);
    if (theirs[kKind] != kFailed) continue;
    std::string words;
    for (std::size_t k = kHeader; k < length_ && theirs[k] != 0.0; ++k)
      words += static_cast<char>(static_cast<unsigned char>(theirs[k]));
    failed_ = true;
    throw ShardError("shard " + std::to_string(shard) + " has failed: " + words);
  }
  compare(told_name_, kTold);
  compare("reducer: the call", kKind);
  compare("reducer: the number of calls", kNumber);
  ++messages_;
}

// All shards see the same messages, so that all of them throw.
void Reduction::compare(const std::string& name, std::size_t position) {
  for (std::size_t shard = 1; shard < all_.size() / length_; ++shard) {
    check_same(name, from(0)[position], from(shard)[position], shard);
  }
}

void Reduction::check_same(const std::string& name, double first, double other, std::size_t shard) {
  if (first == other || (std::isnan(first) && std::isnan(other))) return;
  failed_ = true;
  throw ShardError(name + ": expected the same on every shard, got " + words_of(first) +
                   " on shard 0 and " + words_of(other) + " on shard " + std::to_string(shard));
}

void Reduction::fail(const char* words) noexcept {
  if (failed_) return;
  failed_ = true;
  try {
    const std::span<double> text = message(kFailed);
    const std::size_t most = std::min(std::strlen(words), text.size());
    for (std::size_t k = 0; k < most; ++k) text[k] = static_cast<unsigned char>(words[k]);
    reducer_->gather(mine_, all_);
  } catch (...) {  // the error that brought us here is the one to see
  }
}

void Reduction::tell(const char* name, double value) {
  told_name_ = name;
  told_ = value;
}

// --- before the first sum ------------------------------------------------------------------------
void Reduction::greet() {
  const double mark = token();
  message(kGreets)[0] = mark;
  exchange();
  const std::size_t shards = all_.size() / length_;
  std::size_t found = 0;
  for (std::size_t shard = 0; shard < shards; ++shard) {
    if (from(shard)[kHeader] != mark) continue;
    shard_ = shard;
    ++found;
  }
  if (found != 1) {
    throw Error("reducer: expected what this shard gave once among what all gave, got it " +
                std::to_string(found) + " times");
  }
  shards_ = shards;
}

void Reduction::agree(std::span<const std::size_t> sizes, std::span<const Fact> facts) {
  if (shards_ == 0) greet();
  std::vector<double> numbers{static_cast<double>(sizes.size())};
  for (const Fact& fact : facts) numbers.push_back(fact.value);
  const std::vector<double> theirs = collect(numbers);
  if (theirs.size() != shards_ * numbers.size()) {
    failed_ = true;
    throw ShardError("reducer: expected the same method on every shard, got several");
  }
  for (std::size_t shard = 1; shard < shards_; ++shard) {
    const double* other = theirs.data() + shard * numbers.size();
    for (std::size_t k = 0; k < facts.size(); ++k) {
      if (facts[k].word.empty() || theirs[k + 1] == other[k + 1]) {
        check_same(facts[k].name, theirs[k + 1], other[k + 1], shard);
        continue;
      }
      failed_ = true;
      throw ShardError(std::string(facts[k].name) + ": expected the same on every shard, got '" +
                       facts[k].word + "' here, and not the same on shard 0 and on shard " +
                       std::to_string(shard));
    }
    check_same("reducer: the number of arrays", theirs[0], other[0], shard);
  }
  const std::vector<double> all = collect(std::vector<double>(sizes.begin(), sizes.end()));
  std::vector<std::vector<std::size_t>> of_shards(shards_);
  for (std::size_t k = 0; k < all.size(); ++k)
    of_shards[k / sizes.size()].push_back(static_cast<std::size_t>(all[k]));
  sizes_.assign(sizes.begin(), sizes.end());
  lay_out(of_shards);
}

bool Reduction::agreed(std::span<const Job> jobs) const {
  return shards_ > 0 &&
         std::equal(jobs.begin(), jobs.end(), sizes_.begin(), sizes_.end(),
                    [](const Job& job, std::size_t size) { return job.size == size; });
}

// Where arrays are not cut at chunks, each shard is one node, and they fold in their order.
Reduction::Trees Reduction::trees_of(const std::vector<std::vector<std::size_t>>& sizes,
                                     bool each) const {
  Trees trees;
  std::vector<std::size_t> counts(shards_, 0);  // of nodes
  std::vector<std::size_t> chunks(shards_, 0);
  const std::size_t count = each ? sizes_.size() : 1;
  for (std::size_t tree = 0; tree < count; ++tree) {
    const std::size_t first = each ? tree : 0;
    const std::size_t last = each ? tree + 1 : sizes_.size();
    const std::size_t known = trees.branches.size();
    const std::vector<std::size_t> counts_before = counts;
    const std::vector<std::size_t> chunks_before = chunks;
    const std::size_t nodes_before = trees.nodes.size();
    std::size_t before = 0;  // chunks of this tree's arrays so far
    bool aligned = true;
    for (std::size_t j = first; j < last; ++j) {
      std::size_t size = 0;
      for (std::size_t shard = 0; shard < shards_; ++shard) {
        const std::size_t own = sizes[shard][j];
        aligned = aligned && (own == 0 || size % kChunk == 0);
        std::vector<Node> nodes;
        add_nodes(before + size / kChunk, chunks_of(own), chunks[shard], nodes);
        chunks[shard] += chunks_of(own);
        size += own;
        for (const Node& node : nodes)
          trees.branches.push_back({shard, counts[shard]++, node.height});
        if (shard == shard_) trees.nodes.insert(trees.nodes.end(), nodes.begin(), nodes.end());
      }
      before += chunks_of(size);
    }
    if (!aligned) {
      trees.branches.resize(known);
      trees.nodes.resize(nodes_before);
      counts = counts_before;
      for (std::size_t shard = 0; shard < shards_; ++shard) {
        trees.branches.push_back({shard, counts[shard]++, shards_ - shard});
      }
      trees.nodes.push_back(
          {chunks_before[shard_], chunks[shard_] - chunks_before[shard_], shards_ - shard_});
    }
    trees.ends.push_back(trees.branches.size());
  }
  trees.most_nodes = *std::max_element(counts.begin(), counts.end());
  return trees;
}

void Reduction::lay_out(const std::vector<std::vector<std::size_t>>& sizes) {
  elements_ = 0.0;
  each_elements_.clear();
  for (std::size_t j = 0; j < sizes_.size(); ++j) {
    std::size_t size = 0;
    for (std::size_t shard = 0; shard < shards_; ++shard) {
      if (shard == shard_ && j == 0) first_chunk_ = size / kChunk;
      size += sizes[shard][j];
    }
    each_elements_.push_back(static_cast<double>(size));
    elements_ += each_elements_.back();
  }
  all_arrays_ = trees_of(sizes, false);
  each_array_ = trees_of(sizes, true);
  reserve(1);
}

void Reduction::reserve(std::size_t sums, std::size_t groups, std::size_t each) {
  length_ = std::max({kGreeting, kHeader + sums * all_arrays_.most_nodes, kHeader + groups,
                      kHeader + each * each_array_.most_nodes});
}

// --- sums ----------------------------------------------------------------------------------------
void Reduction::fold(const Trees& trees, std::span<const ChunkSums> sums, std::size_t apart) {
  // One message as long as the sums are no more than was said.
  const std::size_t most = (length_ - kHeader) / std::max<std::size_t>(1, trees.most_nodes);
  for (; sums.size() > most; sums = sums.subspan(most)) fold(trees, sums.first(most), apart);
  const std::size_t count = sums.size();
  const std::span<double> mine = message(kFolds + static_cast<double>(count));
  for (std::size_t j = 0; j < trees.nodes.size(); ++j) {
    for (std::size_t k = 0; k < count; ++k) {
      const ChunkSums& sum = sums[k];
      mine[j * count + k] = fold_chunks(sum.fold, sum.partials + trees.nodes[j].first * sum.stride,
                                        trees.nodes[j].count, sum.stride);
    }
  }
  exchange();
  for (std::size_t k = 0; k < count; ++k) {
    std::size_t begin = 0;
    double* result = sums[k].result;
    for (const std::size_t end : trees.ends) {
      const auto branches = std::span(trees.branches).subspan(begin, end - begin);
      *result = fold_branches(sums[k].fold, branches, k, count);
      begin = end;
      result += apart;
    }
  }
}

double Reduction::fold_branches(Fold fold, std::span<const Branch> branches, std::size_t sum,
                                std::size_t sums) {
  stack_.clear();
  heights_.clear();
  for (const Branch& branch : branches) {
    double value = from(branch.shard)[kHeader + branch.index * sums + sum];
    std::size_t height = branch.height;
    for (; !heights_.empty() && heights_.back() == height; ++height) {
      value = combine(fold, stack_.back(), value);
      stack_.pop_back();
      heights_.pop_back();
    }
    stack_.push_back(value);
    heights_.push_back(height);
  }
  double total = stack_.empty() ? 0.0 : stack_.back();
  for (std::size_t j = stack_.size(); j-- > 1;) total = combine(fold, stack_[j - 1], total);
  return total;
}

void Reduction::add(std::span<double> values) {
  while (!values.empty()) {
    const std::span<double> mine = message(kAdds);
    const std::size_t count = std::min(values.size(), mine.size());
    std::copy_n(values.begin(), count, mine.begin());
    exchange();
    std::fill_n(values.begin(), count, 0.0);
    for (std::size_t shard = 0; shard < shards_; ++shard) {
      for (std::size_t k = 0; k < count; ++k) values[k] += from(shard)[kHeader + k];
    }
    values = values.subspan(count);
  }
}

std::vector<double> Reduction::collect(std::span<const double> mine) {
  message(kCollects)[0] = static_cast<double>(mine.size());
  exchange();
  std::vector<std::vector<double>> parts(shards_);
  std::vector<std::size_t> counts;
  for (std::size_t shard = 0; shard < shards_; ++shard)
    counts.push_back(static_cast<std::size_t>(from(shard)[kHeader]));
  const std::size_t most = *std::max_element(counts.begin(), counts.end());
  const std::size_t room = length_ - kHeader;
  for (std::size_t begin = 0; begin < most; begin += room) {
    const std::span<double> piece = message(kCollects);
    const auto within = [&](std::size_t count) {
      return count > begin ? std::min(room, count - begin) : 0;
    };
    if (begin < mine.size()) {
      std::copy_n(mine.begin() + static_cast<std::ptrdiff_t>(begin), within(mine.size()),
                  piece.begin());
    }
    exchange();
    for (std::size_t shard = 0; shard < shards_; ++shard) {
      const std::span<const double> said = from(shard).subspan(kHeader, within(counts[shard]));
      parts[shard].insert(parts[shard].end(), said.begin(), said.end());
    }
  }
  std::vector<double> all;
  for (const std::vector<double>& part : parts) all.insert(all.end(), part.begin(), part.end());
  return all;
}

}  // namespace mdbopt
