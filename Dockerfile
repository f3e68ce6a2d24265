# syntax=docker/dockerfile:1
# The daemon as a container: one program, the C library that it needs, and certificate authorities. No shell, no package manager.
#
#     docker build --tag wheelwright .
#
# Bases are pinned by their digests: an update is a change that somebody reviews. The toolchain is the oldest that Cargo.toml says
# will do, so that each image shows that it does.
FROM rust:1.94.1-slim-bookworm@sha256:cf9dd0ec73e75f827fe59123fff9dc65af1a1c8363c3c31ee8d7f8ad0b6a5fb2 AS build
WORKDIR /wheelwright
COPY . .
# The time of the commit (`git log -1 --format=%ct`): the same source gives the same program. `deploy/release` says more.
ARG SOURCE_DATE_EPOCH=0
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/wheelwright/target \
    deploy/release && install -D target/dist/wheelwright /image/usr/bin/wheelwright \
    && install --directory --mode=0700 /image/var/lib/wheelwright

# Debian's C library and CA certificates, and nothing to run: https://github.com/GoogleContainerTools/distroless. A git source over
# SSH needs the program `ssh`, which is not in it: read git over HTTPS, or copy this onto a base that has openssh-client.
FROM gcr.io/distroless/cc-debian12:nonroot@sha256:9dac0a79194e45a7da0158a9c6da57b217585af0786db3845d1f0ec1a0dd182f
COPY --from=build --chown=0:0 /image/usr/bin/wheelwright /usr/bin/wheelwright
# Where a volume is mounted for the state: a new one takes on the owner and mode of this folder.
COPY --from=build --chown=65532:65532 /image/var/lib/wheelwright /var/lib/wheelwright
ENV WHEELWRIGHT_CONFIG=/config \
    WHEELWRIGHT_STATE=/var/lib/wheelwright \
    SQLITE_TMPDIR=/var/lib/wheelwright
# By number, so that a cluster can see that it is not root.
USER 65532:65532
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=10s --start-period=60s --retries=3 CMD ["/usr/bin/wheelwright", "health"]
ENTRYPOINT ["/usr/bin/wheelwright"]
CMD ["run"]
