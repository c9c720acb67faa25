# What comes from Debian, plus the google.rpc protos that Debian lacks.
find_package(Threads REQUIRED)
find_package(Protobuf CONFIG QUIET)
if(NOT Protobuf_FOUND)
  find_package(Protobuf REQUIRED)
endif()
find_package(absl CONFIG REQUIRED)
find_package(gRPC CONFIG REQUIRED)
find_package(yaml-cpp REQUIRED)
find_package(nlohmann_json REQUIRED)
find_package(CLI11 REQUIRED)
find_package(spdlog REQUIRED)
find_package(prometheus-cpp CONFIG REQUIRED)
find_package(ICU REQUIRED COMPONENTS uc)
find_package(ZLIB REQUIRED)
find_path(STB_INCLUDE stb_image_write.h PATH_SUFFIXES stb REQUIRED)

set(GENZO_GOOGLEAPIS ${PROJECT_SOURCE_DIR}/.deps/googleapis CACHE PATH
  "Folder that holds google/rpc/error_details.proto")
if(NOT EXISTS ${GENZO_GOOGLEAPIS}/google/rpc/error_details.proto)
  message(FATAL_ERROR "google/rpc/error_details.proto is not in "
    "${GENZO_GOOGLEAPIS}; ./dev setup puts it there")
endif()
