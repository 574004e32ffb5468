// messages – what shards give each other: rows of numbers of one length, each of which says what it is.
//
// All messages have one length, so that a shard which fails can take its turn whatever the others wait for.
// Several reductions whose sums a step takes one after the other share them: then a failure in one ends all.
#pragma once

#include <mdbopt/reducer.h>

#include <algorithm>
#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace mdbopt {

// The messages and bytes that this thread has given to other shards, for tests of what is promised.
struct Exchanged {
  std::size_t messages;
  std::size_t bytes;
};
Exchanged& exchanged();

class Messages {
 public:
  // What a message is; a fold has its number of sums, too.
  static constexpr double kGreets = 1.0;
  static constexpr double kCollects = 2.0;
  static constexpr double kAdds = 3.0;
  static constexpr double kFolds = 4.0;

  explicit Messages(std::shared_ptr<Reducer> reducer) : reducer_(std::move(reducer)) {}

  const std::shared_ptr<Reducer>& reducer() const { return reducer_; }
  // Which shard this is, and of how many: once they have greeted each other.
  std::size_t shard() const { return shard_; }
  std::size_t shards() const { return shards_; }
  bool failed() const { return failed_; }

  void greet();
  // How many numbers a message says, and how to make that as many, or more, on all shards alike.
  std::size_t room() const { return length_ - kHeader; }
  void widen(std::size_t numbers) { length_ = std::max(length_, kHeader + numbers); }
  // A message of zeros, to be filled in and exchanged for those of all shards.
  std::span<double> write(double kind);
  void exchange();
  std::span<const double> from(std::size_t shard) const { return row(shard).subspan(kHeader); }

  // A number that all messages from now on carry, and that must be the same on all shards.
  void tell(const char* name, double value);
  // Throws on all shards, which have both numbers.
  void check_same(const std::string& name, double first, double other, std::size_t shard);
  [[noreturn]] void disagree(const std::string& words);
  // Ends the other shards with these words, if they wait or will wait for this one.
  void fail(const char* words) noexcept;

 private:
  // Of a message: what it is, the how manyth, the number that is told; then what it says.
  enum Header : std::size_t { kKind, kNumber, kTold, kHeader };
  static constexpr double kFailed = 0.0;
  static constexpr std::size_t kGreeting = 64;

  std::span<const double> row(std::size_t shard) const;
  void compare(const std::string& name, Header position);

  std::shared_ptr<Reducer> reducer_;
  std::size_t shard_ = 0, shards_ = 0;
  std::vector<double> mine_, all_;
  std::size_t length_ = kGreeting;
  double number_ = 0.0;
  std::string told_name_ = "f";
  double told_ = 0.0;
  bool failed_ = false;
};

}  // namespace mdbopt
