// reduction – the sums of arrays that are cut into shards: every shard finishes the one tree of fold.h
// from the nodes that each of them covers.
//
// Sums are of all arrays of a list, as one tree, or of each, as a tree of its own.
//
// A shard's chunks are a run of the whole's, or one for each array of a list. A run is made of a few
// nodes of the whole's tree, at most two for each of its levels; a message has the sums of these. Where a
// shard does not begin at a chunk, each shard is one node, and the nodes fold in the order of the shards.
#pragma once

#include <mdbopt/launch.h>
#include <mdbopt/reducer.h>

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "messages.h"

namespace mdbopt {

// Partial sums of a shard's chunks, one every `stride`, and where the sum of the whole goes.
struct ChunkSums {
  Fold fold;
  double* partials;
  std::size_t stride;
  double* result;
};

// A node of the tree: the chunks [first, first + count) of a shard, 2^height of the whole.
struct Node {
  std::size_t first, count, height;
};

// The nodes of a run of `count` chunks, which is chunk `begin` of the whole on, and `first` of its shard.
void add_nodes(std::size_t begin, std::size_t count, std::size_t first, std::vector<Node>& nodes);

class Reduction {
 public:
  // What has to be alike on all shards: a number, or a word.
  struct Fact {
    const char* name;
    double value;
    std::string word = {};
    Fact(const char* of, double number) : name(of), value(number) {}
    Fact(const char* of, const std::string& text);
    Fact(const char* of, const char* text) : Fact(of, std::string(text)) {}
  };

  explicit Reduction(std::shared_ptr<Reducer> reducer)
      : Reduction(std::make_shared<Messages>(std::move(reducer))) {}
  explicit Reduction(std::shared_ptr<Messages> messages) : messages_(std::move(messages)) {}

  const std::shared_ptr<Reducer>& reducer() const { return messages_->reducer(); }
  const std::shared_ptr<Messages>& messages() const { return messages_; }

  // Before the first sum over arrays of these sizes: all shards exchange them.
  void agree(std::span<const std::size_t> sizes, std::span<const Fact> facts);
  bool agreed(std::span<const Job> jobs) const;
  bool met() const { return met_; }
  bool failed() const { return messages_->failed(); }
  // Of the whole, after that.
  double elements() const { return elements_; }
  double elements(std::size_t array) const { return each_elements_[array]; }
  std::size_t first_chunk() const { return first_chunk_; }
  // The most sums of any pass, of these two kinds, and numbers of groups, so that they take one message.
  void reserve(std::size_t sums, std::size_t groups = 0, std::size_t each = 0);

  void tell(const char* name, double value) { messages_->tell(name, value); }
  // The sums of the whole, from the partial sums of this shard's chunks.
  void fold(std::span<const ChunkSums> sums) { fold(all_arrays_, sums, 0); }
  // One sum of each array of the whole, the results `apart`; partial sums are of all arrays' chunks.
  void fold_each(std::span<const ChunkSums> sums, std::size_t apart) {
    fold(each_array_, sums, apart);
  }
  // values[k] = Σ over the shards of values[k], in their order.
  void add(std::span<double> values);
  // What every shard has, one after the other.
  std::vector<double> collect(std::span<const double> mine);

  void fail(const char* words) noexcept { messages_->fail(words); }

 private:
  // What a node of some shard is to the whole's tree.
  struct Branch {
    std::size_t shard, index, height;
  };
  // Trees of the whole, one or as many as arrays.
  struct Trees {
    std::vector<Node> nodes;        // of this shard, tree by tree
    std::vector<Branch> branches;   // of all, from the left of each tree to the right
    std::vector<std::size_t> ends;  // of each tree's branches
    std::size_t most_nodes = 0;     // of any shard
  };

  std::size_t shards() const { return messages_->shards(); }
  std::size_t here() const { return messages_->shard(); }
  void lay_out(const std::vector<std::vector<std::size_t>>& sizes);
  Trees trees_of(const std::vector<std::vector<std::size_t>>& sizes, bool each) const;
  void fold(const Trees& trees, std::span<const ChunkSums> sums, std::size_t apart);
  double fold_branches(Fold fold, std::span<const Branch> branches, std::size_t sum,
                       std::size_t sums);

  std::shared_ptr<Messages> messages_;
  bool met_ = false;
  std::vector<std::size_t> sizes_;  // of this shard's arrays
  double elements_ = 0.0;
  std::vector<double> each_elements_;
  std::size_t first_chunk_ = 0;
  Trees all_arrays_, each_array_;
  std::vector<double> stack_;
  std::vector<std::size_t> heights_;
};

}  // namespace mdbopt
