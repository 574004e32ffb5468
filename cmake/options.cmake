# mdbopt_options(<target>): the flags that every file of the project gets.
function(mdbopt_options target)
  target_compile_options(${target} PRIVATE
    -Wall -Wextra -Wconversion -Wshadow
    $<$<BOOL:${MDBOPT_WERROR}>:-Werror>
    $<$<NOT:$<CONFIG:Debug>>:-O2>
    # Results are promised bit for bit; a fused multiply-add would round once where others round twice.
    -ffp-contract=off
    # Tests and benches name what is not installed by its folder: "engine/launch.h".
    "-iquote${PROJECT_SOURCE_DIR}/csrc")
  target_compile_definitions(${target} PRIVATE MDBOPT_VERSION="${PROJECT_VERSION}")
  if(MDBOPT_SANITIZE)
    # A quarter of the time to compile that -O2 -g takes, and errors still come with their lines.
    target_compile_options(${target} PRIVATE
      -fsanitize=${MDBOPT_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer -Og -g1
      # That a loop with their checks is not vectorised is no news.
      $<$<CXX_COMPILER_ID:Clang,AppleClang>:-Wno-pass-failed>)
    if(MDBOPT_SANITIZE MATCHES "address")
      # What is read and written through such pointers the sanitizer of addresses sees as well; to check each of them is
      # a quarter of what GCC takes to compile, and half of what Clang takes.
      target_compile_options(${target} PRIVATE -fno-sanitize=null,object-size,pointer-overflow)
    endif()
    if(MDBOPT_SANITIZE MATCHES "fuzzer")
      # Calls at each comparison of loops take a third of the time; strings are compared by functions that libFuzzer sees.
      target_compile_options(${target} PRIVATE -fno-sanitize-coverage=trace-cmp)
    endif()
    target_link_options(${target} PUBLIC -fsanitize=${MDBOPT_SANITIZE})
  endif()
endfunction()

# mdbopt_native_instruction_set(<variable>): the best one that this processor has.
function(mdbopt_native_instruction_set variable)
  include(CheckCXXSourceCompiles)
  set(CMAKE_REQUIRED_FLAGS -march=native)
  set(CMAKE_REQUIRED_QUIET ON)
  check_cxx_source_compiles("
    #if !(__AVX512F__ && __AVX512DQ__ && __AVX512VL__ && __AVX512BW__)
    #error
    #endif
    int main() {}" MDBOPT_NATIVE_AVX512)
  check_cxx_source_compiles("
    #if !__AVX2__
    #error
    #endif
    int main() {}" MDBOPT_NATIVE_AVX2)
  if(MDBOPT_NATIVE_AVX512)
    set(${variable} avx512 PARENT_SCOPE)
  elseif(MDBOPT_NATIVE_AVX2)
    set(${variable} avx2 PARENT_SCOPE)
  else()
    set(${variable} baseline PARENT_SCOPE)
  endif()
endfunction()

# mdbopt_instruction_set(<name> [flag...]): adds csrc/engine/backend_<name>.cpp to the core.
#
# -O3 holds in every configuration but under sanitizers, whose code runs where it was built: at -O0
# helpers are not inlined, and a weak symbol with AVX code could be the copy that the linker keeps for
# everybody. Without -fno-math-errno and -fno-trapping-math GCC leaves square roots and selects scalar.
function(mdbopt_instruction_set name)
  set(source ${PROJECT_SOURCE_DIR}/csrc/engine/backend_${name}.cpp)
  set(optimised -O3)
  if(MDBOPT_SANITIZE)
    set(optimised -Og)
  endif()
  target_sources(mdbopt_core PRIVATE ${source})
  set_source_files_properties(${source} PROPERTIES
    SKIP_UNITY_BUILD_INCLUSION ON
    COMPILE_OPTIONS "${optimised};-fno-math-errno;-fno-trapping-math;-ffp-contract=off;${ARGN}"
    COMPILE_DEFINITIONS MDBOPT_ISA=${name})
endfunction()
