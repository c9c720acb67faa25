# Imported target genzo::torch for the LibTorch of a torch wheel. The wheel's
# own TorchConfig.cmake insists on a CUDA toolkit, which nothing here needs:
# torch_cpu and c10 are linked, torch_cuda is opened at run time where there is
# a driver.
if(NOT GENZO_LIBTORCH AND DEFINED ENV{GENZO_LIBTORCH})
  set(GENZO_LIBTORCH $ENV{GENZO_LIBTORCH})
endif()
if(NOT GENZO_LIBTORCH)
  set(GENZO_LIBTORCH ${PROJECT_SOURCE_DIR}/.deps/libtorch/torch)
endif()
if(NOT EXISTS ${GENZO_LIBTORCH}/lib/libtorch_cpu.so)
  message(FATAL_ERROR "no LibTorch in ${GENZO_LIBTORCH}; run ./dev setup, or "
    "set GENZO_LIBTORCH to a folder with lib/libtorch_cpu.so")
endif()
set(version_header ${GENZO_LIBTORCH}/include/torch/headeronly/version.h)
if(NOT EXISTS ${version_header})
  message(FATAL_ERROR "LibTorch in ${GENZO_LIBTORCH} has no "
    "include/torch/headeronly/version.h; Genzo needs 2.11")
endif()
file(STRINGS ${version_header} version_lines
  REGEX "define TORCH_VERSION_(MAJOR|MINOR) ")
string(REGEX REPLACE ".*MAJOR ([0-9]+).*MINOR ([0-9]+).*" "\\1.\\2"
  GENZO_TORCH_VERSION "${version_lines}")
if(NOT GENZO_TORCH_VERSION STREQUAL "2.11")
  message(FATAL_ERROR "LibTorch in ${GENZO_LIBTORCH} is version "
    "${GENZO_TORCH_VERSION}; Genzo needs 2.11")
endif()

add_library(genzo_c10 SHARED IMPORTED)
set_target_properties(genzo_c10 PROPERTIES
  IMPORTED_LOCATION ${GENZO_LIBTORCH}/lib/libc10.so)
add_library(genzo_torch SHARED IMPORTED)
set_target_properties(genzo_torch PROPERTIES
  IMPORTED_LOCATION ${GENZO_LIBTORCH}/lib/libtorch_cpu.so)
# The wheel carries an older google/protobuf, so its headers come last.
target_compile_options(genzo_torch INTERFACE
  "SHELL:-idirafter ${GENZO_LIBTORCH}/include"
  "SHELL:-idirafter ${GENZO_LIBTORCH}/include/torch/csrc/api/include")
target_compile_definitions(genzo_torch INTERFACE AT_PER_OPERATOR_HEADERS)
target_link_libraries(genzo_torch INTERFACE genzo_c10)
# libtorch_cpu.so finds its own libraries by its own rpath.
target_link_options(genzo_torch INTERFACE -Wl,--allow-shlib-undefined)
add_library(genzo::torch ALIAS genzo_torch)

# The OpenMP runtime that LibTorch brings. A second one would mean a second team
# of threads.
file(GLOB openmp_libraries ${GENZO_LIBTORCH}/lib/libgomp*.so*)
list(GET openmp_libraries 0 openmp_library)
add_library(genzo_openmp SHARED IMPORTED)
set_target_properties(genzo_openmp PROPERTIES IMPORTED_LOCATION ${openmp_library})
add_library(genzo::openmp ALIAS genzo_openmp)
