// nearest – the names that are most like one that there is none of.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace mdbopt {

// How many letters have to be put in, left out or exchanged: Wagner, Fischer 1974, algorithm X, in one row.
inline std::size_t letters_apart(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j < row.size(); ++j) row[j] = j;
  for (std::size_t i = 0; i < a.size(); ++i) {
    std::size_t diagonal = std::exchange(row[0], i + 1);
    for (std::size_t j = 0; j < b.size(); ++j) {
      const std::size_t exchanged = diagonal + (a[i] == b[j] ? 0U : 1U);
      diagonal = row[j + 1];
      row[j + 1] = std::min({exchanged, diagonal + 1, row[j] + 1});
    }
  }
  return row.back();
}

// At most three of them, the nearest first, those as near in their own order: "'adam', 'nadam', 'adamax'".
inline std::string nearest_names(std::string_view name,
                                 const std::vector<std::string_view>& names) {
  std::vector<std::pair<std::size_t, std::size_t>> order;
  for (std::size_t k = 0; k < names.size(); ++k)
    order.emplace_back(letters_apart(name, names[k]), k);
  std::sort(order.begin(), order.end());
  std::string text;
  for (std::size_t k = 0; k < std::min<std::size_t>(3, names.size()); ++k)
    text += (k > 0 ? ", '" : "'") + std::string(names[order[k].second]) + "'";
  return text;
}

}  // namespace mdbopt
