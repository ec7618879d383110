/**
 * Every key of the config file: its kind, range, default and why. From here come validation (config.ts), the JSON Schema,
 * the commented default file and the reference page (scripts/generate-schema.ts); a new key is one entry here.
 * Names and defaults are an interface.
 */
import { z } from 'zod';
import {
  accountList,
  addressList,
  addressMap,
  choice,
  clusterTls,
  factsOf,
  flag,
  integer,
  type KeyFacts,
  listenTls,
  optionalAddress,
  optionalInteger,
  optionalText,
  pathList,
  scriptStore,
  shaList,
  text,
} from './config-keys.ts';

const HOUR_MS = 3_600_000;
const MAX_COUNT = 10_000_000;
const MAX_BYTES = 2 ** 40;

const listen = z.strictObject({
  host: text({
    default: '127.0.0.1',
    why: 'Address on which clients are served; 0.0.0.0 or :: for all',
    needsRestart: true,
  }),
  port: integer({
    min: 0,
    max: 65535,
    default: 6380,
    why: 'Port for clients; 0 picks a free one, which the log tells',
    needsRestart: true,
  }),
  announce: optionalAddress({
    why: 'Address that CLUSTER SLOTS and the like show, for NAT and containers; else the one that the client connected to',
    example: 'redis.example.com:6380',
  }),
  tls: listenTls({
    why: 'TLS towards clients, 1.2 or newer; the files are read again on reload; clients without a certificate of ca_file are refused if wished',
    example: { cert_file: '/etc/evalgate/tls.crt', key_file: '/etc/evalgate/tls.key' },
  }),
  drain_ms: integer({ min: 0, max: HOUR_MS, default: 5000, why: 'On SIGTERM: how long requests in flight may finish' }),
});

const cluster = z.strictObject({
  nodes: addressList({
    why: 'Seed nodes of the cluster: one that answers is enough, the others are found',
    example: ['127.0.0.1:7000', '127.0.0.1:7001', '127.0.0.1:7002'],
  }),
  username: optionalText({
    why: 'ACL user as whom evalgate logs in at the nodes',
    example: 'evalgate',
    needsRestart: true,
  }),
  password: optionalText({
    why: 'Password with which evalgate logs in at the nodes',
    isSecret: true,
    needsRestart: true,
    // biome-ignore lint/suspicious/noTemplateCurlyInString: the config file's own syntax
    example: '${REDIS_PASSWORD}',
  }),
  tls: clusterTls({
    why: 'TLS towards nodes; without ca_file the usual authorities; server_name when their certificates carry one name for all',
  }),
  nat_map: addressMap({ why: 'Announced address → reachable address, for nodes behind NAT or in containers' }),
  refresh_interval_ms: integer({
    min: 100,
    max: HOUR_MS,
    default: 15000,
    why: 'How often the topology is asked for; MOVED and lost connections refresh at once',
  }),
  connections_per_node: integer({
    min: 1,
    max: 64,
    default: 4,
    why: 'Shared connections to a node; more than one only when one is occupied by a slow request',
  }),
  dedicated_per_node: integer({
    min: 0,
    max: 100_000,
    default: 1000,
    why: 'Connections to a node for transactions, blocking commands and pub/sub',
  }),
  connect_timeout_ms: integer({ min: 10, max: HOUR_MS, default: 2000, why: 'How long connecting to a node may take' }),
  node_silence_ms: integer({
    min: 100,
    max: HOUR_MS,
    default: 15000,
    why: 'A node that does not even answer a ping for so long loses its connections',
  }),
  read_from: choice(['primary', 'replica', 'prefer_replica'], {
    default: 'primary',
    needsRestart: true,
    why: 'Where commands that only read go; a replica that cannot answer now is replaced by the primary, with prefer_replica also one that is slow',
  }),
  failover_wait_ms: integer({
    min: 0,
    max: HOUR_MS,
    default: 5000,
    why: 'How long a request that was never sent waits for a shard without a primary',
  }),
});

const scripting = z.strictObject({
  script_check_enable: choice([0, 1, 'observe'], {
    default: 1,
    why: 'Lua checks: 0 off, 1 refuse, observe: forward, log and count',
  }),
  script_check_profile: choice(['tair', 'tair_legacy', 'safe'], { default: 'tair', why: 'Which Lua checks apply' }),
  script_check_unpack: choice(['reject', 'args'], {
    default: 'reject',
    why: 'unpack in redis.call: refused, or allowed for arguments that are no keys',
  }),
  script_check_alias: choice(['reject', 'resolve'], {
    default: 'reject',
    why: 'Local names for redis.call, KEYS and keys: refused, or followed',
  }),
  script_check_exempt: shaList({ why: 'Scripts that are never checked' }),
  script_check_max_bytes: integer({
    min: 0,
    max: MAX_BYTES,
    default: 262144,
    why: 'A larger body is not analysed: forwarded, logged, counted, never taken for read-only',
  }),
  keyless_scripts: choice(['reject', 'route'], {
    default: 'reject',
    why: 'Scripts without keys: refused, or sent to a master, the same one for the same script',
  }),
  preload: pathList({
    why: 'Files, folders and globs of .lua: checked, registered and loaded on every node at start and reload, bytes untouched',
  }),
  store: scriptStore({
    why: 'Where scripts outlive evalgate: nowhere; a folder; keys in the cluster, shared by all evalgates (docs/reliability.md)',
    needsRestart: true,
  }),
  registry_max_bytes: integer({
    min: 1024,
    max: MAX_BYTES,
    default: 67108864,
    why: 'Script bodies held; beyond it the least recently used that came by EVAL goes',
  }),
  readonly_lua_route_ronode_enable: choice([0, 1], {
    default: 0,
    needsRestart: true,
    why: '1: scripts that the Lua checks proved to only read go to replicas, and EVAL_RO and EVALSHA_RO do',
  }),
  max_run_ms: integer({
    min: 0,
    max: HOUR_MS,
    default: 0,
    why: "A script that has only read and runs longer is killed, not before the node's busy-reply-threshold; 0 is off",
  }),
  eval_to_evalsha: flag({
    default: true,
    why: 'Send EVALSHA to the node when a client sends a body that the node already has',
  }),
});

