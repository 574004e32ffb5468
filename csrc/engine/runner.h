// runner – runs a program on the CPU.
#pragma once

#include <mdbopt/execution.h>

#include <utility>
#include <vector>

#include "launch.h"
#include "program.h"

namespace mdbopt {

class ProgramRunner {
 public:
  ProgramRunner() = default;
  explicit ProgramRunner(Program of) : program(std::move(of)) {}

  Program program;
  // Neighbouring walks that join one another are one pass, however many of them are wanted.
  void run(const Told& told, const Execution& execution);

 private:
  void add(const Step& step, const Execution& execution);
  void flush(const Execution& execution);

  std::vector<PassWalk> pass_;  // that waits for the rest of it
  std::size_t size_ = 0;
  bool sharded_ = true;
};

}  // namespace mdbopt
