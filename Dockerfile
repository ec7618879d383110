# The image runs `evalgate serve` on port 6380. Give it a node of the cluster, `-e REDIS_NODE=10.0.0.1:7000`, or a config
# of your own: `-v ./evalgate.yaml:/etc/evalgate/evalgate.yaml`.

FROM node:22-bookworm-slim AS build
WORKDIR /app
COPY package.json package-lock.json ./
RUN npm ci --no-audit --no-fund
COPY tsconfig.json ./
COPY scripts scripts
COPY src src
RUN npm run build && npm prune --omit=dev --no-audit --no-fund

FROM node:22-bookworm-slim
ENV NODE_ENV=production
WORKDIR /app
COPY --from=build /app/package.json ./
COPY --from=build /app/node_modules node_modules
COPY --from=build /app/dist/src dist/src
COPY LICENSE ./
COPY config/docker.yaml /etc/evalgate/evalgate.yaml
USER node
EXPOSE 6380
HEALTHCHECK --interval=5s --timeout=3s --start-period=10s CMD ["node", "-e", "const s = require('node:net').connect(6380, '127.0.0.1', () => s.write('PING\\r\\n')).on('error', () => process.exit(1)).on('data', (d) => process.exit(d.toString() === '+PONG\\r\\n' ? 0 : 1))"]
ENTRYPOINT ["node", "dist/src/main.js"]
CMD ["serve", "--config", "/etc/evalgate/evalgate.yaml"]
