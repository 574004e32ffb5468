// face_walks – what face.h has on the host: its slots, and its walks.
#pragma once

#include <cstddef>
#include <vector>

#include "builder.h"
#include "face.h"
#include "image.h"

namespace mdbopt::search {

class FaceWalks {
 public:
  // For as many pairs as there may be slots of the ring but one.
  void link(GuardedControl& c, std::size_t slots, Image& image, Builder& builder) {
    const std::size_t pairs = slots - 1;
    const std::size_t triples = (pairs + kTriple - 1) / kTriple;
    pairs_.assign(pairs, {});
    blocks_.assign(triples * (triples + 1) / 2, {});
    c.memory = static_cast<std::int64_t>(pairs);
    c.closed = true;  // so that the first judgement begins with nothing wanted
    c.face_pairs = image.add(pairs_.data(), pairs_.size());
    c.blocks = image.add(blocks_.data(), blocks_.size());
    builder.locate(pairs_.data(), pairs_.size() * sizeof(FacePair), c.face_pairs);
    builder.locate(blocks_.data(), blocks_.size() * sizeof(Slot), c.blocks);
  }
  // One pass: each table reads what is restricted in it.
  void close(Builder& builder, GuardedControl& c) {
    builder.apply<rules::FaceMask>(c.slots.face_mask);
    for (FacePair& pair : pairs_) builder.apply<rules::Restrict>(pair.restrict).joins = true;
    for (FacePair& pair : pairs_) {
      builder.gather<rules::Dots<rules::PairDot>>(pair.dot).joins = true;
    }
    for (Slot& block : blocks_) builder.gather<rules::PairTable>(block).joins = true;
  }
  // Of the pass.
  static std::size_t sums(std::size_t pairs) {
    const std::size_t triples = (pairs + kTriple - 1) / kTriple;
    return pairs + kTriple * kTriple * triples * (triples + 1) / 2;
  }

 private:
  std::vector<FacePair> pairs_;
  std::vector<Slot> blocks_;
};

}  // namespace mdbopt::search
