# Debian packages of what is installed, by `cpack -G DEB`: libweft0.1, libweft-dev and weft, the programs; without
# BUILD_SHARED_LIBS the first is left out, and libweft-dev has the static library. tools/package makes them, tests/install
# installs them into an empty folder and builds against that.

find_program(GZIP gzip REQUIRED)

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME weft)
set(CPACK_PACKAGE_VERSION "${PROJECT_VERSION}")
set(CPACK_PACKAGE_VENDOR "The weft authors")
# A package is looked after by whoever makes it, who says so as to Debian's own tools (dch); weft has no address of its own.
if(NOT CPACK_PACKAGE_CONTACT)
  set(maintainer "$ENV{DEBFULLNAME}")
  set(address "$ENV{DEBEMAIL}")
  if(NOT address)
    execute_process(COMMAND id -un OUTPUT_VARIABLE user OUTPUT_STRIP_TRAILING_WHITESPACE COMMAND_ERROR_IS_FATAL ANY)
    cmake_host_system_information(RESULT host QUERY FQDN)
    set(address "${user}@${host}")
  endif()
  if(NOT maintainer)
    set(maintainer "A local build")
  endif()
  set(CPACK_PACKAGE_CONTACT "${maintainer} <${address}>")
endif()
set(CPACK_PACKAGE_DIRECTORY "${PROJECT_BINARY_DIR}/packages")
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)  # The build id, by which parent and worker know each other, stays.
set(CPACK_INSTALL_DEFAULT_DIRECTORY_PERMISSIONS OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE WORLD_READ
                                                WORLD_EXECUTE)
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_COMPONENTS_GROUPING IGNORE)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_COMPRESSION_TYPE xz)
set(CPACK_DEBIAN_PACKAGE_RELEASE 1)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(CPACK_DEBIAN_PACKAGE_GENERATE_SHLIBS ON)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS_PRIVATE_DIRS "${PROJECT_BINARY_DIR}/src")
set(long_description
    "Parent and worker processes share rings of cache lines: a task in another
process costs no more than one on another thread, and whatever a worker does,
crash, hang or run out of memory, the program that asked goes on and knows
exactly what happened.")

# weft_debian_package(COMPONENT name SECTION "depends, ..." "what it has")
function(weft_debian_package component name section depends more)
  string(TOUPPER "${component}" key)
  set(CPACK_COMPONENT_${key}_DESCRIPTION "${long_description}\n.\n${more}" PARENT_SCOPE)
  set(CPACK_DEBIAN_${key}_PACKAGE_NAME "${name}" PARENT_SCOPE)
  set(CPACK_DEBIAN_${key}_PACKAGE_SECTION "${section}" PARENT_SCOPE)
  set(CPACK_DEBIAN_${key}_PACKAGE_DEPENDS "${depends}" PARENT_SCOPE)
  # What Debian's policy asks of every package.
  set(docs "${PROJECT_BINARY_DIR}/debian/${name}")
  file(MAKE_DIRECTORY "${docs}")
  file(READ "${PROJECT_SOURCE_DIR}/LICENSE" license)
  string(REGEX REPLACE "^MIT License\n+" "" license "${license}")
  string(REGEX MATCH "Copyright[^\n]*" holder "${license}")
  string(REGEX REPLACE "^Copyright \\(c\\) " "" holder "${holder}")
  string(REGEX REPLACE "^Copyright[^\n]*\n+" "" license "${license}")
  string(REGEX REPLACE "\n+$" "" license "${license}")
  string(REPLACE "\n\n" "\n.\n" license "${license}")
  string(REPLACE "\n" "\n " license "${license}")
  file(WRITE "${docs}/copyright"
       "Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\nUpstream-Name: weft\n\nFiles: *\n"
       "Copyright: ${holder}\nLicense: Expat\n ${license}\n")
  file(TIMESTAMP "${PROJECT_SOURCE_DIR}/CHANGELOG.md" date "%a, %d %b %Y %H:%M:%S +0000" UTC)
  file(WRITE "${docs}/changelog.Debian"
       "weft (${PROJECT_VERSION}-${CPACK_DEBIAN_PACKAGE_RELEASE}) unstable; urgency=medium\n\n"
       "  * What has changed: CHANGELOG.md of the sources.\n\n -- ${CPACK_PACKAGE_CONTACT}  ${date}\n")
  execute_process(COMMAND "${GZIP}" -9nf "${docs}/changelog.Debian" COMMAND_ERROR_IS_FATAL ANY)
  install(FILES "${docs}/copyright" "${docs}/changelog.Debian.gz" DESTINATION "${CMAKE_INSTALL_DATAROOTDIR}/doc/${name}"
          COMPONENT ${component})
endfunction()

set(this_version "= ${PROJECT_VERSION}-${CPACK_DEBIAN_PACKAGE_RELEASE}")
set(boost "${Boost_VERSION_MAJOR}.${Boost_VERSION_MINOR}")
set(CPACK_COMPONENTS_ALL weft)
set(needed "libboost${boost}-dev, libboost-context${boost}-dev, libboost-fiber${boost}-dev, libflatbuffers-dev")
if(BUILD_SHARED_LIBS)
  set(runtime "libweft${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR}")
  list(PREPEND CPACK_COMPONENTS_ALL weft_runtime)
  weft_debian_package(weft_runtime ${runtime} libs "" "This package has the shared library.")
  set(CPACK_DEBIAN_WEFT_RUNTIME_PACKAGE_SHLIBDEPS ON)
  # Beside CPack's scripts that call ldconfig: what Debian asks for nowadays.
  file(WRITE "${PROJECT_BINARY_DIR}/debian/triggers" "activate-noawait ldconfig\n")
  set(CPACK_DEBIAN_WEFT_RUNTIME_PACKAGE_CONTROL_EXTRA "${PROJECT_BINARY_DIR}/debian/triggers")
  set(CPACK_DEBIAN_WEFT_RUNTIME_PACKAGE_RECOMMENDS libdw1)  # opened where a crash is to be explained
  set(tools_need "${runtime} (${this_version})")
  set(needed "${tools_need}, ${needed}")
endif()
weft_debian_package(weft libweft-dev libdevel "${needed}"
                    "This package has what programs are built with: headers, and what CMake and
pkg-config say of them.")
set(CPACK_DEBIAN_WEFT_PACKAGE_SUGGESTS flatbuffers-compiler)
if(TARGET weft_cli AND TARGET weft_bench)
  list(APPEND CPACK_COMPONENTS_ALL weft_tools)
  execute_process(COMMAND "${GZIP}" -9nc "${PROJECT_SOURCE_DIR}/tools/weft/weft.1"
                  OUTPUT_FILE "${PROJECT_BINARY_DIR}/debian/weft.1.gz" COMMAND_ERROR_IS_FATAL ANY)
  install(FILES "${PROJECT_BINARY_DIR}/debian/weft.1.gz" DESTINATION "${CMAKE_INSTALL_MANDIR}/man1" COMPONENT weft_tools)
  weft_debian_package(weft_tools weft utils "${tools_need}"
                      "This package has the program weft, which makes thumbnails of pictures and
pages of PDFs, shows what the workers of running programs do, and measures
what communication between processes costs on this machine.")
  set(CPACK_DEBIAN_WEFT_TOOLS_PACKAGE_SHLIBDEPS ON)
  set(CPACK_DEBIAN_WEFT_TOOLS_PACKAGE_SUGGESTS "python3, nodejs")
endif()

include(CPack)
