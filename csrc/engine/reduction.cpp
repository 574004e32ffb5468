// reduction – what the shards' messages say of their arrays, and the trees over them.
#include "reduction.h"

#include <mdbopt/error.h>

#include <algorithm>

#include "../base/fold.h"

namespace mdbopt {

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

// --- before the first sum ------------------------------------------------------------------------
void Reduction::agree(std::span<const std::size_t> sizes, std::span<const Fact> facts) {
  if (messages_->shards() == 0) messages_->greet();
  std::vector<double> numbers{static_cast<double>(sizes.size())};
  for (const Fact& fact : facts) numbers.push_back(fact.value);
  const std::vector<double> theirs = collect(numbers);
  if (theirs.size() != shards() * numbers.size()) {
    messages_->disagree("reducer: expected the same method on every shard, got several");
  }
  for (std::size_t shard = 1; shard < shards(); ++shard) {
    const double* other = theirs.data() + shard * numbers.size();
    for (std::size_t k = 0; k < facts.size(); ++k) {
      if (facts[k].word.empty() || theirs[k + 1] == other[k + 1]) {
        messages_->check_same(facts[k].name, theirs[k + 1], other[k + 1], shard);
        continue;
      }
      messages_->disagree(std::string(facts[k].name) + ": expected the same on every shard, got '" +
                          facts[k].word + "' here, and not the same on shard 0 and on shard " +
                          std::to_string(shard));
    }
    messages_->check_same("reducer: the number of arrays", theirs[0], other[0], shard);
  }
  const std::vector<double> all = collect(std::vector<double>(sizes.begin(), sizes.end()));
  std::vector<std::vector<std::size_t>> of_shards(shards());
  for (std::size_t k = 0; k < all.size(); ++k)
    of_shards[k / sizes.size()].push_back(static_cast<std::size_t>(all[k]));
  sizes_.assign(sizes.begin(), sizes.end());
  lay_out(of_shards);
  met_ = true;
}

bool Reduction::agreed(std::span<const Job> jobs) const {
  return met_ && std::equal(jobs.begin(), jobs.end(), sizes_.begin(), sizes_.end(),
                            [](const Job& job, std::size_t size) { return job.size == size; });
}

// Where arrays are not cut at chunks, each shard is one node, and they fold in their order.
Reduction::Trees Reduction::trees_of(const std::vector<std::vector<std::size_t>>& sizes,
                                     bool each) const {
  Trees trees;
  std::vector<std::size_t> counts(shards(), 0);  // of nodes
  std::vector<std::size_t> chunks(shards(), 0);
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
      for (std::size_t shard = 0; shard < shards(); ++shard) {
        const std::size_t own = sizes[shard][j];
        aligned = aligned && (own == 0 || size % kChunk == 0);
        std::vector<Node> nodes;
        add_nodes(before + size / kChunk, chunks_of(own), chunks[shard], nodes);
        chunks[shard] += chunks_of(own);
        size += own;
        for (const Node& node : nodes)
          trees.branches.push_back({shard, counts[shard]++, node.height});
        if (shard == here()) trees.nodes.insert(trees.nodes.end(), nodes.begin(), nodes.end());
      }
      before += chunks_of(size);
    }
    if (!aligned) {
      trees.branches.resize(known);
      trees.nodes.resize(nodes_before);
      counts = counts_before;
      for (std::size_t shard = 0; shard < shards(); ++shard) {
        trees.branches.push_back({shard, counts[shard]++, shards() - shard});
      }
      trees.nodes.push_back(
          {chunks_before[here()], chunks[here()] - chunks_before[here()], shards() - here()});
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
    for (std::size_t shard = 0; shard < shards(); ++shard) {
      if (shard == here() && j == 0) first_chunk_ = size / kChunk;
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
  messages_->widen(
      std::max({sums * all_arrays_.most_nodes, groups, each * each_array_.most_nodes}));
}

// --- sums ----------------------------------------------------------------------------------------
void Reduction::fold(const Trees& trees, std::span<const ChunkSums> sums, std::size_t apart) {
  // One message as long as the sums are no more than was said.
  const std::size_t most = messages_->room() / std::max<std::size_t>(1, trees.most_nodes);
  for (; sums.size() > most; sums = sums.subspan(most)) fold(trees, sums.first(most), apart);
  const std::size_t count = sums.size();
  const std::span<double> mine = messages_->write(Messages::kFolds + static_cast<double>(count));
  for (std::size_t j = 0; j < trees.nodes.size(); ++j) {
    for (std::size_t k = 0; k < count; ++k) {
      const ChunkSums& sum = sums[k];
      mine[j * count + k] = fold_chunks(sum.fold, sum.partials + trees.nodes[j].first * sum.stride,
                                        trees.nodes[j].count, sum.stride);
    }
  }
  messages_->exchange();
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
    double value = messages_->from(branch.shard)[branch.index * sums + sum];
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
    const std::span<double> mine = messages_->write(Messages::kAdds);
    const std::size_t count = std::min(values.size(), mine.size());
    std::copy_n(values.begin(), count, mine.begin());
    messages_->exchange();
    std::fill_n(values.begin(), count, 0.0);
    for (std::size_t shard = 0; shard < shards(); ++shard) {
      for (std::size_t k = 0; k < count; ++k) values[k] += messages_->from(shard)[k];
    }
    values = values.subspan(count);
  }
}

std::vector<double> Reduction::collect(std::span<const double> mine) {
  messages_->write(Messages::kCollects)[0] = static_cast<double>(mine.size());
  messages_->exchange();
  std::vector<std::vector<double>> parts(shards());
  std::vector<std::size_t> counts;
  for (std::size_t shard = 0; shard < shards(); ++shard)
    counts.push_back(static_cast<std::size_t>(messages_->from(shard)[0]));
  const std::size_t most = *std::max_element(counts.begin(), counts.end());
  const std::size_t room = messages_->room();
  for (std::size_t begin = 0; begin < most; begin += room) {
    const std::span<double> piece = messages_->write(Messages::kCollects);
    const auto within = [&](std::size_t count) {
      return count > begin ? std::min(room, count - begin) : 0;
    };
    if (begin < mine.size()) {
      std::copy_n(mine.begin() + static_cast<std::ptrdiff_t>(begin), within(mine.size()),
                  piece.begin());
    }
    messages_->exchange();
    for (std::size_t shard = 0; shard < shards(); ++shard) {
      const std::span<const double> said = messages_->from(shard).first(within(counts[shard]));
      parts[shard].insert(parts[shard].end(), said.begin(), said.end());
    }
  }
  std::vector<double> all;
  for (const std::vector<double>& part : parts) all.insert(all.end(), part.begin(), part.end());
  return all;
}

}  // namespace mdbopt
