// main – every rule × dtype × backend × size × number of threads as a benchmark of its own, named
// rule/dtype/backend/n:…/threads:…
#include <benchmark/benchmark.h>
#include <mdbopt/error.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <string>
#include <vector>

#include "arrays.h"
#include "engine/launch.h"
#include "engine/pool.h"
#include "row.h"
#include "table.h"

namespace {

using mdbopt::Dtype;

constexpr const char* kHelp =
    "Bytes a second of every rule beside a copy loop of the same traffic.\n"
    "  --sizes=1e3,3e4,1e6,1e7,1e8   elements, from 1e3 to 1e8\n"
    "  --threads=1,all\n"
    "  --benchmark_filter=norm/float32/.*/n:1000000/\n"
    "and the other options of Google Benchmark:\n\n";

struct Options {
  std::vector<std::size_t> sizes{1'000, 30'000, 1'000'000, 10'000'000, 100'000'000};
  std::vector<std::size_t> threads{1, mdbopt::default_threads()};
  bool table = true;
};

std::vector<std::size_t> numbers(const std::string& flag, const std::string& list, double least,
                                 double most) {
  std::vector<std::size_t> all;
  for (std::size_t begin = 0; begin <= list.size();) {
    const std::size_t end = std::min(list.find(',', begin), list.size());
    const std::string word = list.substr(begin, end - begin);
    char* rest = nullptr;
    double number = std::strtod(word.c_str(), &rest);
    if (flag == "--threads" && word == "all") {
      number = static_cast<double>(mdbopt::default_threads());
    } else if (word.empty() || *rest != '\0' || number != std::floor(number) ||
               !(number >= least && number <= most)) {
      char text[200];
      std::snprintf(text, sizeof text, "%s: expected whole numbers from %g to %g, got '%s'",
                    flag.c_str(), least, most, word.c_str());
      throw mdbopt::Error(text);
    }
    all.push_back(static_cast<std::size_t>(number));
    begin = end + 1;
  }
  return all;
}

// Takes our own options out of the list.
Options read_options(std::vector<std::string>& words) {
  Options options;
  std::vector<std::string> others;
  for (const std::string& word : words) {
    const std::size_t equals = std::min(word.find('='), word.size());
    const std::string flag = word.substr(0, equals);
    const std::string value = word.substr(std::min(equals + 1, word.size()));
    if (flag == "--sizes") {
      options.sizes = numbers(flag, value, 1e3, 1e8);
    } else if (flag == "--threads") {
      options.threads = numbers(flag, value, 1, 4096);
    } else {
      if (flag == "--help") std::fputs(kHelp, stdout);
      if (flag == "--benchmark_format") options.table = value == "console";
      others.push_back(word);
    }
  }
  words = others;
  return options;
}

// Whether the streams are stored as in a call of an earlier dtype: then it is the same walk.
bool repeats(const mdbopt::Description& rule, std::size_t dtype) {
  for (std::size_t earlier = 0; earlier < dtype; ++earlier) {
    bool same = true;
    for (std::size_t k = 0; k < rule.stream_count; ++k) {
      const mdbopt::Storage storage = rule.streams[k].storage;
      same = same && mdbopt::stored_dtype(storage, static_cast<Dtype>(dtype)) ==
                         mdbopt::stored_dtype(storage, static_cast<Dtype>(earlier));
    }
    if (same) return true;
  }
  return false;
}

// Rows that share arrays follow each other.
std::vector<bench::Row> rows(const Options& options) {
  std::vector<bench::Row> all;
  for (std::size_t rule = 0; rule < mdbopt::rule_count(); ++rule) {
    for (std::size_t dtype = 0; dtype < mdbopt::kDtypeCount; ++dtype) {
      if (repeats(mdbopt::rule_description(rule), dtype)) continue;
      for (const std::size_t size : options.sizes) {
        for (std::size_t k = 0; k < mdbopt::backend_count(); ++k) {
          const mdbopt::Backend& backend = mdbopt::backend_at(k);
          const mdbopt::CompiledRule& sweep = backend.table[rule][dtype];
          if (!backend.supported() || (sweep.gather == nullptr && sweep.apply == nullptr)) continue;
          for (const std::size_t threads : options.threads) {
            all.push_back({rule, static_cast<Dtype>(dtype), &backend, size, threads});
          }
        }
      }
    }
  }
  return all;
}

int run(std::vector<std::string> words) {
  Options options = read_options(words);
  std::sort(options.threads.begin(), options.threads.end());
  options.threads.erase(std::unique(options.threads.begin(), options.threads.end()),
                        options.threads.end());
  // First, so that a later one counts. (A time set on a benchmark would end in its name.)
  words.insert(words.begin() + 1, "--benchmark_min_time=0.02");
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  int count = static_cast<int>(arguments.size());
  arguments.push_back(nullptr);
  benchmark::Initialize(&count, arguments.data());
  if (benchmark::ReportUnrecognizedArguments(count, arguments.data())) return 1;

  bench::Arrays arrays;
  for (const bench::Row& row : rows(options)) {
    const auto measure = [row, &arrays](benchmark::State& state) {
      bench::measure(state, row, arrays);
    };
    benchmark::RegisterBenchmark(row.name().c_str(), measure)->UseManualTime();
  }
  bench::Table table;
  const std::size_t matched = options.table ? benchmark::RunSpecifiedBenchmarks(&table)
                                            : benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
  return matched > 0 ? 0 : 1;
}

}  // namespace

int main(int count, char** arguments) {
  try {
    return run({arguments, arguments + count});
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}
