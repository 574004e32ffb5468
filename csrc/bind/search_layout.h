// search_layout – the state of a search as a table of numbers and a few arrays of fixed sizes, for those who
// cannot have arrays come and go: pairs that are yet to come have their room.
#pragma once

#include <mdbopt/error.h>

#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "../search/search.h"
#include "search_fields.h"

namespace mdbopt::bind {

// Where an array of a search is kept: the ring of pairs, s0, s1, …, is one array with a row for each.
struct SearchPlace {
  std::string name;
  std::size_t row;
};
inline SearchPlace place_of(const std::string& field) {
  const bool pair = field.size() > 1 && (field[0] == 's' || field[0] == 'y') &&
                    field.find_first_not_of("0123456789", 1) == std::string::npos;
  if (pair) return {field.substr(0, 1), static_cast<std::size_t>(std::stoul(field.substr(1)))};
  return {field, 0};
}

struct SearchArray {
  std::string name;
  Dtype dtype;
  std::size_t rows, columns;
};

// Visits an empty search with as many pairs as there may be.
class SearchLayout final : public search::Fields {
 public:
  std::size_t numbers = 0;
  std::vector<SearchArray> arrays;

  bool loading() const override { return true; }
  void word(const std::string&, const std::string&) override { ++numbers; }
  void number(const std::string&, double&, const search::Range&) override { ++numbers; }
  void count(const std::string& name, std::int64_t& value, std::int64_t,
             std::int64_t most) override {
    ++numbers;
    if (name == "pairs_used") value = most;
  }
  void array(const std::string& name, search::Buffer& value, const search::Range&) override {
    const SearchPlace place = place_of(name);
    for (SearchArray& array : arrays) {
      if (array.name != place.name) continue;
      array.rows = place.row + 1;
      return;
    }
    arrays.push_back({place.name, value.dtype(), 1, value.size()});
  }
};

}  // namespace mdbopt::bind
