// xla_targets – the calls for XLA that are compiled in, none where the headers of jaxlib were missing.
#pragma once

#include <vector>

namespace mdbopt::bind {

struct XlaTarget {
  const char* name;
  void* handler;
};

// Each is entered by the file that has it, while the extension is loaded: so that no other file is compiled in another
// way where they are.
std::vector<XlaTarget>& entered_xla_targets();

struct EnteredXlaTarget {
  EnteredXlaTarget(const char* name, void* handler) {
    entered_xla_targets().push_back({name, handler});
  }
};

}  // namespace mdbopt::bind
