# Headers that are read once instead of by every file: a build from nothing
# takes two thirds of the time. A target uses the set that is compiled as it is:
# with or without tensors, library or test. Only what others wrote is in them, so
# that a change here compiles nothing anew. Every file still includes what it
# uses; the clang preset, which `./dev lint` builds, has no such sets and sees to
# it.
set(precompiled_plain <algorithm> <cmath> <filesystem> <functional> <map>
  <memory> <optional> <set> <string> <thread> <vector>
  <absl/status/statusor.h> <absl/strings/match.h> <absl/strings/str_cat.h>
  <absl/strings/str_join.h> <absl/synchronization/mutex.h> <absl/time/time.h>
  <absl/types/span.h>)
set(precompiled_tensors ${precompiled_plain} <ATen/TensorOperators.h>
  <ATen/core/Tensor.h>)

function(genzo_precompiled_set name)
  cmake_parse_arguments(ARG "" "" "HEADERS;DEPS;OPTIONS" ${ARGN})
  # CMake asks for a source.
  set(source ${CMAKE_BINARY_DIR}/precompiled/${name}.cc)
  file(CONFIGURE OUTPUT ${source} CONTENT "")
  add_library(genzo_precompiled_${name} OBJECT ${source})
  target_link_libraries(genzo_precompiled_${name} PRIVATE ${ARG_DEPS})
  target_compile_options(genzo_precompiled_${name} PRIVATE ${ARG_OPTIONS})
  genzo_compile_options(genzo_precompiled_${name})
  target_precompile_headers(genzo_precompiled_${name} PRIVATE ${ARG_HEADERS})
endfunction()

set(precompiled_base absl::base absl::status absl::statusor absl::strings
  absl::synchronization absl::time absl::span)
genzo_precompiled_set(plain HEADERS ${precompiled_plain}
  DEPS ${precompiled_base} OPTIONS ${genzo_plain_options})
genzo_precompiled_set(tensors HEADERS ${precompiled_tensors}
  DEPS ${precompiled_base} genzo::torch)
if(GENZO_BUILD_TESTS)
  find_package(GTest REQUIRED)
  foreach(kind plain tensors)
    genzo_precompiled_set(${kind}_tests
      HEADERS ${precompiled_${kind}} <gmock/gmock.h> <gtest/gtest.h>
      DEPS ${precompiled_base} GTest::gmock
        $<$<STREQUAL:${kind},tensors>:genzo::torch>
      OPTIONS -fPIE ${genzo_test_options})
    set_target_properties(genzo_precompiled_${kind}_tests PROPERTIES
      POSITION_INDEPENDENT_CODE OFF)
  endforeach()
endif()
