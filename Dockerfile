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
    && install --directory --mode=0700 /state

# What a git source over SSH starts (`ssh`), and what looks at SSH signatures of commits (`ssh-keygen`), each with its libraries.
FROM build AS programs
SHELL ["/bin/bash", "-o", "pipefail", "-c"]
# Of Debian's stable release as it is on the day: an old version of these two is worse than an unknown one.
# hadolint ignore=DL3008
RUN apt-get update && apt-get install --yes --no-install-recommends openssh-client && rm -rf /var/lib/apt/lists/* \
    && install -D --target-directory=/image/usr/bin /usr/bin/ssh /usr/bin/ssh-keygen \
    && ldd /usr/bin/ssh /usr/bin/ssh-keygen | awk '$3 ~ "^/" { print $3 }' | sort -u | grep --invert-match '/libc[.]so' \
    | while read -r library; do install -D "$library" "/image/usr/lib/$(basename "$(dirname "$library")")/$(basename "$library")"; done

# Debian's C library and CA certificates, and nothing to run: https://github.com/GoogleContainerTools/distroless
FROM gcr.io/distroless/cc-debian12:nonroot@sha256:9dac0a79194e45a7da0158a9c6da57b217585af0786db3845d1f0ec1a0dd182f AS runtime
# Where a volume is mounted for the state: a new one takes on the owner and mode of this folder.
COPY --from=build --chown=65532:65532 /state /var/lib/wheelwright
# What is put aside for a moment goes there too: there is no other place that can be written.
ENV WHEELWRIGHT_CONFIG=/config \
    WHEELWRIGHT_STATE=/var/lib/wheelwright \
    TMPDIR=/var/lib/wheelwright
# By number, so that a cluster can see that it is not root.
USER 65532:65532
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=10s --start-period=300s --retries=3 CMD ["/usr/bin/wheelwright", "health"]
ENTRYPOINT ["/usr/bin/wheelwright"]
CMD ["run"]

# For git over SSH and for SSH signatures: `docker build --target with-ssh`. OpenPGP signatures need `gpg` and a base that has it.
FROM runtime AS with-ssh
COPY --from=programs --chown=0:0 /image /
USER 65532:65532

# What is built where no target is named.
FROM runtime
COPY --from=build --chown=0:0 /image /
USER 65532:65532
