/**
 * The routes of the admin port. docs/admin.md describes every one; shapes and names are an interface.
 */
import type { FastifyInstance, FastifyReply, FastifyRequest, HTTPMethods } from 'fastify';
import { masked } from '../config-diff.ts';
import type { History } from './history.ts';
import { STEP_MS } from './history.ts';
import { METRICS_TYPE, metricsText } from './metrics.ts';
import { NodeHealthProbe, problemOf } from './node-health.ts';
import { pageRoutes } from './page-routes.ts';
import { ScriptDetails, type ScriptsQuery, SORT_NAMES, scriptsView } from './script-views.ts';
import type { AdminSource } from './source.ts';
import { spaced } from './spaced.ts';
import { clientsView, type Page, slowRequestView, statusView, topologyView } from './views.ts';

/** Between two answers that are costly to make. */
const SPACE_MS = 50;
const MAX_OFFSET = 1_000_000;

const METHODS: readonly HTTPMethods[] = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'];

interface Route {
  readonly url: string;
  readonly method?: 'GET' | 'POST';
  /** JSON schemas by fastify's names: querystring, params. */
  readonly schema?: object;
  readonly isPublic?: boolean;
  readonly handler: (request: FastifyRequest, reply: FastifyReply) => unknown;
}

export function addRoutes(app: FastifyInstance, source: AdminSource, history: History): void {
  const probe = new NodeHealthProbe(source);
  const routes = [
    ...healthRoutes(source, probe),
    ...apiRoutes(source, history, probe),
    ...scriptRoutes(source),
    reloadRoute(source),
    ...pageRoutes(),
  ];
  const metrics = spaced(SPACE_MS, () => metricsText(source, history));
  routes.push({
    url: '/metrics',
    handler: async (_, reply) => reply.type(METRICS_TYPE).send(await metrics('', undefined)),
  });
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

function healthRoutes(source: AdminSource, probe: NodeHealthProbe): Route[] {
  return [
    { url: '/healthz', isPublic: true, handler: () => ({ status: 'ok' }) },
    {
      url: '/readyz',
      isPublic: true,
      handler: async (_, reply) => {
        // Who stops, or knows no nodes, need not ask them.
        const reason = problemOf(source) ?? problemOf(source, await probe.look());
        if (reason === undefined) return { status: 'ready' };
        // Probes have no token, and who has none does not learn the addresses of nodes.
        const isTold = source.config.admin.token === undefined;
        return await reply.code(503).send({ status: 'not ready', ...(isTold ? { reason } : {}) });
      },
    },
  ];
}

function apiRoutes(source: AdminSource, history: History, probe: NodeHealthProbe): Route[] {
  const { slowLog } = source.statistics;
  return [
    { url: '/api/status', handler: async () => statusView(source, history, await probe.look()) },
    { url: '/api/topology', handler: async () => topologyView(source, await probe.look()) },
    {
      url: '/api/clients',
      schema: { querystring: pageSchema() },
      handler: ({ query }) => clientsView(source, query as Page),
    },
    {
      url: '/api/slowlog',
      schema: { querystring: object({ limit: integer(1, 128, 128) }) },
      handler: ({ query }) => ({
        total: slowLog.total,
        requests: slowLog.newest((query as Page).limit).map(slowRequestView),
      }),
    },
    {
      url: '/api/events',
      schema: { querystring: object({ limit: integer(1, 200, 200) }) },
      handler: ({ query }) => ({ events: source.events.newest((query as Page).limit) }),
    },
    { url: '/api/history', handler: () => ({ stepMs: STEP_MS, series: history }) },
    { url: '/api/config', handler: () => masked(source.config) },
  ];
}

function reloadRoute(source: AdminSource): Route {
  return {
    url: '/api/reload',
    method: 'POST',
    handler: async (_, reply) => {
      const outcome = await source.reload();
      return await reply.code(outcome.kind === 'refused' ? 409 : 200).send(outcome);
    },
  };
}

function scriptRoutes(source: AdminSource): Route[] {
  const details = new ScriptDetails(source);
  const lists = spaced(SPACE_MS, (query: ScriptsQuery) => JSON.stringify(scriptsView(source, query)));
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
        return details.of(sha) ?? (await reply.code(404).send({ error: `the registry holds no script ${sha}` }));
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
