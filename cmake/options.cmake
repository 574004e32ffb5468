# mdbopt_options(<target>): the flags that every file of the project gets.
function(mdbopt_options target)
  target_compile_options(${target} PRIVATE
    -Wall -Wextra -Wconversion -Wshadow
    $<$<BOOL:${MDBOPT_WERROR}>:-Werror>
    $<$<NOT:$<CONFIG:Debug>>:-O2>
    # Results are promised bit for bit; a fused multiply-add would round once where others round twice.
    -ffp-contract=off
    # Quoted includes only: csrc/error.h must not hide the system's <error.h>.
    "-iquote${PROJECT_SOURCE_DIR}/csrc")
  target_compile_definitions(${target} PRIVATE MDBOPT_VERSION="${PROJECT_VERSION}")
  if(MDBOPT_SANITIZE)
    target_compile_options(${target} PRIVATE
      -fsanitize=${MDBOPT_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer -g)
    target_link_options(${target} PUBLIC -fsanitize=${MDBOPT_SANITIZE})
  endif()
endfunction()

# mdbopt_instruction_set(<name> [flag...]): adds csrc/backend_<name>.cpp to the core.
#
# -O3 holds in every configuration: at -O0 helpers are not inlined, and a weak symbol with AVX code
# could be the copy that the linker keeps for everybody. Without -fno-math-errno and
# -fno-trapping-math GCC leaves square roots and selects scalar.
function(mdbopt_instruction_set name)
  set(source ${PROJECT_SOURCE_DIR}/csrc/backend_${name}.cpp)
  target_sources(mdbopt_core PRIVATE ${source})
  set_source_files_properties(${source} PROPERTIES
    COMPILE_OPTIONS "-O3;-fno-math-errno;-fno-trapping-math;-ffp-contract=off;-fopenmp-simd;${ARGN}"
    COMPILE_DEFINITIONS MDBOPT_ISA=${name})
endfunction()
