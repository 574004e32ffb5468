// flush – within the scope subnormal numbers count as 0, and the mode that was comes back.
#include "engine/flush.h"

#include <limits>

#include "check.h"

using mdbopt::FlushSubnormals;

namespace {

// Volatile: the compiler must neither compute ahead nor move the product across a scope.
template <class Real>
bool makes_subnormal() {
  volatile Real least = std::numeric_limits<Real>::min();
  volatile Real product = least * Real(0.5);
  return product != Real(0);
}
template <class Real>
bool reads_subnormal() {
  volatile Real least = std::numeric_limits<Real>::denorm_min();
  volatile Real product = least * Real(0x1p20);
  return product != Real(0);
}

bool keeps() {
  const bool kept = makes_subnormal<float>();
  CHECK_EQUAL(makes_subnormal<double>(), kept);
  CHECK_EQUAL(reads_subnormal<float>(), kept);
  CHECK_EQUAL(reads_subnormal<double>(), kept);
  return kept;
}

void a_scope_flushes() {
  CHECK(keeps());
  {
    const FlushSubnormals scope(true);
    CHECK(!keeps());
  }
  CHECK(keeps());
}

void a_scope_may_do_nothing() {
  const FlushSubnormals scope(false);
  CHECK(keeps());
}

void scopes_nest() {
  const FlushSubnormals outer(true);
  {
    const FlushSubnormals inner(true);
    CHECK(!keeps());
  }
  CHECK(!keeps());
}

void an_error_leaves_the_scope() {
  try {
    const FlushSubnormals scope(true);
    throw 1;
  } catch (int) {
    CHECK(keeps());
  }
}

}  // namespace

int main() {
#if defined(__SSE2__) || defined(__aarch64__)
  a_scope_flushes();
  scopes_nest();
  a_scope_may_do_nothing();
  an_error_leaves_the_scope();
#endif
  CHECK(keeps());
  return check::result();
}
