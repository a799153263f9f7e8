# syntax=docker/dockerfile:1
ARG NODE_IMAGE=node:26-slim

# The sources bundled, with everything the lock names.
FROM ${NODE_IMAGE} AS build
WORKDIR /build
COPY package.json package-lock.json .npmrc ./
COPY tools/node/package.json tools/node/
RUN npm ci --ignore-scripts
COPY scripts/build.ts scripts/build.ts
COPY src src
RUN node scripts/build.ts

# What runs in production, and nothing that built it. The Node.js pinned for the scripts is optional and stays out: the
# image has its own.
FROM ${NODE_IMAGE} AS dependencies
WORKDIR /build
COPY package.json package-lock.json .npmrc ./
COPY tools/node/package.json tools/node/
RUN npm ci --ignore-scripts --omit=dev --omit=optional && rm -rf node_modules/.package-lock.json node_modules/@failoverd

FROM ${NODE_IMAGE}
LABEL org.opencontainers.image.title="failoverd" \
      org.opencontainers.image.description="Prometheus-driven autonomous failover daemon for two-region platforms" \
      org.opencontainers.image.licenses="Apache-2.0"
# npm and yarn are of no use to a daemon, and one thing less to patch.
RUN rm -rf /usr/local/lib/node_modules /usr/local/bin/npm /usr/local/bin/npx /usr/local/bin/corepack /opt/yarn-* \
      /usr/local/bin/yarn /usr/local/bin/yarnpkg \
 && install -d -o node -g node -m 0750 /var/lib/failoverd \
 && install -d /etc/failoverd
WORKDIR /opt/failoverd
COPY --from=dependencies /build/node_modules node_modules
COPY --from=build /build/dist dist
COPY package.json LICENSE ./
COPY bin bin
COPY config config

# The root file system may be read-only: only the state is written, and it belongs on a volume (`daemon.stateDir`).
VOLUME ["/var/lib/failoverd"]
USER node:node
ENV NODE_ENV=production \
    FAILOVERD_HEALTH_URL=http://127.0.0.1:8080/-/healthy
EXPOSE 8080
# Alive, not ready: an instance that waits for its lock or its evidence must not be restarted for it.
HEALTHCHECK --interval=10s --timeout=3s --start-period=15s --retries=3 \
  CMD ["node", "-e", "fetch(process.env.FAILOVERD_HEALTH_URL, { signal: AbortSignal.timeout(2500) }).then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["node", "/opt/failoverd/bin/failoverd.mjs"]
CMD ["run", "--config", "/etc/failoverd/failover.yaml"]
