# Rooms: the folders of src/, and who may include whom. src/CMakeLists.txt says it once, with weft_room; the compiler
# sees one src/ folder, so tests/house reads the matrix (rooms.json in the build folder) and every #include, and
# refuses what the matrix does not allow.
#
#   weft_room(link
#     USES base ring          # rooms whose headers it may include; `public` for all of include/weft, where any room
#                             # may include the vocabulary, WEFT_VOCABULARY
#     OWNS boost/fiber        # prefixes of third-party includes that no other room may use ...
#     LENT weft/message.hpp   # ... but these public headers may
#     PUBLISHES weft/x.hpp    # public headers that it implements: it, and rooms that use it, may include them
#     SOURCES peer.cpp        # relative to src/link
#     LIBRARIES Boost::fiber  # linked, and not seen by users of weft
#     PUBLIC_LIBRARIES ...)   # linked, and their headers are included by weft's public ones
#
# A room becomes `weft_headers_<room>` (what it takes to include it) and `weft_room_<room>` (its objects). A second
# set of objects, compiled with the failure points, is what `weft_probed` is made of.

function(weft_room room)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "USES;OWNS;LENT;PUBLISHES;SOURCES;LIBRARIES;PUBLIC_LIBRARIES")
  if(arg_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "weft_room(${room}): what is ${arg_UNPARSED_ARGUMENTS}?")
  endif()
  list(TRANSFORM arg_SOURCES PREPEND "${PROJECT_SOURCE_DIR}/src/${room}/")

  add_library(weft_headers_${room} INTERFACE)
  target_include_directories(weft_headers_${room} INTERFACE "${PROJECT_SOURCE_DIR}/include" "${PROJECT_SOURCE_DIR}/src")
  target_link_libraries(weft_headers_${room} INTERFACE ${arg_PUBLIC_LIBRARIES} ${arg_LIBRARIES} Threads::Threads)
  set(used_rooms ${arg_USES})
  list(REMOVE_ITEM used_rooms public)
  foreach(used IN LISTS used_rooms)
    if(NOT TARGET weft_headers_${used})
      message(FATAL_ERROR "weft_room(${room}) uses ${used}, which is not declared above it: no cycles")
    endif()
    target_link_libraries(weft_headers_${room} INTERFACE weft_headers_${used})
  endforeach()

  if(arg_SOURCES)
    foreach(variant IN ITEMS "" _probed)
      add_library(weft_room_${room}${variant} OBJECT EXCLUDE_FROM_ALL ${arg_SOURCES})
      target_link_libraries(weft_room_${room}${variant} PRIVATE weft_headers_${room})
      weft_warnings(weft_room_${room}${variant})
      # Two words that were just stored one by one, read together as a vector, must wait until all that was stored
      # before them has reached the cache: a frame's line, which another core holds.
      target_compile_options(weft_room_${room}${variant} PRIVATE -fno-tree-slp-vectorize)
    endforeach()
    target_compile_definitions(weft_room_${room}_probed PRIVATE WEFT_FAILURE_POINTS)
  endif()

  set_property(GLOBAL APPEND PROPERTY WEFT_ROOMS ${room})
  foreach(field IN ITEMS USES OWNS LENT PUBLISHES SOURCES LIBRARIES PUBLIC_LIBRARIES)
    set_property(GLOBAL PROPERTY WEFT_ROOM_${room}_${field} "${arg_${field}}")
  endforeach()
endfunction()

# `target` out of the objects of all rooms, of the given variant ("" or _probed).
function(weft_library target kind variant)
  add_library(${target} ${kind})
  get_property(rooms GLOBAL PROPERTY WEFT_ROOMS)
  foreach(room IN LISTS rooms)
    if(TARGET weft_room_${room}${variant})
      target_sources(${target} PRIVATE $<TARGET_OBJECTS:weft_room_${room}${variant}>)
    endif()
    get_property(libraries GLOBAL PROPERTY WEFT_ROOM_${room}_LIBRARIES)
    get_property(public_libraries GLOBAL PROPERTY WEFT_ROOM_${room}_PUBLIC_LIBRARIES)
    target_link_libraries(${target} PRIVATE ${libraries} PUBLIC ${public_libraries})
  endforeach()
  set_target_properties(${target} PROPERTIES LINKER_LANGUAGE CXX)
  target_include_directories(${target} PUBLIC "$<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include>"
                                              "$<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>")
  target_compile_features(${target} PUBLIC cxx_std_20)
  target_link_libraries(${target} PUBLIC Threads::Threads)
  # A function travels as {build id, offset in the module}: without an id no two processes know each other's functions.
  target_link_options(${target} PUBLIC -Wl,--build-id)
endfunction()

# The matrix as JSON, for tests/house/rooms.py.
function(weft_write_matrix file)
  get_property(rooms GLOBAL PROPERTY WEFT_ROOMS)
  set(entries "")
  foreach(room IN LISTS rooms)
    set(fields "")
    foreach(field IN ITEMS USES OWNS LENT PUBLISHES SOURCES)
      get_property(values GLOBAL PROPERTY WEFT_ROOM_${room}_${field})
      list(TRANSFORM values REPLACE "^${PROJECT_SOURCE_DIR}/" "")
      list(TRANSFORM values REPLACE "^(.+)$" "\"\\1\"")
      list(JOIN values ", " values)
      string(TOLOWER ${field} key)
      list(APPEND fields "\"${key}\": [${values}]")
    endforeach()
    list(JOIN fields ", " fields)
    list(APPEND entries "  \"${room}\": {${fields}}")
  endforeach()
  list(JOIN entries ",\n" entries)
  list(TRANSFORM WEFT_VOCABULARY REPLACE "^(.+)$" "\"\\1\"" OUTPUT_VARIABLE vocabulary)
  list(JOIN vocabulary ", " vocabulary)
  file(CONFIGURE OUTPUT "${file}" CONTENT "{\"vocabulary\": [${vocabulary}],\n\"rooms\": {\n${entries}\n}}\n" @ONLY)
endfunction()
