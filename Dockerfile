# An image of few files: the program with the capability that it needs, the libraries that it is linked with, and the
# certificates of public authorities. It has no shell and no package manager, and runs as a user without rights.
#
#   docker build -t trafficmonitor .           (podman and buildah take the same file)
#   docker run --rm --network host --cap-drop all --cap-add NET_RAW trafficmonitor -iface eth0 -promHTTP 127.0.0.1:8888
#
# docs/install.md says how to run it.
FROM docker.io/library/rust:1-bookworm AS build
RUN apt-get update \
 && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends libpcap-dev libcap2-bin ca-certificates \
 && rm -rf /var/lib/apt/lists/*
WORKDIR /source
COPY . .
# The commit that --version prints; the build has no git history.
ARG COMMIT=unknown
RUN TRAFFICMONITOR_COMMIT="$COMMIT" cargo build --release --locked --target-dir /target \
 && scripts/container-root.sh /target/release/trafficmonitor /image

FROM scratch
COPY --from=build /image/ /
USER 65532:65532
EXPOSE 8888
ENTRYPOINT ["/usr/bin/trafficmonitor"]
