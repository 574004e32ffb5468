# Toolchain: Clang with the libraries of another system, as the package ziglang brings them (`make check-musl
# check-macos`). MDBOPT_ZIG is the program, MDBOPT_ZIG_TARGET one of its targets, such as x86_64-linux-musl.
set(CMAKE_TRY_COMPILE_PLATFORM_VARIABLES MDBOPT_ZIG MDBOPT_ZIG_TARGET)
string(REGEX MATCH "^([^-]+)-([^-]+)" matched "${MDBOPT_ZIG_TARGET}")
set(CMAKE_SYSTEM_PROCESSOR ${CMAKE_MATCH_1})
set(system_of_linux Linux)
set(system_of_macos Darwin)
set(CMAKE_SYSTEM_NAME ${system_of_${CMAKE_MATCH_2}})
set(CMAKE_CXX_COMPILER "${MDBOPT_ZIG}" c++)
set(CMAKE_CXX_COMPILER_TARGET ${MDBOPT_ZIG_TARGET})
# GNU's knows no objects of macOS.
set(CMAKE_CXX_ARCHIVE_CREATE "\"${MDBOPT_ZIG}\" ar qc <TARGET> <LINK_FLAGS> <OBJECTS>")
set(CMAKE_CXX_ARCHIVE_APPEND "\"${MDBOPT_ZIG}\" ar q <TARGET> <LINK_FLAGS> <OBJECTS>")
set(CMAKE_CXX_ARCHIVE_FINISH "")
