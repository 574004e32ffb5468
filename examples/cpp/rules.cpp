// rules – prints every rule in words: what `run` and `Optimizer` take by names.
#include <mdbopt/by_name.h>

#include <cstdio>

int main() {
  for (std::size_t rule = 0; rule < mdbopt::rule_count(); ++rule)
    std::puts(mdbopt::signature(rule).c_str());
}
