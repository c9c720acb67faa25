# Genzo from source, on Debian 12: the .deb that `./dev package` makes, in a slim image that runs as
# nobody special and writes only to /var/lib/genzo and /tmp.
#
#   docker build -t genzo . && docker run --rm -p 50051:50051 -p 8080:8080 genzo
#   docker build -t genzo:cuda --target cuda --build-arg VARIANT=cuda .
#
# `./dev image` does it with buildah, also where no registry can be reached.

ARG BASE=docker.io/library/debian:bookworm-slim

FROM ${BASE} AS build
WORKDIR /src
# cuda: LibTorch with CUDA's libraries, where the image has them, too.
ARG VARIANT=cpu
COPY dev CMakeLists.txt CMakePresets.json ./
COPY third_party third_party
RUN apt-get update \
 && apt-get install -y --no-install-recommends dpkg-dev file python3-pip \
 && if [ "$VARIANT" = cuda ]; then \
      python3 -m pip install --no-cache-dir --no-compile --target /opt/libtorch torch==2.11.0; \
    fi
RUN [ "$VARIANT" = cpu ] || export GENZO_LIBTORCH=/opt/libtorch/torch; ./dev setup
COPY cmake cmake
COPY proto proto
COPY base base
COPY queue queue
COPY worker worker
COPY gateway gateway
COPY server server
COPY client client
COPY tools tools
COPY models models
COPY docs docs
COPY deploy deploy
COPY LICENSE ./
RUN cmake --preset release -DGENZO_BUILD_TESTS=OFF \
      -DGENZO_LIBTORCH="$(cat .deps/libtorch.path)" \
 && cmake --build --preset release \
 && cpack --config build/release/CPackConfig.cmake \
 && cp build/release/package/*.deb /genzo.deb

# Another folder with a genzo.deb may stand in for it: --build-context package=FOLDER
FROM scratch AS package
COPY --from=build /genzo.deb /

FROM ${BASE} AS server
RUN --mount=type=bind,from=package,target=/package \
    apt-get update \
 && apt-get install -y --no-install-recommends adduser ca-certificates curl \
 && adduser --system --group --quiet --uid 10001 --no-create-home --home /var/lib/genzo genzo \
 && apt-get install -y --no-install-recommends /package/genzo.deb \
 && rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/log/* \
 # Whatever user a cluster chooses may read the settings and keep profiles.
 && chmod 0755 /etc/genzo \
 && install -d -m 1777 /var/lib/genzo
ENV XDG_CACHE_HOME=/var/lib/genzo
USER 10001:10001
EXPOSE 50051 8080 9464
HEALTHCHECK --interval=10s --timeout=5s --start-period=10m \
  CMD ["curl", "--fail", "--silent", "--output", "/dev/null", "http://127.0.0.1:9464/readyz"]
ENTRYPOINT ["genzo-server"]
# Whoever publishes the ports decides who calls.
CMD ["--listen", "0.0.0.0:50051", "--http", "0.0.0.0:8080", "--admin", "0.0.0.0:9464", "--insecure"]

# CUDA's libraries, without what only compilers need. The driver comes from the host.
FROM build AS libtorch
WORKDIR /opt/libtorch
RUN rm -rf torch/include torch/test torch/bin nvidia/*/include nvidia/*/*/include \
 && find . -name '*.py' -delete && find . -type d -empty -delete

FROM server AS cuda
COPY --from=libtorch /opt/libtorch /opt/libtorch
ENV NVIDIA_VISIBLE_DEVICES=all NVIDIA_DRIVER_CAPABILITIES=compute,utility

FROM server AS cpu