const limits = z.strictObject({
  max_clients: integer({ min: 1, max: MAX_COUNT, default: 10000, why: 'Clients at a time; one more is refused' }),
  max_request_bytes: integer({ min: 1024, max: MAX_BYTES, default: 536870912, why: 'Size of one request' }),
  client_output_bytes: integer({
    min: 1024,
    max: MAX_BYTES,
    default: 67108864,
    why: 'Replies a client has not read: at a quarter its requests pause, at the limit the node connection pauses',
  }),
  client_stall_ms: integer({
    min: 100,
    max: HOUR_MS,
    default: 60000,
    why: 'A client at client_output_bytes is closed when it takes no byte for so long',
  }),
  in_flight_per_client: integer({
    min: 1,
    max: MAX_COUNT,
    default: 10000,
    why: 'Unanswered requests of one client; reading pauses beyond',
  }),
  in_flight_bytes_per_client: integer({
    min: 1024,
    max: MAX_BYTES,
    default: 67108864,
    why: 'Bytes of these; reading pauses beyond, one larger request alone is allowed',
  }),
  node_pending_bytes: integer({
    min: 1024,
    max: MAX_BYTES,
    default: 268435456,
    why: 'Requests queued to one node; reading from its clients pauses beyond',
  }),
  buffered_bytes: integer({
    min: 1024,
    max: MAX_BYTES,
    default: 1073741824,
    why: 'Buffered for all clients together; reading pauses beyond',
  }),
  redirects: integer({ min: 0, max: 1000, default: 16, why: 'Redirects that one request follows' }),
  waiting_requests: integer({
    min: 0,
    max: MAX_COUNT,
    default: 100000,
    why: 'Requests waiting for a shard without a primary, all clients together',
  }),
});

const admin = z.strictObject({
  port: optionalInteger({
    min: 0,
    max: 65535,
    example: 6381,
    needsRestart: true,
    why: 'HTTP port for health, metrics and the API (docs/admin.md); off without it, 0 picks a free one, which the log tells',
  }),
  token: optionalText({
    why: 'Bearer token that the admin port wants for everything but /healthz and /readyz',
    isSecret: true,
    needsRestart: true,
    // biome-ignore lint/suspicious/noTemplateCurlyInString: the config file's own syntax
    example: '${EVALGATE_ADMIN_TOKEN}',
  }),
  host: text({
    default: '127.0.0.1',
    why: 'Address of the admin port; give it a token when others can reach it',
    needsRestart: true,
  }),
});

const log = z.strictObject({
  level: choice(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'], {
    default: 'info',
    why: 'The least severe messages that are written',
  }),
  format: choice(['json', 'pretty'], {
    default: 'json',
    why: 'json for machines, pretty for people',
    needsRestart: true,
  }),
});

const accounts = accountList({
  why: 'Clients log in here, and evalgate serves them as itself; none: AUTH passes through to the ACL of the nodes (docs/security.md)',
});

const workers = integer({
  min: 1,
  max: 64,
  default: 1,
  needsRestart: true,
  why: 'Processes that share the port; more than 1 for more than one core (docs/deployment.md)',
});

/** Keys that stand in no section. */
export const TOP_LEVEL = { accounts, workers } as const;

/** The sections in the order of the reference page. */
export const SECTIONS = { listen, cluster, scripting, limits, admin, log } as const;

export type SectionName = keyof typeof SECTIONS;

/** Keys and list positions from the root of a config to a value. */
export type KeyPath = readonly PropertyKey[];

/** The facts of the key at or above a path; undefined when the path leads to no key. */
export function factsAt([section, key]: KeyPath): KeyFacts | undefined {
  const single: z.ZodType | undefined = (TOP_LEVEL as Readonly<Record<PropertyKey, z.ZodType>>)[section ?? ''];
  if (single !== undefined) return factsOf(single);
  const shape: Readonly<Record<PropertyKey, z.ZodType>> | undefined = SECTIONS[section as SectionName]?.shape;
  const schema = key === undefined ? undefined : shape?.[key];
  return schema === undefined ? undefined : factsOf(schema);
}

export const configSchema = z.strictObject({
  listen: listen.prefault({}),
  // Without nodes there is nothing to start; an empty map here makes the missing key the one that is named.
  cluster: cluster.prefault({} as z.input<typeof cluster>),
  scripting: scripting.prefault({}),
  accounts,
  limits: limits.prefault({}),
  admin: admin.prefault({}),
  log: log.prefault({}),
  workers,
});

type DeepReadonly<T> = T extends (infer U)[]
  ? readonly DeepReadonly<U>[]
  : T extends object
    ? { readonly [K in keyof T]: DeepReadonly<T[K]> }
    : T;

/** A whole config: every default applied, frozen to the last value. */
export type Config = DeepReadonly<z.output<typeof configSchema>>;

/** What a config file may hold. */
export type ConfigInput = DeepReadonly<z.input<typeof configSchema>>;
