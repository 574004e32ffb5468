// device_judge_graph – judgements that a graph has recorded leave the state of those on the CPU.
//
// Skips where MDBOPT_CUDA_LIBRARY names no emulated one: the other keeps CUDA's runtime to itself.
#include <dlfcn.h>
#include <mdbopt/error.h>

#include <cstdlib>

#include "sides.h"

namespace {

// CUDA's runtime as the emulated library offers it.
class Runtime {
 public:
  Runtime() {
    const char* path = std::getenv("MDBOPT_CUDA_LIBRARY");
    if (path != nullptr) library_ = dlopen(path, RTLD_LAZY | RTLD_LOCAL);
  }
  ~Runtime() {
    if (library_ != nullptr) dlclose(library_);
  }
  Runtime(const Runtime&) = delete;
  Runtime& operator=(const Runtime&) = delete;
  bool here() const { return library_ != nullptr && dlsym(library_, "emulated_count") != nullptr; }
  std::uint64_t count(const char* what) const {
    return reinterpret_cast<std::uint64_t (*)(const char*)>(dlsym(library_, "emulated_count"))(
        what);
  }
  template <class... Argument>
  void call(const char* name, Argument... arguments) const {
    CHECK_EQUAL(reinterpret_cast<int (*)(Argument...)>(dlsym(library_, name))(arguments...), 0);
  }

 private:
  void* library_ = nullptr;
};

void recorded(const Runtime& cuda, const std::string& name, Options options) {
  const Where where = std::make_shared<Location>(Location{0});
  void* stream = nullptr;
  cuda.call("cudaStreamCreateWithFlags", &stream, 1U);
  options.forward = 2.0;
  {
    Side<double> cpu(options, kObjectives[2], nullptr);
    Side<double> there(options, kObjectives[2], where);
    const auto record = [&] {
      Tensor g = there.g.tensor();
      g.location.stream = stream;
      cuda.call("cudaStreamBeginCapture", stream, 2);
      there.search->judge_async(there.f_there(), g);
    };
    const Buffer& trial = there.search->propose_async();
    cuda.call("cudaStreamSynchronize", static_cast<void*>(nullptr));
    const std::uint64_t waits = cuda.count("synchronizations");
    record();
    CHECK_THROWS(mdbopt::DeviceError, "a graph is being recorded, and the state",
                 there.search->accepted());
    void* graph = nullptr;
    cuda.call("cudaStreamEndCapture", stream, &graph);
    void* exec = nullptr;
    cuda.call("cudaGraphInstantiate", &exec, graph, 0ULL);
    CHECK_EQUAL(cuda.count("synchronizations"), waits);
    std::int64_t more = 0;
    for (int k = 0; k < 20; ++k) {
      cpu.step();
      do {
        there.problem.at(trial);
        there.told();
        cuda.call("cudaStreamSynchronize", static_cast<void*>(nullptr));
        cuda.call("cudaGraphLaunch", exec, stream);
        ++more;
      } while (!std::isfinite(there.state().numbers.at("moved")));
      --more;
      const std::string differs = difference(there.state(), cpu.state(), more);
      if (differs.empty()) continue;
      check::fail(__FILE__, __LINE__) << name << ", recorded, step " << k << ':' << differs << '\n';
      break;
    }
    CHECK((cpu.search->ncut() > 0 || options.method == "guarded") && cpu.search->accepted() > 0);
    cuda.call("cudaGraphExecDestroy", exec);
    cuda.call("cudaGraphDestroy", graph);
  }
  cuda.call("cudaStreamSynchronize", stream);
  cuda.call("cudaStreamDestroy", stream);
}

}  // namespace

int main() {
  const Runtime cuda;
  if (!cuda.here()) {
    std::cerr << "skipped: MDBOPT_CUDA_LIBRARY names no emulated library\n";
    return 77;
  }
  for (const Set& set : kSets) recorded(cuda, set.name, options_of(set));
  for (const std::size_t memory : {1U, 3U, 5U, 10U}) {
    Options options;
    options.memory = memory;
    recorded(cuda, "guarded, " + std::to_string(memory) + " pairs", options);
  }
  CHECK_EQUAL(device_library().allocated(0), std::size_t{0});
  return check::result();
}
