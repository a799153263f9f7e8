# syntax=docker/dockerfile:1
# Where it is built: Debian 12, as what it runs on.
ARG NODE_IMAGE=node:26-bookworm
# What it runs on: a C library and certificates, no shell and no package manager. Programs that fence are not in it; give
# an image that has them (debian:bookworm-slim and your own packages).
ARG BASE_IMAGE=gcr.io/distroless/cc-debian12

# The sources bundled, with everything the lock names.
FROM ${NODE_IMAGE} AS build
WORKDIR /build
COPY package.json package-lock.json .npmrc ./
COPY tools/node/package.json tools/node/
RUN npm ci --ignore-scripts
COPY scripts/build.ts scripts/build.ts
COPY src src
RUN node scripts/build.ts

# What runs in production, laid out as it will lie, and nothing that built it. Node.js without npm, and without the names
# that only a debugger needs: a fifth of its size. The one pinned for the scripts is optional and stays out.
FROM ${NODE_IMAGE} AS layout
WORKDIR /layout/opt/failoverd
COPY package.json package-lock.json .npmrc ./
COPY tools/node/package.json tools/node/
RUN npm ci --ignore-scripts --omit=dev --omit=optional \
 && rm -rf node_modules/.package-lock.json node_modules/@failoverd tools package-lock.json .npmrc
RUN mkdir -p /layout/usr/local/bin /layout/etc/failoverd \
 && strip -o /layout/usr/local/bin/node "$(command -v node)" \
 && cp --parents --dereference "$(ldconfig -p | awk '/libatomic\.so\.1 / { print $NF; exit }')" /layout \
 && install -d -o 65532 -g 65532 -m 0700 /layout/var/lib/failoverd
COPY --from=build /build/dist dist
COPY LICENSE ./
COPY bin bin
COPY config config

FROM ${BASE_IMAGE}
LABEL org.opencontainers.image.title="failoverd" \
      org.opencontainers.image.description="Prometheus-driven autonomous failover daemon for two-region platforms" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=layout /layout /
WORKDIR /opt/failoverd

# The root file system may be read-only: only the state is written, and it belongs on a volume (`daemon.stateDir`).
VOLUME ["/var/lib/failoverd"]
# By number, so that Kubernetes can see that it is not root.
USER 65532:65532
ENV NODE_ENV=production \
    FAILOVERD_HEALTH_URL=http://127.0.0.1:8080/-/healthy
EXPOSE 8080
# Alive, not ready: an instance that waits for its lock or its evidence must not be restarted for it.
HEALTHCHECK --interval=10s --timeout=3s --start-period=15s --retries=3 \
  CMD ["/usr/local/bin/node", "-e", "fetch(process.env.FAILOVERD_HEALTH_URL, { signal: AbortSignal.timeout(2500) }).then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["/usr/local/bin/node", "/opt/failoverd/bin/failoverd.mjs"]
CMD ["run", "--config", "/etc/failoverd/failover.yaml"]
