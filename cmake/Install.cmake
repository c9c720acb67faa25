# `cmake --install`: the programs in bin/, and in lib/genzo what libtorch_cpu.so
# needs, found there by run paths relative to the server.
set(genzo_programs genzo genzo-server genzo-gateway genzo-bench genzo-sim
  genzo-tool)
install(TARGETS ${genzo_programs} RUNTIME DESTINATION bin)
set(torch_lib ${GENZO_LIBTORCH}/lib)
file(GLOB torch_libraries
  ${torch_lib}/libtorch_cpu.so
  ${torch_lib}/libc10.so
  ${torch_lib}/libgomp*.so*
  ${GENZO_LIBTORCH}/../nvidia/cu13/lib/libcudart.so.13
  ${GENZO_LIBTORCH}/../nvidia/cu13/lib/libcupti.so.13)
install(FILES ${torch_libraries} DESTINATION lib/genzo)
install(DIRECTORY models DESTINATION share/genzo)
install(DIRECTORY gateway/page/dist/ DESTINATION share/genzo/page)

set(run_path $ORIGIN/../lib/genzo)
if(TARGET genzo_cuda)
  install(TARGETS genzo_cuda LIBRARY DESTINATION lib/genzo)
  # LibTorch's CUDA libraries, some gigabytes, are used where setup put them.
  if(EXISTS ${GENZO_LIBTORCH}/../nvidia/cudnn)
    list(APPEND run_path ${torch_lib})
  endif()
  set_target_properties(genzo_cuda PROPERTIES
    INSTALL_RPATH "$ORIGIN;${GENZO_LIBTORCH}/../nvidia/cu13/lib")
endif()
set_target_properties(genzo-server genzo-tool PROPERTIES
  INSTALL_RPATH "${run_path}")
