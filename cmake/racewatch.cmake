# Compiler settings shared by every racewatch target, on an interface target rather than in global flags.

find_program(CCACHE_PROGRAM ccache)
if(CCACHE_PROGRAM)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CCACHE_PROGRAM})
  set(CMAKE_C_COMPILER_LAUNCHER ${CCACHE_PROGRAM})
endif()

add_library(racewatch_options INTERFACE)
target_include_directories(racewatch_options INTERFACE ${CMAKE_SOURCE_DIR} ${CMAKE_BINARY_DIR}/generated)
target_compile_options(racewatch_options INTERFACE -Wall -Wextra -Wpedantic -Wshadow -Wnon-virtual-dtor -Wno-missing-field-initializers)
if(RACEWATCH_WERROR)
  target_compile_options(racewatch_options INTERFACE -Werror)
endif()
if(RACEWATCH_SANITIZE)
  target_compile_options(racewatch_options INTERFACE -fsanitize=${RACEWATCH_SANITIZE} -fno-omit-frame-pointer)
  target_link_options(racewatch_options INTERFACE -fsanitize=${RACEWATCH_SANITIZE})
endif()
if(RACEWATCH_FUZZ)
  target_compile_options(racewatch_options INTERFACE -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize=vptr)
  target_link_options(racewatch_options INTERFACE -fsanitize=address,undefined)
endif()
find_package(Threads REQUIRED)
target_link_libraries(racewatch_options INTERFACE Threads::Threads)

# racewatch_library(NAME SOURCES f.cc... [DEPS target...]): one static library of one folder.
function(racewatch_library name)
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPS;PRIVATE_DEPS" ${ARGN})
  add_library(${name} STATIC ${ARG_SOURCES})
  target_link_libraries(${name} PUBLIC racewatch_options ${ARG_DEPS} PRIVATE ${ARG_PRIVATE_DEPS})
endfunction()

# racewatch_test(NAME SOURCES f.cc... [DEPS target...] [LABELS l...]): one GoogleTest binary, each TEST its own ctest entry.
# TIMEOUT is seconds for one TEST.
function(racewatch_test name)
  cmake_parse_arguments(ARG "" "TIMEOUT" "SOURCES;DEPS;LABELS" ${ARGN})
  if(NOT ARG_TIMEOUT)
    set(ARG_TIMEOUT 120)
  endif()
  add_executable(${name} ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE racewatch_options ${ARG_DEPS} GTest::gtest GTest::gmock GTest::gtest_main)
  target_compile_definitions(${name} PRIVATE RACEWATCH_SOURCE_DIR="${CMAKE_SOURCE_DIR}" RACEWATCH_BINARY_DIR="${CMAKE_BINARY_DIR}")
  gtest_discover_tests(${name} DISCOVERY_MODE PRE_TEST DISCOVERY_TIMEOUT 60
    TEST_PREFIX "${name}." PROPERTIES LABELS "${ARG_LABELS}" TIMEOUT ${ARG_TIMEOUT})
endfunction()

# racewatch_bench(NAME SOURCES f.cc... [DEPS target...]): one Google Benchmark binary, smoke-run as a test.
function(racewatch_bench name)
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPS" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE racewatch_options ${ARG_DEPS} benchmark::benchmark)
  target_compile_definitions(${name} PRIVATE RACEWATCH_SOURCE_DIR="${CMAKE_SOURCE_DIR}" RACEWATCH_BINARY_DIR="${CMAKE_BINARY_DIR}")
  add_test(NAME ${name}.smoke COMMAND ${name} --benchmark_min_time=0.01)
  set_tests_properties(${name}.smoke PROPERTIES LABELS bench TIMEOUT 120)
endfunction()

# racewatch_fuzzer(NAME SOURCES f.cc... [DEPS target...] [CORPUS dir]): a libFuzzer binary, run for 10 s as a test.
function(racewatch_fuzzer name)
  cmake_parse_arguments(ARG "" "CORPUS" "SOURCES;DEPS" ${ARGN})
  if(NOT RACEWATCH_FUZZ)
    return()
  endif()
  add_executable(${name} ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE racewatch_options ${ARG_DEPS})
  target_link_options(${name} PRIVATE -fsanitize=fuzzer)
  add_test(NAME ${name}.run COMMAND ${name} -max_total_time=10 -timeout=20 -rss_limit_mb=2048 -print_final_stats=1 ${ARG_CORPUS})
  set_tests_properties(${name}.run PROPERTIES LABELS fuzz TIMEOUT 120)
endfunction()
