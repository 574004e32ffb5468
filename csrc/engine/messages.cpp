// messages – given, and compared where all shards have to have said the same.
#include "messages.h"

#include <mdbopt/error.h>

#include <charconv>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <random>

namespace mdbopt {
namespace {

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

std::span<double> Messages::write(double kind) {
  mine_.assign(length_, 0.0);
  mine_[kKind] = kind;
  mine_[kNumber] = number_;
  mine_[kTold] = told_;
  return std::span(mine_).subspan(kHeader);
}

std::span<const double> Messages::row(std::size_t shard) const {
  return std::span(all_).subspan(shard * length_, length_);
}

void Messages::exchange() {
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
    const std::span<const double> theirs = row(shard);
    if (theirs[kKind] != kFailed) continue;
    std::string words;
    for (std::size_t k = kHeader; k < length_ && theirs[k] != 0.0; ++k)
      words += static_cast<char>(static_cast<unsigned char>(theirs[k]));
    disagree("shard " + std::to_string(shard) + " has failed: " + words);
  }
  compare(told_name_, kTold);
  compare("reducer: the call", kKind);
  compare("reducer: the number of calls", kNumber);
  ++number_;
}

// All shards see the same messages, so that all of them throw.
void Messages::compare(const std::string& name, Header position) {
  for (std::size_t shard = 1; shard < all_.size() / length_; ++shard) {
    check_same(name, row(0)[position], row(shard)[position], shard);
  }
}

void Messages::check_same(const std::string& name, double first, double other, std::size_t shard) {
  if (first == other || (std::isnan(first) && std::isnan(other))) return;
  disagree(name + ": expected the same on every shard, got " + words_of(first) +
           " on shard 0 and " + words_of(other) + " on shard " + std::to_string(shard));
}

void Messages::disagree(const std::string& words) {
  failed_ = true;
  throw ShardError(words);
}

void Messages::fail(const char* words) noexcept {
  if (failed_) return;
  failed_ = true;
  try {
    const std::span<double> text = write(kFailed);
    const std::size_t most = std::min(std::strlen(words), text.size());
    for (std::size_t k = 0; k < most; ++k) text[k] = static_cast<unsigned char>(words[k]);
    reducer_->gather(mine_, all_);
  } catch (...) {  // the error that brought us here is the one to see
  }
}

void Messages::tell(const char* name, double value) {
  told_name_ = name;
  told_ = value;
}

void Messages::greet() {
  const double mark = token();
  write(kGreets)[0] = mark;
  exchange();
  const std::size_t shards = all_.size() / length_;
  std::size_t found = 0;
  for (std::size_t shard = 0; shard < shards; ++shard) {
    if (from(shard)[0] != mark) continue;
    shard_ = shard;
    ++found;
  }
  if (found != 1) {
    throw Error("reducer: expected what this shard gave once among what all gave, got it " +
                std::to_string(found) + " times");
  }
  shards_ = shards;
}

}  // namespace mdbopt
