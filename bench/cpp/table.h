// table – what a terminal shows of the rows.
#pragma once

#include <benchmark/benchmark.h>

namespace bench {

// Without the library's columns that mean nothing here: processor time counts copies too.
class Table : public benchmark::ConsoleReporter {
 public:
  Table() : ConsoleReporter(OO_None) {}

 protected:
  void PrintHeader(const Run& run) override;
  void PrintRunData(const Run& run) override;
};

}  // namespace bench
