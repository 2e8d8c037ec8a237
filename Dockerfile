# Two stages: dependencies with their native parts are installed where npm is, and run where it is not.
FROM node:24-bookworm-slim AS build
WORKDIR /app
COPY package.json package-lock.json ./
RUN npm ci
COPY tsconfig.json tsconfig.build.json ./
COPY src ./src
RUN npm run build && npm prune --omit=dev

FROM node:24-bookworm-slim
ENV NODE_ENV=production STATE_DIR=/state HTTP_HOST=0.0.0.0
WORKDIR /app
COPY --from=build /app/node_modules ./node_modules
COPY --from=build /app/dist ./dist
COPY package.json LICENSE ./
COPY bin ./bin
RUN mkdir /state && chown node:node /state && ln -s /app/bin/login-stats /usr/local/bin/login-stats
USER node
VOLUME /state
ENTRYPOINT ["login-stats"]
CMD ["run"]
