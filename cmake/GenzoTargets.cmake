# What holds no tensors waits more than it computes: -O3 would only take a third
# longer to compile.
set(genzo_plain_options $<$<CONFIG:Release>:-O2>)

# genzo_library(name SOURCES ... [DEPS ...] [PRIVATE_DEPS ...])
# A static library `genzo_name` with the alias `genzo::name`.
function(genzo_library name)
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPS;PRIVATE_DEPS" ${ARGN})
  add_library(genzo_${name} STATIC ${ARG_SOURCES})
  add_library(genzo::${name} ALIAS genzo_${name})
  target_link_libraries(genzo_${name} PUBLIC ${ARG_DEPS}
    PRIVATE ${ARG_PRIVATE_DEPS})
  genzo_compile_options(genzo_${name})
  genzo_precompiled(genzo_${name} "" ${ARG_DEPS} ${ARG_PRIVATE_DEPS})
  genzo_find_tensors(tensors ${ARG_DEPS})
  set_target_properties(genzo_${name} PROPERTIES GENZO_TENSORS ${tensors})
endfunction()

# genzo_program(name SOURCES ... DEPS ...)
function(genzo_program name)
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPS" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE ${ARG_DEPS})
  genzo_compile_options(${name})
  target_compile_options(${name} PRIVATE ${genzo_plain_options})
  set_target_properties(${name} PROPERTIES
    RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)
endfunction()

# What they test is optimised; they themselves would take a quarter longer to
# compile than they save.
set(genzo_test_options $<$<CONFIG:Release>:-O1>)

# Tests are small files below many headers: four in one translation unit compile
# in half the time. A helper that two tests of one program need goes into a
# header, or it would stand there twice.
set(genzo_tests_in_one_unit 4)

# genzo_test(name SOURCES ... DEPS ... [LABEL label])
# A GoogleTest program, run by ctest as one test.
function(genzo_test name)
  cmake_parse_arguments(ARG "" "LABEL" "SOURCES;DEPS" ${ARGN})
  if(NOT ARG_LABEL)
    set(ARG_LABEL unit)
  endif()
  add_executable(${name} ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE ${ARG_DEPS} genzo::testing)
  genzo_compile_options(${name})
  target_compile_options(${name} PRIVATE ${genzo_test_options})
  genzo_precompiled(${name} _tests ${ARG_DEPS})
  set_target_properties(${name} PROPERTIES
    UNITY_BUILD ON UNITY_BUILD_BATCH_SIZE ${genzo_tests_in_one_unit}
    RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
  add_test(NAME ${name} COMMAND ${name})
  set_tests_properties(${name} PROPERTIES LABELS ${ARG_LABEL} TIMEOUT 300)
  genzo_run_alone(${name})
endfunction()

# Tests compute on all cores. Two at once (`ctest -j2`) wait for each other's
# threads at every operator and take many times as long; with sanitizers, many
# times that.
function(genzo_run_alone)
  set_tests_properties(${ARGN} PROPERTIES RUN_SERIAL TRUE)
  if(GENZO_SANITIZE)
    set_tests_properties(${ARGN} PROPERTIES TIMEOUT 3600)
  endif()
endfunction()

# Whether a target with these dependencies sees LibTorch's headers.
function(genzo_find_tensors result)
  set(${result} FALSE PARENT_SCOPE)
  foreach(target ${ARGN})
    set(tensors FALSE)
    if(target STREQUAL genzo::torch)
      set(tensors TRUE)
    elseif(TARGET ${target})
      get_target_property(tensors ${target} GENZO_TENSORS)
    endif()
    if(tensors)
      set(${result} TRUE PARENT_SCOPE)
    endif()
  endforeach()
endfunction()

# Gives a target the set of Precompiled.cmake for its dependencies.
function(genzo_precompiled target suffix)
  genzo_find_tensors(tensors ${ARGN})
  if(tensors)
    set(name genzo_precompiled_tensors${suffix})
  else()
    set(name genzo_precompiled_plain${suffix})
    if(NOT suffix)
      target_compile_options(${target} PRIVATE ${genzo_plain_options})
    endif()
  endif()
  target_precompile_headers(${target} REUSE_FROM ${name})
endfunction()

function(genzo_compile_options target)
  target_include_directories(${target} PRIVATE ${PROJECT_SOURCE_DIR})
  # Threads everywhere, or a set of Precompiled.cmake would not fit everywhere.
  # What designated initialisers do not name has its default.
  target_compile_options(${target} PRIVATE -Wall -Wextra -Wno-unused-parameter
    -Wno-missing-field-initializers -pthread)
  if(CMAKE_CXX_COMPILER_ID STREQUAL GNU)
    # GCC 12 sees overlaps in std::string concatenation that are not there.
    target_compile_options(${target} PRIVATE -Wno-restrict)
  endif()
  if(CMAKE_CXX_COMPILER_ID MATCHES Clang)
    target_compile_options(${target} PRIVATE -Wthread-safety -Werror)
  endif()
  if(GENZO_SANITIZE)
    target_compile_options(${target} PRIVATE
      -fsanitize=${GENZO_SANITIZE} -fno-omit-frame-pointer)
    target_link_options(${target} PRIVATE -fsanitize=${GENZO_SANITIZE})
  endif()
endfunction()
