# Two stages: dependencies with their native parts are installed where npm is, and run where neither npm nor a shell is. Both are
# Debian 12, as the native parts (LevelDB, CRC, LZ4) are built for glibc.
#
# The tags are as exact as their publishers have them; what stands behind a tag is still made anew now and then, with fixes of Debian. Who must
# build the same image again puts digests in their place (`docker buildx imagetools inspect TAG` tells them), and renews those.

# The Node that tests run on: a test holds it to package.json.
FROM node:24.21.0-bookworm-slim AS build
WORKDIR /app
COPY package.json package-lock.json ./
RUN npm ci
COPY tsconfig.json tsconfig.build.json ./
COPY src ./src
# The empty directory becomes the state volume: only a copy can give it to its user where there is no shell.
RUN npm run build && npm prune --omit=dev && mkdir /state

# Its publisher has tags for major versions of Node alone. Its user is `nonroot`, 65532.
FROM gcr.io/distroless/nodejs24-debian12:nonroot
# As bin/login-stats has it. HTTP_HOST: inside of a container the loopback is of no use to others.
ENV NODE_ENV=production STATE_DIR=/state HTTP_HOST=0.0.0.0 HTTP_PORT=8080 MALLOC_ARENA_MAX=2 \
    NODE_OPTIONS=--max-semi-space-size=8
WORKDIR /app
COPY --from=build /app/node_modules ./node_modules
COPY --from=build /app/dist ./dist
COPY package.json LICENSE ./
COPY --chmod=755 deploy/image/login-stats /usr/local/bin/login-stats
COPY --from=build --chown=65532:65532 /state /state
USER 65532:65532
# All that is written; the rest may be read-only.
VOLUME /state
EXPOSE 8080
HEALTHCHECK --start-period=30s --start-interval=2s --interval=30s --timeout=5s --retries=3 CMD ["login-stats", "health"]
ENTRYPOINT ["login-stats"]
CMD ["run"]
