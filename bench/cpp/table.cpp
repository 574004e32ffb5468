// table – name, time, rates and the share of the copy.
#include "table.h"

#include <cstdio>
#include <string>

#include "row.h"

namespace bench {
namespace {

// The library appends how time was taken.
std::string name_of(const benchmark::BenchmarkReporter::Run& run) {
  std::string name = run.benchmark_name();
  const std::string suffix = "/manual_time";
  if (const std::size_t at = name.find(suffix); at != std::string::npos) {
    name.erase(at, suffix.size());
  }
  return name;
}

}  // namespace

void Table::PrintHeader(const Run&) {
  std::printf("%-*s %12s %8s %9s %7s\n", static_cast<int>(name_field_width_), "", "us", "GB/s",
              "copy GB/s", "copy%");
}

void Table::PrintRunData(const Run& run) {
  if (run.counters.empty()) return ConsoleReporter::PrintRunData(run);
  // Of repetitions: their coefficient of variation, which the library gives as shares.
  const bool shares =
      run.run_type == Run::RT_Aggregate && run.aggregate_unit == benchmark::kPercentage;
  const double time = shares ? run.real_accumulated_time : run.GetAdjustedRealTime();
  const double to_table = shares ? 100.0 : 1e6 / benchmark::GetTimeUnitMultiplier(run.time_unit);
  const double rate = shares ? 100.0 : 1e-9;
  const double percent = shares ? 100.0 : 1.0;
  std::printf("%-*s %12.3f %8.2f %9.2f %7.1f%s\n", static_cast<int>(name_field_width_),
              name_of(run).c_str(), time * to_table, run.counters.at(kRate) * rate,
              run.counters.at(kCopyRate) * rate, run.counters.at(kPercent) * percent,
              shares ? " %" : "");
  std::fflush(stdout);
}

}  // namespace bench
