# Tests, fuzz targets and examples. Executables go to <build>/tests; `weft_tests` builds them all, `weft_tests_tsan`
# those that are instrumented for ThreadSanitizer.

include(GoogleTest)
find_package(GTest REQUIRED)

add_custom_target(weft_tests)
add_custom_target(weft_tests_tsan)
set(WEFT_TEST_DIR "${PROJECT_BINARY_DIR}/tests")

# The sources of rooms compiled into one executable, which then links no libweft.
function(weft_compile_rooms target)
  foreach(room IN LISTS ARGN)
    get_property(sources GLOBAL PROPERTY WEFT_ROOM_${room}_SOURCES)
    target_sources(${target} PRIVATE ${sources})
  endforeach()
endfunction()

# weft_test(NAME ring
#   SOURCES ring_test.cpp ...   # relative to the folder that calls; GoogleTest's main is linked
#   ROOMS ring doorbell         # whose internal headers it includes; without ROOMS it sees the public headers alone
#   [LIBRARY weft_probed]       # the variant with failure points; weft if not said
#   [SANITIZE thread]           # STANDALONE, and compiled with -fsanitize=thread in every build
#   [STANDALONE]                # compiles the ROOMS' sources (and those of the rooms that they use) itself
#   [INCLUDES folder ...]       # searched before everything else (tests/stress/plain has a reactor without fibers)
#   [DEFINES X=1 ...] [LIBRARIES ...]
#   [LABELS unit ...]           # the folder's name if not said
#   [SERIAL]                    # no other test runs beside it (it counts what the machine does)
#   [TIMEOUT 120])              # the watchdog, in seconds, of each single test
function(weft_test)
  cmake_parse_arguments(PARSE_ARGV 0 arg "STANDALONE;SERIAL" "NAME;LIBRARY;SANITIZE;TIMEOUT"
                        "SOURCES;ROOMS;INCLUDES;DEFINES;LIBRARIES;LABELS")
  if(arg_UNPARSED_ARGUMENTS OR NOT arg_NAME OR NOT arg_SOURCES)
    message(FATAL_ERROR "weft_test(${arg_NAME}): NAME and SOURCES are needed; ${arg_UNPARSED_ARGUMENTS} not understood")
  endif()
  if(NOT arg_TIMEOUT)
    set(arg_TIMEOUT 120)
  endif()
  if(NOT arg_LABELS)
    cmake_path(GET CMAKE_CURRENT_SOURCE_DIR FILENAME arg_LABELS)
  endif()

  set(target weft_test_${arg_NAME})
  add_executable(${target} ${arg_SOURCES})
  set_target_properties(${target} PROPERTIES OUTPUT_NAME ${arg_NAME}_test RUNTIME_OUTPUT_DIRECTORY "${WEFT_TEST_DIR}")
  weft_warnings(${target})
  target_include_directories(${target} BEFORE PRIVATE ${arg_INCLUDES})
  target_include_directories(${target} PRIVATE "${PROJECT_SOURCE_DIR}/tests")
  target_compile_definitions(${target} PRIVATE ${arg_DEFINES})

  foreach(room IN LISTS arg_ROOMS)
    target_link_libraries(${target} PRIVATE weft_headers_${room})
  endforeach()
  if(arg_SANITIZE OR arg_STANDALONE)
    weft_rooms_below(rooms ${arg_ROOMS})
    weft_compile_rooms(${target} ${rooms})
    target_link_options(${target} PRIVATE -Wl,--build-id)
  else()
    if(NOT arg_LIBRARY OR arg_LIBRARY STREQUAL weft)
      set(arg_LIBRARY weft_archive)
    endif()
    target_link_libraries(${target} PRIVATE ${arg_LIBRARY})
  endif()
  target_link_libraries(${target} PRIVATE ${arg_LIBRARIES} GTest::gtest GTest::gtest_main Threads::Threads)

  # Two sanitizers do not go into one program: the one that the whole build asks for comes first.
  if(arg_SANITIZE AND NOT WEFT_SANITIZE)
    target_compile_options(${target} PRIVATE -fsanitize=${arg_SANITIZE} -fno-omit-frame-pointer)
    target_link_options(${target} PRIVATE -fsanitize=${arg_SANITIZE})
  endif()
  if(arg_SANITIZE STREQUAL thread)
    list(APPEND arg_LABELS tsan)
    add_dependencies(weft_tests_tsan ${target})
  endif()
  add_dependencies(weft_tests ${target})
  set(serial OFF)
  if(arg_SERIAL)
    set(serial ON)
  endif()

  gtest_discover_tests(
    ${target}
    TEST_PREFIX "${arg_NAME}."
    DISCOVERY_MODE PRE_TEST
    DISCOVERY_TIMEOUT 60
    PROPERTIES TIMEOUT ${arg_TIMEOUT} RUN_SERIAL ${serial})
  # GoogleTest's module flattens lists, so of two labels it would keep one.
  set(labels_file "${CMAKE_CURRENT_BINARY_DIR}/${target}_labels.cmake")
  file(CONFIGURE OUTPUT "${labels_file}" CONTENT [[
if(@target@_TESTS)
  set_tests_properties(${@target@_TESTS} PROPERTIES LABELS "@arg_LABELS@")
endif()
]] @ONLY)
  set_property(DIRECTORY APPEND PROPERTY TEST_INCLUDE_FILES "${labels_file}")
