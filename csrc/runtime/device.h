// device – what the core asks of a GPU: memory, copies, and the same rules on the same jobs.
//
// The code that knows CUDA is a library of its own, opened when a device is first asked for, so that
// the core runs where there is none. All work is queued on the stream of a Location, in order; nothing
// waits for a device but what returns numbers to the host.
#pragma once

#include <mdbopt/execution.h>
#include <mdbopt/tensor.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "../engine/program.h"

namespace mdbopt {

struct DeviceFacts {
  std::string name;
  int major, minor;  // compute capability
  int multiprocessors;
  std::size_t memory;  // bytes
};

// A step of an optimizer; see Updater (<mdbopt/updater.h>), whose members it repeats.
struct DeviceStep {
  // A number that the rule hands on from step to step: this sum is this scalar of the next.
  struct Carried {
    std::size_t scalar, sum;
  };
  // What follows the update, of rules/finish.h, over an average behind the update's streams where it has one.
  struct Following {
    std::size_t rule;
    std::size_t grad_scale_scalar;  // filled in on the device
    bool averages;
    double scalars[kMaxScalars];
  };
  static constexpr std::size_t kNone = kMaxScalars;

  std::size_t rule;
  Dtype dtype;
  std::span<const Job> jobs;
  const double* scalars;
  std::size_t t_scalar, grad_scale_scalar;  // filled in on the device; kNone: absent
  std::span<const Carried> carried;
  bool maximize;
  std::uint64_t seed;
  double max_norm;
  double clipped;  // what gradients are multiplied by where max_norm is 0, besides
  DeviceNumber grad_scale;
  DeviceNumber lr;  // of all jobs where `one_lr`, else each has its own
  bool one_lr;
  DeviceNumber found_inf;      // not 0: the step is skipped
  const Following* following;  // null: nothing follows
};

// What an optimizer keeps on a device: t, the numbers it carries, tables of arrays and working
// memory. A step needs nothing from the host but its queueing, so that a graph may record it.
class DeviceOptimizer {
 public:
  virtual ~DeviceOptimizer() = default;
  virtual void step(const DeviceStep& step, const Execution& execution) = 0;
  // t, the sums that carry numbers, and the numbers of each array, where the rule carries these: in the
  // order of DeviceStep::carried, array by array. read waits for the stream.
  virtual void read(std::uint64_t& t, double* sums, std::span<double> each) = 0;
  virtual void write(std::uint64_t t, const double* sums, std::span<const double> each) = 0;
  // Copies the norm that the last step looked at, a double, to memory on the device.
  virtual void copy_norm(void* to) = 0;
  virtual const Location& location() const = 0;
};

// A program whose control lies on a device, where it runs without being waited for.
class DeviceProgram {
 public:
  virtual ~DeviceProgram() = default;
  // `told`, whose f is this number, then the steps, in the order of the stream of the place.
  virtual void run(const Told& told, const DeviceNumber& f, const Location& location) = 0;
  // Whether a graph has recorded a run, which may then happen at any time.
  virtual bool recorded() const = 0;
  // Between memory of the host and what the program works on; read waits for the device.
  virtual void read(void* to, const void* from, std::size_t bytes) = 0;
  virtual void write(void* to, const void* from, std::size_t bytes) = 0;
};

class DeviceLibrary {
 public:
  virtual ~DeviceLibrary() = default;

  // Devices that can be used. Where there is none, `why` says why.
  virtual int count(std::string& why) = 0;
  virtual DeviceFacts facts(int device) = 0;

  // Memory in the order of the location's stream, aligned to 256 bytes; its contents are arbitrary.
  // Throws OutOfMemory.
  virtual void* allocate(const Location& location, std::size_t bytes) = 0;
  virtual void free(const Location& location, void* memory) noexcept = 0;
  // Bytes that allocate has given and free has not taken back.
  virtual std::size_t allocated(int device) = 0;

  // In stream order, between any two of device and host. Host memory is read before the call
  // returns, but written only by the time of synchronize.
  virtual void copy(const Location& location, void* to, const void* from, std::size_t bytes) = 0;
  // Sets bytes to 0.
  virtual void clear(const Location& location, void* memory, std::size_t bytes) = 0;
  // Waits until all work queued on the stream is done. Throws DeviceError for what went wrong in it.
  virtual void synchronize(const Location& location) = 0;
  // Work queued on `after` from now on waits for what is queued on `before`; both on one device.
  virtual void order(const Location& before, const Location& after) = 0;
  // Whether the stream is recording a graph rather than running.
  virtual bool capturing(const Location& location) = 0;

  // As `launch` of launch.h for one call after the other, with arrays on the device of
  // execution.location. Waits for the device once, at the end, and only when a call has sums that are
  // wanted: `sums` is not null.
  struct Call {
    std::size_t rule;
    std::span<const Job> jobs;
    const double* scalars;
    double* sums;
    bool applied = false;  // what launch returns
  };
  virtual void launch(Dtype dtype, std::span<Call> calls, const Execution& execution) = 0;

  virtual std::unique_ptr<DeviceOptimizer> optimizer(const Location& location) = 0;
  virtual std::unique_ptr<DeviceProgram> load(const Program& program, const Location& location) = 0;

  // As partition.h's, everything on the device.
  virtual void sum_groups(const Location& location, const Partition& partition,
                          const double* values, double* sums) = 0;
  virtual void spread_groups(const Location& location, const Partition& partition,
                             const double* per_group, double* values) = 0;
};

// The library, opened at the first call; throws DeviceError, saying why, where it cannot be. Opened
// from MDBOPT_CUDA_LIBRARY if that is set, else from beside this code.
DeviceLibrary& device_library();

// Why no device can be used; empty when one can.
std::string no_device_because();

// What the library exports under this name, given the version of the core that opens it; null when
// it is not its own.
inline constexpr const char* kDeviceLibraryEntry = "mdbopt_device_library";
using DeviceLibraryEntry = DeviceLibrary* (*)(const char* version);

}  // namespace mdbopt
