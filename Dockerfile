# Builds both programs on Debian 12 and ships them, LibTorch and the model in the
# box in an image that runs as nobody special.
#
#   docker build -t genzo . && docker run --rm -p 50051:50051 genzo

ARG BASE=docker.io/library/debian:bookworm-slim

FROM ${BASE} AS build
WORKDIR /src
COPY dev CMakeLists.txt CMakePresets.json ./
COPY third_party third_party
RUN ./dev setup
COPY cmake cmake
COPY proto proto
COPY base base
COPY queue queue
COPY worker worker
COPY gateway gateway
COPY server server
COPY client client
COPY tools tools
RUN cmake --preset release -DGENZO_BUILD_TESTS=OFF \
      -DCMAKE_INSTALL_PREFIX=/opt/genzo \
 && cmake --build --preset release \
 && cmake --install build/release --strip

FROM ${BASE}
RUN apt-get update \
 && apt-get install -y --no-install-recommends libcivetweb1 libcurl4 libgrpc++1.51 libicu72 \
      libexif12 libjemalloc2 libjpeg62-turbo libpng16-16 libprometheus-cpp-core1.0 \
      libpugixml1v5 \
      libspdlog1.10 libwebp7 libwebpmux3 libyaml-cpp0.7 libzip4 \
 && rm -rf /var/lib/apt/lists/* \
 && useradd --system --uid 10001 --no-create-home genzo
COPY --from=build /opt/genzo /opt/genzo
COPY models /opt/genzo/models
COPY gateway/page/dist /opt/genzo/gateway/page/dist
COPY deploy/genzo.yaml /opt/genzo/etc/genzo.yaml
ENV PATH=/opt/genzo/bin:$PATH GENZO_CONFIG=/opt/genzo/etc/genzo.yaml
USER 10001
EXPOSE 50051 8080
ENTRYPOINT ["genzo-server"]
CMD ["--listen", "0.0.0.0:50051", "--http", "0.0.0.0:8080", "--insecure"]
