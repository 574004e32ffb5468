// device – opens the device library once and says why where it cannot.
#include "device.h"

#include <dlfcn.h>
#include <mdbopt/error.h>

#include <cstdlib>
#include <filesystem>
#include <string>

namespace mdbopt {
namespace {

constexpr const char* kFileName = "libmdbopt_cuda.so";

// Of the shared object that this code is in.
std::filesystem::path own_folder() {
  Dl_info found{};
  if (dladdr(reinterpret_cast<const void*>(&own_folder), &found) == 0) return {};
  return std::filesystem::path(found.dli_fname).parent_path();
}

struct Opened {
  DeviceLibrary* library = nullptr;
  std::string why;  // empty when open
};

Opened open() {
  const char* named = std::getenv("MDBOPT_CUDA_LIBRARY");
  const bool chosen = named != nullptr && *named != '\0';
  const std::filesystem::path path = chosen ? named : own_folder() / kFileName;
  if (!std::filesystem::exists(path)) {
    return {nullptr, chosen ? "MDBOPT_CUDA_LIBRARY: " + path.string() + " does not exist"
                            : "this mdbopt was built without CUDA"};
  }
  void* handle = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (handle == nullptr) return {nullptr, std::string("cannot be opened: ") + dlerror()};
  auto entry = reinterpret_cast<DeviceLibraryEntry>(dlsym(handle, kDeviceLibraryEntry));
  DeviceLibrary* library = entry != nullptr ? entry(MDBOPT_VERSION) : nullptr;
  if (library == nullptr) {
    return {nullptr, path.string() + " is not of this mdbopt (" MDBOPT_VERSION ")"};
  }
  return {library, ""};
}

const Opened& opened() {
  static const Opened once = open();
  return once;
}

}  // namespace

DeviceLibrary& device_library() {
  const Opened& found = opened();
  if (found.library == nullptr) throw DeviceError("CUDA: " + found.why);
  return *found.library;
}

std::string no_device_because() {
  const Opened& found = opened();
  if (found.library == nullptr) return found.why;
  std::string why;
  return found.library->count(why) > 0 ? "" : why;
}

}  // namespace mdbopt
