# Installs the build into an empty folder and, from there alone, configures, builds and runs the consumer.

function(run)
  execute_process(COMMAND ${ARGN} COMMAND_ECHO STDOUT COMMAND_ERROR_IS_FATAL ANY)
endfunction()

set(prefix "${SCRATCH}/prefix")
file(REMOVE_RECURSE "${prefix}" "${SCRATCH}/consumer")
run("${CMAKE_COMMAND}" --install "${BUILD}" --prefix "${prefix}" --component weft)
run("${CMAKE_COMMAND}" --install "${BUILD}" --prefix "${prefix}" --component weft_runtime)

set(ENV{PKG_CONFIG_PATH} "${prefix}/${LIBDIR}/pkgconfig")
run("${CMAKE_COMMAND}" -S "${CMAKE_CURRENT_LIST_DIR}/consumer" -B "${SCRATCH}/consumer" -G "${GENERATOR}"
    "-DCMAKE_CXX_COMPILER=${CXX}" "-DCMAKE_PREFIX_PATH=${prefix}")
run("${CMAKE_COMMAND}" --build "${SCRATCH}/consumer")

set(ENV{LD_LIBRARY_PATH} "${prefix}/${LIBDIR}")
run("${SCRATCH}/consumer/by_find_package")
run("${SCRATCH}/consumer/by_pkg_config")
