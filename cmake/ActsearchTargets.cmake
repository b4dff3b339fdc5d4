# How every target of the project is made: one library a folder, one test program a folder.

add_library(actsearch_options INTERFACE)
target_include_directories(actsearch_options INTERFACE ${PROJECT_SOURCE_DIR})
# No fast-math anywhere: errno and traps are all that is given up, neither changes a value.
target_compile_options(actsearch_options INTERFACE -Wall -Wextra -Wpedantic -Wshadow -Wnon-virtual-dtor -fno-math-errno
                                                   -fno-trapping-math)
# GCC 12 reports its own std::string (PR 105651).
target_compile_options(actsearch_options INTERFACE $<$<CXX_COMPILER_ID:GNU>:-Wno-restrict>)
# For what holds the processor's vectors: GCC 12 reports its own AVX-512 headers (PR 105593) and the alignment of vector types named in templates.
add_library(actsearch_vector_options INTERFACE)
target_compile_options(actsearch_vector_options INTERFACE
  "$<$<CXX_COMPILER_ID:GNU>:-Wno-maybe-uninitialized;-Wno-uninitialized;-Wno-ignored-attributes>")
if(ACTSEARCH_ARCH)
  target_compile_options(actsearch_options INTERFACE -march=${ACTSEARCH_ARCH})
endif()
# GCC halves its vectors on AVX-512 processors unless told otherwise; the loops here are long enough for whole ones.
include(CheckCXXCompilerFlag)
check_cxx_compiler_flag(-mprefer-vector-width=512 ACTSEARCH_HAS_VECTOR_WIDTH)
if(ACTSEARCH_HAS_VECTOR_WIDTH)
  target_compile_options(actsearch_options INTERFACE -mprefer-vector-width=512)
endif()
if(ACTSEARCH_WARNINGS_AS_ERRORS)
  target_compile_options(actsearch_options INTERFACE -Werror)
endif()
if(ACTSEARCH_SANITIZE)
  set(sanitizers ${ACTSEARCH_SANITIZE})
  if(sanitizers MATCHES "^(ON|TRUE|YES|1)$")
    set(sanitizers address,undefined)
  endif()
  target_compile_options(actsearch_options INTERFACE -fsanitize=${sanitizers} -fno-sanitize-recover=undefined -fno-omit-frame-pointer)
  target_link_options(actsearch_options INTERFACE -fsanitize=${sanitizers})
  # What GCC's documentation says of sanitizers: they bring false alarms. GCC 12 reports its own <regex> (PR 105562).
  target_compile_options(actsearch_options INTERFACE $<$<CXX_COMPILER_ID:GNU>:-Wno-maybe-uninitialized>)
  if(sanitizers MATCHES "address,undefined")
    # AddressSanitizer meets these two as well, and they are a quarter of the compiler's time.
    target_compile_options(actsearch_options INTERFACE -fno-sanitize=null,object-size)
  endif()
  if(sanitizers MATCHES "thread")
    # GCC warns of each fence, which ThreadSanitizer does not see: tests/tsan_suppressions.txt has the place.
    target_compile_options(actsearch_options INTERFACE $<$<CXX_COMPILER_ID:GNU>:-Wno-tsan>)
  endif()
endif()

# The sanitizers' presets compile several files of a folder at once (CMAKE_UNITY_BUILD), which halves the compiler's time. So files of a folder
# share no name, not even in their unnamed namespaces. APART is for folders whose files do.
if(CMAKE_UNITY_BUILD)
  # Two warnings that mean something in files of their own alone, where the other presets give them.
  target_compile_options(actsearch_options INTERFACE -Wno-shadow $<$<CXX_COMPILER_ID:GNU>:-Wno-subobject-linkage>)
endif()

# actsearch_library(NAME sources… DEPENDS targets… [PRIVATE targets…] [APART]): the folder's library, alias actsearch::NAME. Programs and the
# Python extension link the same objects: these are position-independent, and hidden symbols keep the calls between them direct.
function(actsearch_library name)
  cmake_parse_arguments(ARG "APART" "" "DEPENDS;PRIVATE" ${ARGN})
  add_library(actsearch_${name} STATIC ${ARG_UNPARSED_ARGUMENTS})
  add_library(actsearch::${name} ALIAS actsearch_${name})
  set_target_properties(actsearch_${name} PROPERTIES POSITION_INDEPENDENT_CODE ON CXX_VISIBILITY_PRESET hidden VISIBILITY_INLINES_HIDDEN ON)
  target_link_libraries(actsearch_${name} PUBLIC actsearch_options ${ARG_DEPENDS} PRIVATE ${ARG_PRIVATE})
  if(ARG_APART)
    set_target_properties(actsearch_${name} PROPERTIES UNITY_BUILD OFF)
  endif()
