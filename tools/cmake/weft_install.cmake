# `cmake --install`, find_package(weft) and pkg-config. tests/install tries all three.

include(CMakePackageConfigHelpers)

# What the rooms link, said again for those who cannot see the targets of this build.
set(pc_libraries "")
get_property(rooms GLOBAL PROPERTY WEFT_ROOMS)
foreach(room IN LISTS rooms)
  get_property(libraries GLOBAL PROPERTY WEFT_ROOM_${room}_LIBRARIES)
  foreach(library IN LISTS libraries)
    if(library STREQUAL "Boost::headers")
      # Nothing to link.
    elseif(library MATCHES "^Boost::(.+)$")
      list(APPEND pc_libraries -lboost_${CMAKE_MATCH_1})
    elseif(library MATCHES "^[a-z]+$")
      list(APPEND pc_libraries -l${library})
    endif()
  endforeach()
endforeach()
list(REMOVE_DUPLICATES pc_libraries)
list(JOIN pc_libraries " " pc_libraries)
if(BUILD_SHARED_LIBS)
  set(pc_libraries "")
endif()

set(config_dir "${CMAKE_INSTALL_LIBDIR}/cmake/weft")
set(pc_dir "${CMAKE_INSTALL_LIBDIR}/pkgconfig")
cmake_path(RELATIVE_PATH CMAKE_INSTALL_PREFIX BASE_DIRECTORY "${CMAKE_INSTALL_PREFIX}/${pc_dir}"
           OUTPUT_VARIABLE pc_to_prefix)

configure_package_config_file(
  "${PROJECT_SOURCE_DIR}/tools/cmake/weftConfig.cmake.in" "${PROJECT_BINARY_DIR}/weftConfig.cmake"
  INSTALL_DESTINATION "${config_dir}")
write_basic_package_version_file("${PROJECT_BINARY_DIR}/weftConfigVersion.cmake" COMPATIBILITY SameMinorVersion)
configure_file("${PROJECT_SOURCE_DIR}/tools/cmake/weft.pc.in" "${PROJECT_BINARY_DIR}/weft.pc" @ONLY)

# Components: weft_runtime is the shared library, weft what one builds with, weft_tools the programs.
install(TARGETS weft EXPORT weftTargets
        ARCHIVE DESTINATION "${CMAKE_INSTALL_LIBDIR}" COMPONENT weft
        LIBRARY DESTINATION "${CMAKE_INSTALL_LIBDIR}" COMPONENT weft_runtime NAMELINK_COMPONENT weft)
install(DIRECTORY "${PROJECT_SOURCE_DIR}/include/weft" DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}" COMPONENT weft
        FILES_MATCHING PATTERN "*.hpp")
install(EXPORT weftTargets NAMESPACE weft:: DESTINATION "${config_dir}" COMPONENT weft)
install(FILES "${PROJECT_BINARY_DIR}/weftConfig.cmake" "${PROJECT_BINARY_DIR}/weftConfigVersion.cmake"
        DESTINATION "${config_dir}" COMPONENT weft)
install(FILES "${PROJECT_BINARY_DIR}/weft.pc" DESTINATION "${pc_dir}" COMPONENT weft)
if(NOT WEFT_PACKAGING)  # Debian has it where its packages have theirs
  install(FILES "${PROJECT_SOURCE_DIR}/LICENSE" DESTINATION "${CMAKE_INSTALL_DOCDIR}" COMPONENT weft)
endif()
