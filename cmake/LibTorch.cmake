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

# Where programs and tests look for what they open at run time:
# libgenzo_cuda.so and CUDA's compiler.
set(CMAKE_BUILD_RPATH $ORIGIN $ORIGIN/../bin
  ${GENZO_LIBTORCH}/../nvidia/cu13/lib)

# What libgenzo_cuda.so is linked with. Its own libraries (cuBLAS, cuDNN, ...)
# need not be here: only a machine with a driver opens it.
set(cuda_packages ${GENZO_LIBTORCH}/../nvidia)
set(cuda_runtime ${cuda_packages}/cu13/lib/libcudart.so.13)
set(GENZO_CUDA_CRT ${PROJECT_SOURCE_DIR}/.deps/cuda_crt/nvidia/cu13/include
  CACHE PATH "Folder that holds CUDA's crt/host_defines.h")
if(EXISTS ${GENZO_LIBTORCH}/lib/libtorch_cuda.so AND EXISTS ${cuda_runtime}
   AND EXISTS ${GENZO_CUDA_CRT}/crt/host_defines.h)
  add_library(genzo_torch_cuda INTERFACE)
  target_compile_options(genzo_torch_cuda INTERFACE
    "SHELL:-idirafter ${cuda_packages}/cu13/include"
    "SHELL:-idirafter ${GENZO_CUDA_CRT}")
  target_link_libraries(genzo_torch_cuda INTERFACE genzo_torch
    ${GENZO_LIBTORCH}/lib/libtorch_cuda.so
    ${GENZO_LIBTORCH}/lib/libc10_cuda.so ${cuda_runtime})
  add_library(genzo::torch_cuda ALIAS genzo_torch_cuda)
else()
  message(STATUS "Without CUDA: it needs LibTorch's wheel for it, the headers "
    "that the wheel asks for and ${GENZO_CUDA_CRT}")
endif()
