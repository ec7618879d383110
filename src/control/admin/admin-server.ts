/**
 * The admin port: health, metrics and the API over HTTP, read-only but for what says otherwise. Made by the composition
 * root when `admin.port` is set, and only then loaded.
 *
 * It shares its thread with the data plane, or asks processes that do, so nothing here takes long: requests are small,
 * bounded in time and number, what is costly to make is spaced out (spaced.ts), however many ask.
 */
import type { AddressInfo } from 'node:net';
import { type FastifyInstance, type FastifyReply, fastify } from 'fastify';
import { OperatorError } from '../../base/operator-error.ts';
import type { ListenAddress } from '../../session/listener.ts';
import { Guard, isLoopback, SECURITY_HEADERS } from './guard.ts';
import { History } from './history.ts';
import { addRoutes } from './routes.ts';
import type { AdminHost } from './source.ts';

const MAX_BODY_BYTES = 4096;
const MAX_HEADER_BYTES = 16 * 1024;
const MAX_CONNECTIONS = 128;
/** A request whose head is not there after so long is cut, whole or not. */
const HEADERS_TIMEOUT_MS = 5000;
const REQUEST_TIMEOUT_MS = 10_000;
/** A connection on which nothing moves, in either direction. */
const IDLE_TIMEOUT_MS = 10_000;
const KEEP_ALIVE_MS = 5000;
const LOOK_FOR_TIMEOUTS_MS = 500;

export class AdminServer {
  readonly address: ListenAddress;
  readonly #app: FastifyInstance;
  readonly #history: History;

  private constructor(address: ListenAddress, app: FastifyInstance, history: History) {
    this.address = address;
    this.#app = app;
    this.#history = history;
  }

  /** Resolves when it listens. Throws an OperatorError when the address cannot be had. */
  static async start(owner: AdminHost): Promise<AdminServer> {
    const { host, port = 0, token } = owner.config.admin;
    const app = makeApp(owner, new Guard({ host, token }));
    const history = new History(() => owner.tellers);
    addRoutes(app, owner, history);
    try {
      await app.listen({ host, port });
    } catch (cause) {
      const isTaken = (cause as NodeJS.ErrnoException).code === 'EADDRINUSE';
      const reason = isTaken ? 'the address is in use' : (cause as Error).message;
      await app.close();
      throw new OperatorError('EVALGATE_LISTEN', `Cannot listen on ${host}:${port} for admin: ${reason}`, { cause });
    }
    history.start();
    const address = { host, port: (app.server.address() as AddressInfo).port };
    owner.log.info(address, 'admin listening');
    if (token === undefined && !isLoopback(host)) {
      owner.log.warn(address, 'the admin port can be reached from elsewhere and wants no token: set admin.token');
    }
    return new AdminServer(address, app, history);
  }

  /** Closes all connections, also those in use. */
  async stop(): Promise<void> {
    this.#history.stop();
    await this.#app.close();
  }
}

function makeApp({ log }: AdminHost, guard: Guard): FastifyInstance {
  const app = fastify({
    logger: false,
    bodyLimit: MAX_BODY_BYTES,
    connectionTimeout: IDLE_TIMEOUT_MS,
    requestTimeout: REQUEST_TIMEOUT_MS,
    keepAliveTimeout: KEEP_ALIVE_MS,
    forceCloseConnections: true,
    // A path that cannot be decoded: before any hook.
    frameworkErrors: (error, _, reply: FastifyReply) => {
      void reply.code(400).headers(SECURITY_HEADERS).send({ error: error.message });
    },
    http: {
      headersTimeout: HEADERS_TIMEOUT_MS,
      connectionsCheckingInterval: LOOK_FOR_TIMEOUTS_MS,
      maxHeaderSize: MAX_HEADER_BYTES,
    },
    ajv: { customOptions: { removeAdditional: false, coerceTypes: true } },
  });
  app.server.maxConnections = MAX_CONNECTIONS;
  app.addHook('onRequest', guard.onRequest);
  app.setNotFoundHandler(async (_, reply) => reply.code(404).send({ error: 'there is nothing here' }));
  app.setErrorHandler<Error & { statusCode?: number }>(async (error, _, reply) => {
    const status = error.statusCode ?? 500;
    if (status >= 500) log.error({ err: error }, 'an admin request failed: this is a bug in evalgate');
    return await reply
      .code(status)
      .headers(SECURITY_HEADERS)
      .send({ error: status >= 500 ? 'evalgate failed to answer: see its log' : error.message });
  });
  return app;
}
