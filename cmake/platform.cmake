# What the core is compiled with and for; what it does not support is refused in one line.

# mdbopt_refuse_platform(): ends CMake where compiler or processor are not supported.
function(mdbopt_refuse_platform)
  set(wanted "use GCC 11, Clang 16 (Xcode 15) or newer")
  set(id ${CMAKE_CXX_COMPILER_ID})
  set(version ${CMAKE_CXX_COMPILER_VERSION})
  if(NOT id MATCHES "^(GNU|Clang|AppleClang)$" OR CMAKE_CXX_COMPILER_FRONTEND_VARIANT STREQUAL "MSVC")
    message(FATAL_ERROR "mdbopt: compiler ${id} is not supported, ${wanted} (on Windows: in WSL)")
  endif()
  if((id STREQUAL "GNU" AND version VERSION_LESS 11) OR (id STREQUAL "Clang" AND version VERSION_LESS 16)
      OR (id STREQUAL "AppleClang" AND version VERSION_LESS 15))
    message(FATAL_ERROR "mdbopt: ${id} ${version} (${CMAKE_CXX_COMPILER}) is too old, ${wanted}")
  endif()
  if(WIN32)
    message(FATAL_ERROR "mdbopt: Windows is not supported, use Linux (such as in WSL) or macOS")
  endif()
  if(CMAKE_CXX_BYTE_ORDER STREQUAL "BIG_ENDIAN")
    message(FATAL_ERROR "mdbopt: ${CMAKE_SYSTEM_PROCESSOR} stores the high byte first, expected a little-endian "
      "processor, such as x86-64 or aarch64: saved states and half precision count on that order")
  endif()
endfunction()

# mdbopt_is_x86_64(<variable>): whether the code runs on x86-64, at least a part of it: macOS compiles for
# several processors at once, and each instruction set is then one of x86-64's alone.
function(mdbopt_is_x86_64 variable)
  set(processors ${CMAKE_OSX_ARCHITECTURES})
  if(NOT processors)
    set(processors ${CMAKE_SYSTEM_PROCESSOR})
  endif()
  set(${variable} OFF PARENT_SCOPE)
  if(processors MATCHES "(^|;)(x86_64|AMD64|amd64)(;|$)")
    set(${variable} ON PARENT_SCOPE)
  endif()
endfunction()

# mdbopt_for_x86_64(<variable>): turns flags of x86-64 into such that other processors do not see, where macOS
# compiles for several.
function(mdbopt_for_x86_64 variable)
  list(LENGTH CMAKE_OSX_ARCHITECTURES count)
  if(count GREATER 1)
    list(TRANSFORM ${variable} PREPEND "-Xarch_x86_64;")
    set(${variable} "${${variable}}" PARENT_SCOPE)
  endif()
endfunction()

# mdbopt_find_python(): ends CMake where there is no Python of 3.10 or newer with its headers.
macro(mdbopt_find_python)
  find_package(Python 3.10 QUIET COMPONENTS Interpreter Development.Module)
  if(NOT Python_Interpreter_FOUND OR Python_VERSION VERSION_LESS 3.10)
    message(FATAL_ERROR "mdbopt: Python 3.10 or newer is missing (${Python_EXECUTABLE} is ${Python_VERSION}): install "
      "one, or name it by -DPython_EXECUTABLE=…")
  endif()
  if(NOT Python_Development.Module_FOUND)
    message(FATAL_ERROR "mdbopt: Python.h of ${Python_EXECUTABLE} is missing (on Debian or Ubuntu: sudo apt install "
      "python3-dev)")
  endif()
endmacro()
