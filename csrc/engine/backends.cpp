// backends – the one choice of a backend: the best instruction set that this processor supports,
// unless told otherwise.
#include <mdbopt/error.h>

#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "../base/nearest.h"
#include "../rules/rules.h"
#include "backend.h"

namespace mdbopt {

// Where macOS is compiled for several processors at once, the others have the baseline alone.
#ifndef __x86_64__
#undef MDBOPT_BACKENDS
#define MDBOPT_BACKENDS MDBOPT_BACKEND(baseline)
#endif

// MDBOPT_BACKENDS, of the build, is MDBOPT_BACKEND(name) for each that is compiled, best first.
#define MDBOPT_BACKEND(isa)      \
  namespace isa {                \
  extern const Backend kBackend; \
  }
MDBOPT_BACKENDS
#undef MDBOPT_BACKEND

namespace {

#define MDBOPT_BACKEND(isa) &isa::kBackend,
const Backend* const kBackends[] = {MDBOPT_BACKENDS};
#undef MDBOPT_BACKEND
constexpr std::size_t kBackendCount = sizeof(kBackends) / sizeof(kBackends[0]);

template <class List>
struct Descriptions;
template <template <class...> class List, class... Rule>
struct Descriptions<List<Rule...>> {
  static constexpr Description all[] = {MDBOPT_ISA::describe<Rule>()...};
};
using AllDescriptions = Descriptions<MDBOPT_ISA::Rules>;

std::string names() {
  std::string text;
  for (const Backend* backend : kBackends) {
    if (!text.empty()) text += ", ";
    text += backend->name;
    if (!backend->supported()) text += " (not supported by this processor)";
  }
  return text;
}

const Backend& choose() {
  if (const char* forced = std::getenv("MDBOPT_BACKEND"); forced != nullptr && *forced != '\0') {
    try {
      return find_backend(forced);
    } catch (const Error& error) {
      throw Error(std::string("MDBOPT_BACKEND, ") + error.what());
    }
  }
  for (const Backend* backend : kBackends) {
    if (backend->supported()) return *backend;
  }
  throw Error("backend: none that this library was built with can run here: " + names() +
              "; build it without MDBOPT_NATIVE");
}

}  // namespace

std::size_t rule_count() { return MDBOPT_ISA::Rules::count; }

const Description& rule_description(std::size_t rule) { return AllDescriptions::all[rule]; }

std::size_t find_rule(const char* name) {
  for (std::size_t rule = 0; rule < rule_count(); ++rule) {
    if (std::strcmp(AllDescriptions::all[rule].name, name) == 0) return rule;
  }
  std::vector<std::string_view> names;
  for (const Description& rule : AllDescriptions::all) names.push_back(rule.name);
  throw Error("no rule '" + std::string(name) + "'; the nearest of " +
              std::to_string(rule_count()) + " are " + nearest_names(name, std::move(names)));
}

std::size_t scalar_named(const Description& rule, const char* name) {
  for (std::size_t k = 0; k < rule.scalar_count; ++k) {
    if (std::strcmp(rule.scalars[k].name, name) == 0) return k;
  }
  return kMaxScalars;
}

std::size_t backend_count() { return kBackendCount; }

const Backend& backend_at(std::size_t index) { return *kBackends[index]; }

const Backend& find_backend(const char* name) {
  for (const Backend* backend : kBackends) {
    if (std::strcmp(backend->name, name) == 0 && backend->supported()) return *backend;
  }
  throw Error("backend: '" + std::string(name) + "' cannot run here; expected one of " + names());
}

const Backend& active_backend() {
  static const Backend& active = choose();
  return active;
}

}  // namespace mdbopt
