// update – a first-order optimizer at work on nested arrays of Python.
#pragma once

#include <mdbopt/updater.h>
#include <pybind11/pybind11.h>

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "argument_tree.h"
#include "worker.h"

namespace mdbopt::bind {

class Update {
 public:
  Update(const pybind11::dict& options, const std::string& optimizer, const pybind11::dict& state,
         const std::optional<std::string>& dtype);

  void configure(const pybind11::dict& options);

  // False when the step is skipped; else the norm of the gradients where one is bounded, or True. On a
  // device the norm is an array there, but none is made while a graph is recorded.
  pybind11::object step(const pybind11::object& params, const pybind11::object& grads,
                        const pybind11::object& lr, double grad_scale, bool skip, double max_norm,
                        const pybind11::object& copy, const pybind11::object& scalars,
                        const pybind11::object& there, const pybind11::object& weight_decay,
                        const std::optional<double>& norm, const pybind11::object& rows);

  // Throws for arrays that no step takes.
  void check(const pybind11::object& params, const pybind11::object& grads,
             const pybind11::object& rows);

  // Of shards: meets the others by the messages of another update, and before a step; see Updater.
  void share(const Update& other) { updater_.share(other.updater_); }
  void meet(const pybind11::object& params, const pybind11::object& grads, double max_norm,
            const pybind11::object& rows);

  // The norm of the gradients, divided by their scale; nothing is written.
  double norm(const pybind11::object& params, const pybind11::object& grads, double grad_scale,
              const pybind11::object& rows);

  // A step like the last one, on the same tensors of PyTorch; see Leaves::read_again. Empty, with
  // nothing changed, where it has to be read anew. `params` are told that they were written.
  pybind11::object step_again(std::span<const char* const> gradients, std::span<const double> rates,
                              std::span<const double> decays, double max_norm,
                              const pybind11::list& params);

  Updater& updater() { return updater_; }
  // These throw Error while another thread steps.
  std::uint64_t t();
  void set_t(std::uint64_t t);
  pybind11::dict numbers();
  void set_number(const std::string& name, double value);
  // Of each array.
  void set_numbers(const std::string& name, const std::vector<double>& values);

 private:
  struct Borrow;

  auto refuse_worker() const;
  pybind11::object stepped(const pybind11::object& params, const pybind11::object& grads,
                           const pybind11::object& lr, double grad_scale, bool skip,
                           double max_norm, const pybind11::object& copy,
                           const pybind11::object& scalars, const pybind11::object& there,
                           const pybind11::object& weight_decay, const std::optional<double>& norm);
  void read_as(const pybind11::dict& options);
  void read();
  void read_gradients(const pybind11::object& params, const pybind11::object& grads,
                      const pybind11::object& rows);
  bool list_trees();
  void read_there(const pybind11::dict& there, Updater::Call& call,
                  std::vector<Borrowed>& numbers) const;

  // Holds the stream that the updater's numbers are used on, for as long as there are any.
  CallStream at_;
  Updater updater_;
  pybind11::object decays_;  // of the options: a tree, or None where one number is for all
  Accepted accepted_{true, {}, true};
  ArgumentTrees trees_;
  Leaves leaves_;
  Worker worker_;
};

}  // namespace mdbopt::bind
