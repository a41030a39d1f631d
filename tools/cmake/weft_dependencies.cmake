# What weft is built from. tools/setup installs all of it on Debian.

find_package(Threads REQUIRED)

if(PROJECT_IS_TOP_LEVEL AND NOT BUILD_SHARED_LIBS AND NOT DEFINED Boost_USE_STATIC_LIBS)
  # A worker is this program started again: each shared library that it need not load makes it start sooner.
  set(Boost_USE_STATIC_LIBS ON)
endif()
find_package(Boost 1.81 CONFIG REQUIRED COMPONENTS headers fiber context)
find_package(FlatBuffers 2.0 CONFIG REQUIRED)
# Of libdw only the headers: it is loaded when there is a crash to be explained, so that no worker starts with it.
