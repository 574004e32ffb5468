// fields – a visitor over the state of a search: named numbers and named arrays, listed once for
// saving, loading and inspecting alike.
#pragma once

#include <cstdint>
#include <string>

#include "buffer.h"

namespace mdbopt::search {

class Fields {
 public:
  virtual ~Fields() = default;
  virtual void number(const std::string& name, double& value) = 0;
  virtual void count(const std::string& name, std::int64_t& value) = 0;
  virtual void array(const std::string& name, Buffer& value) = 0;
};

}  // namespace mdbopt::search
