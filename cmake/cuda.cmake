# mdbopt_device_library(<target>): the device library from the sources in cuda/, for whichever
# compiler the calling folder has them in.
function(mdbopt_device_library target)
  set(folder ${PROJECT_SOURCE_DIR}/cuda)
  file(GLOB sources CONFIGURE_DEPENDS ${folder}/*.cu ${folder}/*.cpp)
  list(REMOVE_ITEM sources ${folder}/compile_rules.cu)
  add_library(${target} MODULE ${sources})
  target_compile_definitions(${target} PRIVATE MDBOPT_VERSION="${PROJECT_VERSION}")
  set(targets ${target})
  foreach(part RANGE 7) # of rule_table.h
    add_library(${target}_part${part} OBJECT ${folder}/compile_rules.cu)
    target_compile_definitions(${target}_part${part} PRIVATE MDBOPT_CUDA_PART=${part})
    target_link_libraries(${target} PRIVATE ${target}_part${part})
    list(APPEND targets ${target}_part${part})
  endforeach()
  foreach(each IN LISTS targets)
    target_compile_definitions(${each} PRIVATE MDBOPT_ISA=cuda)
    target_include_directories(${each} PRIVATE ${PROJECT_SOURCE_DIR}/csrc/include)
  endforeach()
  set(${target}_targets ${targets} PARENT_SCOPE)
endfunction()

# mdbopt_why_no_cuda(<variable>): why the CUDA kernels cannot be compiled here; empty where they can.
function(mdbopt_why_no_cuda variable)
  set(${variable} "" PARENT_SCOPE)
  include(CheckLanguage)
  check_language(CUDA)
  if(NOT CMAKE_CUDA_COMPILER)
    set(${variable} "no CUDA compiler (nvcc) that works is found" PARENT_SCOPE)
    return()
  endif()
  execute_process(COMMAND ${CMAKE_CUDA_COMPILER} --list-gpu-arch
    OUTPUT_VARIABLE known ERROR_QUIET)
  foreach(architecture IN LISTS MDBOPT_CUDA_ARCHITECTURES)
    string(REGEX MATCH "^[0-9]+" number "${architecture}") # none in native, all and the like
    if(number AND NOT known MATCHES "compute_${number}\n")
      set(${variable} "${CMAKE_CUDA_COMPILER} does not know architecture ${number} of \
MDBOPT_CUDA_ARCHITECTURES (${MDBOPT_CUDA_ARCHITECTURES}): use a newer nvcc, or ask for others" PARENT_SCOPE)
      return()
    endif()
  endforeach()
endfunction()
