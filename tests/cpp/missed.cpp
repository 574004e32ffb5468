// missed – a decay that makes up for steps: its factor is that of all of them, and one step's is itself.
#include "update/missed.h"

#include <cmath>

#include "check.h"

using mdbopt::decay_made_up;

namespace {

void the_factor_is_that_of_all_steps() {
  for (double lr : {1e-3, 0.5, 2.0}) {
    for (double w : {1e-2, 0.3}) {
      double factor = 1.0 - lr * w;
      for (double missed = 1.0; missed < 50.0; missed += 1.0) {
        factor *= 1.0 - lr * w;
        CHECK(std::abs(1.0 - lr * decay_made_up(w, lr, missed) - factor) < 1e-14);
      }
    }
  }
}

void where_nothing_is_made_up_it_is_itself() {
  CHECK_BITS(decay_made_up(0.3, 0.1, 0.0), 0.3);
  CHECK_BITS(decay_made_up(0.0, 0.1, 7.0), 0.0);
  CHECK_BITS(decay_made_up(0.3, 0.0, 7.0), 0.3);
}

}  // namespace

int main() {
  the_factor_is_that_of_all_steps();
  where_nothing_is_made_up_it_is_itself();
  return check::result();
}