endfunction()

# actsearch_test(NAME sources… DEPENDS targets… LABEL unit|data|slow|gpu [OPTIMISED] [APART] [TOGETHER name filter]): a GoogleTest
# program, each of its tests one CTest test. Those that the filter names are one CTest test together, for they share what is dear to start.
#
# What a test tests is optimised in its library; the test's own text is not worth the compiler's time. OPTIMISED where it is: templates.
function(actsearch_test name)
  cmake_parse_arguments(ARG "OPTIMISED;APART" "LABEL;TIMEOUT" "DEPENDS;TOGETHER" ${ARGN})
  if(NOT ARG_TIMEOUT)
    set(ARG_TIMEOUT 120)
  endif()
  # CTest starts the dearest first: so unit before data before slow.
  set(cost_unit 3)
  set(cost_data 2)
  set(cost_slow 1)
  set(cost_gpu 1)
  add_executable(${name} ${ARG_UNPARSED_ARGUMENTS})
  target_link_libraries(${name} PRIVATE ${ARG_DEPENDS} GTest::gtest_main)
  if(ARG_OPTIMISED)
    target_precompile_headers(${name} PRIVATE <gtest/gtest.h>)
  else()
    target_compile_options(${name} PRIVATE ${ACTSEARCH_TEST_OPTIONS})
    target_precompile_headers(${name} REUSE_FROM test_headers)
  endif()
  if(ARG_APART)
    set_target_properties(${name} PROPERTIES UNITY_BUILD OFF)
  endif()
  set(alone)
  if(ARG_TOGETHER)
    list(GET ARG_TOGETHER 0 together)
    list(GET ARG_TOGETHER 1 filter)
    set(alone TEST_FILTER "-${filter}")
    add_test(NAME ${name}.${together} COMMAND ${name} --gtest_filter=${filter})
    set_tests_properties(${name}.${together} PROPERTIES LABELS ${ARG_LABEL} COST 100 TIMEOUT 600 SKIP_REGULAR_EXPRESSION "\\[  SKIPPED \\]")
  endif()
  gtest_discover_tests(${name} ${alone} TEST_PREFIX "${name}." DISCOVERY_TIMEOUT 60
                       PROPERTIES LABELS "${ARG_LABEL}" COST ${cost_${ARG_LABEL}} TIMEOUT ${ARG_TIMEOUT} SKIP_REGULAR_EXPRESSION "\\[  SKIPPED \\]")
endfunction()

# actsearch_simulated_test(PROGRAM [SUFFIX s] [LABEL unit|slow] [ENVIRONMENT variables…] [FILTER pattern] [LIBRARIES folder]): tests
# of the same program once more, as one CTest test, on the simulated CUDA device of tests/cuda_simulator. Libraries of LIBRARIES go first.
function(actsearch_simulated_test program)
  cmake_parse_arguments(ARG "" "SUFFIX;FILTER;LABEL;LIBRARIES" "ENVIRONMENT" ${ARGN})
  if(NOT ARG_LABEL)
    set(ARG_LABEL unit)
  endif()
  if(NOT ARG_FILTER)
    set(ARG_FILTER *)
  endif()
  set(path ${ARG_LIBRARIES} ${ACTSEARCH_CUDA_SIMULATOR})
  list(JOIN path ":" path)
  add_dependencies(${program} ${ACTSEARCH_CUDA_SIMULATOR_TARGETS})
  set(test ${program}.simulated${ARG_SUFFIX})
  add_test(NAME ${test} COMMAND ${program} --gtest_filter=${ARG_FILTER})
  set_tests_properties(${test} PROPERTIES LABELS ${ARG_LABEL} TIMEOUT 600
    ENVIRONMENT "LD_LIBRARY_PATH=${path};XDG_CACHE_HOME=${PROJECT_BINARY_DIR}/simulator-cache;ACTSEARCH_SIMULATOR_DEVICES=1;${ARG_ENVIRONMENT}")
endfunction()