endfunction()

# The given rooms and all that they use, each once.
function(weft_rooms_below result)
  set(found "")
  set(open ${ARGN})
  while(open)
    list(POP_FRONT open room)
    if(NOT room IN_LIST found)
      list(APPEND found ${room})
      get_property(used GLOBAL PROPERTY WEFT_ROOM_${room}_USES)
      list(REMOVE_ITEM used public)
      list(APPEND open ${used})
    endif()
  endwhile()
  set(${result} ${found} PARENT_SCOPE)
endfunction()

# weft_fuzz(NAME lane SOURCES lane_fuzz.cpp ROOMS ring CORPUS corpus/lane)
# SOURCES define LLVMFuzzerTestOneInput. The preset `fuzz` makes a libFuzzer program of it, <build>/tests/<name>_fuzz;
# every build makes a test that replays the corpus through it.
function(weft_fuzz)
  cmake_parse_arguments(PARSE_ARGV 0 arg "" "NAME;CORPUS" "SOURCES;ROOMS;LIBRARIES")
  set(target weft_fuzz_${arg_NAME})
  add_executable(${target} ${arg_SOURCES})
  set_target_properties(${target} PROPERTIES OUTPUT_NAME ${arg_NAME}_fuzz RUNTIME_OUTPUT_DIRECTORY "${WEFT_TEST_DIR}")
  weft_warnings(${target})
  target_include_directories(${target} PRIVATE "${PROJECT_SOURCE_DIR}/tests")
  foreach(room IN LISTS arg_ROOMS)
    target_link_libraries(${target} PRIVATE weft_headers_${room})
  endforeach()
  target_link_libraries(${target} PRIVATE weft_archive ${arg_LIBRARIES} Threads::Threads)
  if(WEFT_SANITIZE MATCHES "fuzzer-no-link")
    target_link_options(${target} PRIVATE -fsanitize=fuzzer)
    set(replay_arguments -runs=0)
  else()
    target_sources(${target} PRIVATE "${PROJECT_SOURCE_DIR}/tests/fuzz/replay.cpp")
    set(replay_arguments "")
  endif()
  add_dependencies(weft_tests ${target})
  add_test(NAME fuzz.${arg_NAME}.replays_its_corpus
           COMMAND ${target} ${replay_arguments} "${CMAKE_CURRENT_SOURCE_DIR}/${arg_CORPUS}")
  set_tests_properties(fuzz.${arg_NAME}.replays_its_corpus PROPERTIES TIMEOUT 120 LABELS fuzz)
endfunction()

# weft_example(NAME hello SOURCES hello.cpp): a program as a user would write it, which passes if it returns 0; with
# DRIVER hello_test.py, if that script does, which gets the paths of the program and of the compiler.
function(weft_example)
  cmake_parse_arguments(PARSE_ARGV 0 arg "" "NAME;DRIVER" "SOURCES;LIBRARIES")
  set(target weft_example_${arg_NAME})
  add_executable(${target} ${arg_SOURCES})
  set_target_properties(${target} PROPERTIES OUTPUT_NAME ${arg_NAME}_example RUNTIME_OUTPUT_DIRECTORY "${WEFT_TEST_DIR}")
  weft_warnings(${target})
  target_link_libraries(${target} PRIVATE weft::weft ${arg_LIBRARIES})
  add_dependencies(weft_tests ${target})
  if(arg_DRIVER)
    find_package(Python3 3.9 REQUIRED COMPONENTS Interpreter)
    add_test(NAME examples.${arg_NAME}
             COMMAND Python3::Interpreter -B "${CMAKE_CURRENT_SOURCE_DIR}/${arg_DRIVER}" $<TARGET_FILE:${target}>
                     "${CMAKE_CXX_COMPILER}")
  else()
    add_test(NAME examples.${arg_NAME} COMMAND ${target})
  endif()
  set_tests_properties(examples.${arg_NAME} PROPERTIES TIMEOUT 120 LABELS examples)
endfunction()
