// constructor – __init__ of a bound class that survives the end of memory.
#pragma once

#include <pybind11/pybind11.h>

#include <memory>
#include <utility>

namespace mdbopt::bind {

// As py::init of a function that gives a unique_ptr. There, when pybind11 finds no memory to record the
// new object, it frees the object twice, and with a bare pointer the process ends.
template <class T, class... Args, class... Extra>
void define_init(pybind11::class_<T>& type, std::unique_ptr<T> (*make)(Args...),
                 const Extra&... extra) {
  type.def(
      "__init__",
      [make](pybind11::detail::value_and_holder& self, Args... arguments) {
        std::unique_ptr<T> made = make(std::forward<Args>(arguments)...);
        self.value_ptr() = made.get();
        try {
          self.type->init_instance(self.inst, nullptr);
        } catch (...) {
          self.value_ptr() = nullptr;
          throw;
        }
        made.release();  // the instance holds it
      },
      pybind11::detail::is_new_style_constructor(), extra...);
}

}  // namespace mdbopt::bind
