# `./dev package`, or cpack: a .deb for Debian 12 with LibTorch and the model in
# it. What only a package has is the component `system`.
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS
  deploy/genzo.yaml)
file(READ deploy/genzo.yaml settings)
string(REPLACE ../models/ /usr/share/genzo/models/ settings "${settings}")
string(REPLACE ../gateway/page/dist /usr/share/genzo/page settings
  "${settings}")
if(settings MATCHES "[ :]\\.\\./")
  message(FATAL_ERROR "deploy/genzo.yaml names a path that the package does "
    "not have: replace it in cmake/Package.cmake")
endif()
file(CONFIGURE OUTPUT ${PROJECT_BINARY_DIR}/package/genzo.yaml
  CONTENT "${settings}" @ONLY)
set(in_package COMPONENT system EXCLUDE_FROM_ALL)
install(FILES ${PROJECT_BINARY_DIR}/package/genzo.yaml
  DESTINATION /etc/genzo ${in_package})
install(FILES deploy/systemd/genzo-server.service
  DESTINATION lib/systemd/system ${in_package})
install(FILES LICENSE DESTINATION share/doc/genzo RENAME copyright
  ${in_package})
install(DIRECTORY docs/ DESTINATION share/doc/genzo ${in_package}
  FILES_MATCHING PATTERN "*.md" PATTERN images EXCLUDE)
install(FILES deploy/systemd/cuda.conf DESTINATION share/doc/genzo/examples
  ${in_package})

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_CONTACT "The Genzo authors <genzo@localhost>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY
  "Stable-Diffusion-family models over gRPC, with live previews")
set(CPACK_PACKAGE_DIRECTORY ${PROJECT_BINARY_DIR}/package)
set(CPACK_STRIP_FILES ON)
# /etc lies outside the prefix.
set(CPACK_SET_DESTDIR ON)
set(CPACK_INSTALL_PREFIX /usr)
set(CPACK_COMPONENTS_ALL Unspecified system)
set(CPACK_COMPONENTS_GROUPING ALL_COMPONENTS_IN_ONE)
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION net)
set(CPACK_DEBIAN_COMPRESSION_TYPE zstd)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS_PRIVATE_DIRS
  ${torch_lib} ${GENZO_LIBTORCH}/../nvidia/cu13/lib)
set(CPACK_DEBIAN_PACKAGE_DEPENDS "adduser, init-system-helpers")
# Whom webhooks trust.
set(CPACK_DEBIAN_PACKAGE_RECOMMENDS ca-certificates)
set(CPACK_DEBIAN_PACKAGE_CONTROL_EXTRA
  ${PROJECT_SOURCE_DIR}/deploy/debian/conffiles
  ${PROJECT_SOURCE_DIR}/deploy/debian/postinst
  ${PROJECT_SOURCE_DIR}/deploy/debian/prerm
  ${PROJECT_SOURCE_DIR}/deploy/debian/postrm)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
include(CPack)
