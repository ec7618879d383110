/**
 * The routes of the admin port. docs/admin.md describes every one; shapes and names are an interface.
 */
import type { FastifyInstance, FastifyReply, FastifyRequest, HTTPMethods } from 'fastify';
import { masked } from '../config-diff.ts';
import { askAll } from './facts.ts';
import type { History } from './history.ts';
import { STEP_MS } from './history.ts';
import { METRICS_TYPE, metricsText } from './metrics.ts';
import { pageRoutes } from './page-routes.ts';
import { MAX_LISTED, type ScriptsOrder, SORT_NAMES, scriptsView, scriptView } from './script-views.ts';
import type { AdminHost } from './source.ts';
import { spaced } from './spaced.ts';
import type { Page } from './state-facts.ts';
import { clientsView, eventsView, slowLogView, statusView, topologyView } from './views.ts';

/** Between two answers that are costly to make. */
const SPACE_MS = 50;
const MAX_OFFSET = 1_000_000;

const METHODS: readonly HTTPMethods[] = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'];

interface ScriptsQuery extends ScriptsOrder {
  /** Begin of a sha, or part of a title, in any case; empty for all. */
  readonly q: string;
}

interface Route {
  readonly url: string;
  readonly method?: 'GET' | 'POST';
  /** JSON schemas by fastify's names: querystring, params. */
  readonly schema?: object;
  readonly isPublic?: boolean;
  readonly handler: (request: FastifyRequest, reply: FastifyReply) => unknown;
}

export function addRoutes(app: FastifyInstance, host: AdminHost, history: History): void {
  const routes = [
    ...healthRoutes(host),
    ...stateRoutes(host, history),
    ...listRoutes(host),
    ...scriptRoutes(host),
    reloadRoute(host),
    ...pageRoutes(),
  ];
  for (const route of routes) add(app, route);
}

/** The route, and 405 for every other method there. */
function add(app: FastifyInstance, { url, method = 'GET', schema, isPublic = false, handler }: Route): void {
  const allowed: HTTPMethods[] = method === 'GET' ? ['GET', 'HEAD'] : [method];
  const config = { isPublic };
  app.route({
    url,
    method: allowed,
    config,
    ...(schema === undefined ? {} : { schema }),
    handler: async (request, reply) => await handler(request, reply),
  });
  app.route({
    url,
    method: METHODS.filter((other) => !allowed.includes(other)),
    config,
    // Before a body is read.
    onRequest: async (_, reply) => {
      const error = `only ${allowed.join(' and ')} here`;
      await reply.code(405).header('allow', allowed.join(', ')).send({ error });
    },
    handler: () => {},
  });
}

function healthRoutes(host: AdminHost): Route[] {
  return [
    { url: '/healthz', isPublic: true, handler: () => ({ status: 'ok' }) },
    {
      url: '/readyz',
      isPublic: true,
      handler: async (_, reply) => {
        const problems = await askAll(host.tellers, 'problem', undefined);
        const reason = problems.find((problem) => problem !== undefined);
        if (reason === undefined) return { status: 'ready' };
        // Probes have no token, and who has none does not learn the addresses of nodes.
        const isTold = host.config.admin.token === undefined;
        return await reply.code(503).send({ status: 'not ready', ...(isTold ? { reason } : {}) });
      },
    },
  ];
}

function stateRoutes(host: AdminHost, history: History): Route[] {
  const metrics = spaced(SPACE_MS, async () => metricsText(await askAll(host.tellers, 'metrics', undefined)));
  return [
    {
      url: '/metrics',
      handler: async (_, reply) => reply.type(METRICS_TYPE).send(await metrics('', undefined)),
    },
    { url: '/api/status', handler: async () => statusView(await askAll(host.tellers, 'state', undefined), history) },
    { url: '/api/topology', handler: async () => topologyView(await askAll(host.tellers, 'nodes', undefined)) },
    { url: '/api/history', handler: () => ({ stepMs: STEP_MS, series: history }) },
    { url: '/api/config', handler: () => masked(host.config) },
  ];
}

function listRoutes(host: AdminHost): Route[] {
  return [
    {
      url: '/api/clients',
      schema: { querystring: pageSchema() },
      handler: ({ query }) => clientsView(host.tellers, query as Page),
    },
    {
      url: '/api/slowlog',
      schema: { querystring: object({ limit: integer(1, 128, 128) }) },
      handler: async ({ query }) => {
        const { limit } = query as Page;
        return slowLogView(await askAll(host.tellers, 'slowRequests', limit), limit);
      },
    },
    {
      url: '/api/events',
      schema: { querystring: object({ limit: integer(1, 200, 200) }) },
      handler: async ({ query }) => {
        const { limit } = query as Page;
        return eventsView(await askAll(host.tellers, 'events', limit), limit);
      },
    },
  ];
}

function reloadRoute(host: AdminHost): Route {
  return {
    url: '/api/reload',
    method: 'POST',
    handler: async (_, reply) => {
      const outcome = await host.reload();
      return await reply.code(outcome.kind === 'refused' ? 409 : 200).send(outcome);
    },
  };
}

function scriptRoutes(host: AdminHost): Route[] {
  const lists = spaced(SPACE_MS, async ({ q, ...order }: ScriptsQuery) => {
    const wanted = { q: q.toLowerCase(), limit: Math.ceil(MAX_LISTED / Math.max(1, host.tellers.length)) };
    return JSON.stringify(scriptsView(await askAll(host.tellers, 'scripts', wanted), order));
  });
  return [
    {
      url: '/api/scripts',
      schema: {
        querystring: pageSchema({
          sort: { type: 'string', enum: SORT_NAMES, default: 'calls' },
          order: { type: 'string', enum: ['asc', 'desc'], default: 'desc' },
          q: { type: 'string', maxLength: 200, default: '' },
        }),
      },
      handler: async ({ query }, reply) => {
        const text = await lists(JSON.stringify(query), query as ScriptsQuery);
        return reply.type('application/json; charset=utf-8').send(text);
      },
    },
    {
      url: '/api/scripts/:sha',
      schema: { params: object({ sha: { type: 'string', pattern: '^[0-9a-fA-F]{40}$' } }) },
      handler: async ({ params }, reply) => {
        const { sha } = params as { sha: string };
        const view = scriptView(await askAll(host.tellers, 'script', sha));
        return view ?? (await reply.code(404).send({ error: `the registry holds no script ${sha}` }));
      },
    },
  ];
}

function object(properties: object): object {
  return { type: 'object', additionalProperties: false, properties };
}

function integer(minimum: number, maximum: number, byDefault: number): object {
  return { type: 'integer', minimum, maximum, default: byDefault };
}

function pageSchema(more: object = {}): object {
  return object({ limit: integer(1, 1000, 100), offset: integer(0, MAX_OFFSET, 0), ...more });
}
