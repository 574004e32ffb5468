// image – memory of the host that a program works on, and on a device its image there.
#pragma once

#include <cstddef>
#include <vector>

#include "../runtime/device.h"
#include "memory.h"

namespace mdbopt::search {

class Image {
 public:
  void begin(const Where& where) {
    where_ = where;
    regions_.clear();
  }
  // Where the program finds it.
  template <class Value>
  Value* add(Value* here, std::size_t count) {
    if (!where_ || where_->on_cpu()) return here;
    regions_.push_back({here, Memory(count * sizeof(Value), where_)});
    return static_cast<Value*>(regions_.back().there.data());
  }
  void write(DeviceProgram& program) const {
    for (const Region& region : regions_) {
      program.write(region.there.data(), region.here, region.there.bytes());
    }
  }
  void read(DeviceProgram& program) const {
    for (const Region& region : regions_) {
      program.read(region.here, region.there.data(), region.there.bytes());
    }
  }

 private:
  struct Region {
    void* here;
    Memory there;
  };
  Where where_;
  std::vector<Region> regions_;
};

}  // namespace mdbopt::search
