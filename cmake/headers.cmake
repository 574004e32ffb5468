# Where the headers of pybind11 and DLPack are: from the packages that pyproject.toml names, or, where
# nothing can be installed, from PyTorch, which brings both. Sets MDBOPT_PYBIND11 and MDBOPT_DLPACK.
# MDBOPT_JAX is where those of XLA's calls are, for mdbopt.jax: in MDBOPT_JAX_INCLUDE_DIR, or in jaxlib where
# Python has it; else false, and the extension goes without.

# mdbopt_ask_python(<variable> <expression> <module>): what Python prints; empty when it cannot.
function(mdbopt_ask_python variable expression module)
  execute_process(
    COMMAND ${Python_EXECUTABLE} -c "import ${module}; print(${expression})"
    OUTPUT_VARIABLE answer OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
  set(${variable} "${answer}" PARENT_SCOPE)
endfunction()

mdbopt_ask_python(pybind11_dir "pybind11.get_include()" pybind11)
mdbopt_ask_python(dlpack_dir "tvm_ffi.libinfo.find_dlpack_include_path()" tvm_ffi.libinfo)
# Not imported: that takes seconds.
mdbopt_ask_python(torch_dir
  "u.find_spec('torch').submodule_search_locations[0] + '/include'" "importlib.util as u")

# Not cached: pip may put headers elsewhere next time.
set(get_headers "for ${Python_EXECUTABLE}: pip install pybind11 apache-tvm-ffi")
find_path(MDBOPT_PYBIND11 pybind11/pybind11.h HINTS ${pybind11_dir} ${torch_dir} NO_CACHE)
if(NOT MDBOPT_PYBIND11)
  message(FATAL_ERROR "mdbopt: pybind11/pybind11.h is missing; ${get_headers}")
endif()
find_path(MDBOPT_DLPACK dlpack/dlpack.h HINTS ${MDBOPT_DLPACK_INCLUDE_DIR} ${dlpack_dir} NO_CACHE)
if(NOT MDBOPT_DLPACK)
  find_file(torch_dlpack ATen/dlpack.h HINTS ${torch_dir} NO_CACHE)
  if(NOT torch_dlpack)
    message(FATAL_ERROR "mdbopt: dlpack/dlpack.h is missing; ${get_headers}")
  endif()
  set(MDBOPT_DLPACK ${PROJECT_BINARY_DIR}/headers)
  configure_file(${torch_dlpack} ${MDBOPT_DLPACK}/dlpack/dlpack.h COPYONLY)
endif()
file(STRINGS ${MDBOPT_PYBIND11}/pybind11/detail/common.h pybind11_major
  REGEX "define PYBIND11_VERSION_MAJOR " LIMIT_COUNT 1)
if(NOT pybind11_major MATCHES " [3-9]")
  message(FATAL_ERROR "mdbopt: pybind11 in ${MDBOPT_PYBIND11} is too old, expected 3.0 or newer")
endif()

# Not imported either.
mdbopt_ask_python(jaxlib_dir
  "u.find_spec('jaxlib').submodule_search_locations[0] + '/include'" "importlib.util as u")
find_path(MDBOPT_JAX xla/ffi/api/ffi.h HINTS ${MDBOPT_JAX_INCLUDE_DIR} ${jaxlib_dir} NO_CACHE)
if(MDBOPT_JAX_INCLUDE_DIR AND NOT EXISTS ${MDBOPT_JAX_INCLUDE_DIR}/xla/ffi/api/ffi.h)
  message(FATAL_ERROR "mdbopt: MDBOPT_JAX_INCLUDE_DIR is ${MDBOPT_JAX_INCLUDE_DIR}, where no "
    "xla/ffi/api/ffi.h is; expected what `python -c 'import jax; print(jax.ffi.include_dir())'` prints")
endif()
