// reducer – how the shards of a problem meet, whose arrays are cut over several threads, processes or
// machines: each holds a piece of every array, and all take the same decisions.
//
//   class Mpi final : public mdbopt::Reducer {
//     void gather(std::span<const double> mine, std::vector<double>& all) override {
//       all.resize(mine.size() * static_cast<std::size_t>(ranks));
//       const int count = static_cast<int>(mine.size());
//       MPI_Allgather(mine.data(), count, MPI_DOUBLE, all.data(), count, MPI_DOUBLE, MPI_COMM_WORLD);
//     }
//   };
//   mdbopt::search::Options options;
//   options.reducer = std::make_shared<Mpi>();
//
// It gathers and does not add, since every shard finishes the same tree of sums from the partial sums of
// all: so no two shards can disagree about a bit. Where the shards, in their order, begin at multiples of
// 1024 elements, the sums are those of whole arrays, to the bit; else they differ in rounding.
//
// Contract. Every shard makes the same calls on its search or updater, in the same order, with the same
// options and the same f; the library checks what it can, and what does not agree is a ShardError on every
// shard. Where a call throws on one shard, that shard says so in its next message, and the others throw
// ShardError, with its words. What a reducer throws passes. After any of these the search or updater is
// of no further use.
#pragma once

#include <span>
#include <stdexcept>
#include <vector>

namespace mdbopt {

// Another shard has failed, or something is not the same on all; RuntimeError in Python.
struct ShardError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

class Reducer {
 public:
  virtual ~Reducer() = default;
  // Fills `all` with what every shard has given, mine.size() numbers each, in one order of the shards
  // that is the same on all of them and in all calls. Returns once all shards have called.
  virtual void gather(std::span<const double> mine, std::vector<double>& all) = 0;
};

}  // namespace mdbopt
