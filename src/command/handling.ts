/**
 * What evalgate does with a command. Most follows from the command's own facts (keys, tips); what does not stands in
 * the list below, a row each with its reason, from which docs/commands.md is generated too.
 */
import type { CommandSpec } from './spec.ts';

export type Handling =
  /** To the owner of the slot of its keys. */
  | 'keys'
  /** Split by slot, replies merged (request_policy:multi_shard). */
  | 'split'
  /** To one master, whichever. */
  | 'any'
  /** To all masters or nodes, replies merged by the command's tips. */
  | 'broadcast'
  /** EVAL, EVALSHA and their read-only forms. */
  | 'eval'
  | 'evalsha'
  | 'fcall'
  | 'script_load'
  | 'script_exists'
  | 'script_flush'
  | 'script_kill'
  | 'function_stats'
  | 'script_debug'
  | 'script_show'
  | 'scan'
  | 'randomkey'
  | 'wait'
  /** May block at its node: on a connection of its own. */
  | 'block'
  /** As 'keys', as 'block' with BLOCK. */
  | 'xread'
  /** MULTI, EXEC, DISCARD, WATCH, UNWATCH. */
  | 'transaction'
  /** To one master if it is for database 0, else refused. */
  | 'select'
  /** Answered by the session itself. */
  | 'local'
  | 'client'
  | 'cluster'
  /** To the owner of the slot whose number is the argument. */
  | 'slot_number'
  /** SUBSCRIBE and its kin: on connections of their own. */
  | 'subscription'
  /** PUBSUB: every node knows its own subscribers only. */
  | 'pubsub'
  | 'unsupported';

export interface HandlingRow {
  /** Names of commands or subcommands (`container|sub`); a container's row holds for all its subcommands. */
  readonly names: readonly string[];
  readonly handling: Handling;
  readonly reason: string;
}

export const HANDLING: readonly HandlingRow[] = [
  {
    names: ['auth', 'ping', 'echo', 'quit', 'reset', 'hello', 'readonly', 'readwrite', 'asking'],
    handling: 'local',
    reason: "concerns the client's own connection, which ends here",
  },
  {
    names: [
      ...['client|id', 'client|getname', 'client|setname', 'client|setinfo', 'client|info', 'client|list'],
      ...['client|kill', 'client|pause', 'client|unpause', 'client|unblock', 'client|reply', 'client|no-evict'],
      ...['client|no-touch', 'client|tracking', 'client|trackinginfo', 'client|caching', 'client|getredir'],
      ...['client|capa'],
    ],
    handling: 'client',
    reason: 'clients end here, no node knows them',
  },
  {
    names: ['slowlog|get', 'slowlog|len', 'slowlog|reset'],
    handling: 'local',
    reason: "evalgate's own slow log: all requests, whichever node was slow",
  },
  { names: ['client|help'], handling: 'any', reason: 'a text' },
  {
    names: ['client'],
    handling: 'unsupported',
    reason: "would show or change evalgate's own connections at one node",
  },
  {
    names: ['select'],
    handling: 'select',
    reason: 'another database (Valkey 9 has them in a cluster) would be that of all clients of the connection',
  },
  { names: ['eval', 'eval_ro'], handling: 'eval', reason: 'a script: SPEC 3' },
  { names: ['evalsha', 'evalsha_ro'], handling: 'evalsha', reason: 'a script: SPEC 3' },
  { names: ['fcall', 'fcall_ro'], handling: 'fcall', reason: 'a function can return what looks like a redirect' },
  { names: ['script|load'], handling: 'script_load', reason: 'to every master, and into the registry' },
  { names: ['script|exists'], handling: 'script_exists', reason: 'what the registry holds can be run anywhere' },
  { names: ['script|flush'], handling: 'script_flush', reason: 'every node, then the registry' },
  {
    names: ['script|kill', 'function|kill'],
    handling: 'script_kill',
    reason: 'a busy node reads it only from a connection that carries nothing else',
  },
  { names: ['script|debug'], handling: 'script_debug', reason: 'a debugging session needs a connection of its own' },
  { names: ['script|show'], handling: 'script_show', reason: 'the registry knows bodies that a node may lack' },
  { names: ['script|help'], handling: 'any', reason: 'a text' },
  {
    names: ['function|stats'],
    handling: 'function_stats',
    reason: 'of the busy node, if one is, which reads it only from a connection that carries nothing else',
  },
  { names: ['scan'], handling: 'scan', reason: 'one cursor walks all shards' },
  { names: ['randomkey'], handling: 'randomkey', reason: 'asks the shards in random order until one has a key' },
  { names: ['wait', 'waitaof'], handling: 'wait', reason: 'counts the writes of the connections that carried them' },
  { names: ['xread', 'xreadgroup'], handling: 'xread', reason: 'blocks only with BLOCK' },
  {
    names: ['multi', 'exec', 'discard', 'watch', 'unwatch'],
    handling: 'transaction',
    reason: 'a transaction runs at one node, on a connection of its own',
  },
  {
    names: ['blpop', 'brpop', 'brpoplpush', 'blmove', 'blmpop', 'bzpopmin', 'bzpopmax', 'bzmpop'],
    handling: 'block',
    reason: 'a node reads nothing more from a connection that blocks, so it is a connection of its own',
  },
  {
    names: ['subscribe', 'psubscribe', 'ssubscribe', 'unsubscribe', 'punsubscribe', 'sunsubscribe'],
    handling: 'subscription',
    reason: 'subscriptions need a connection of their own',
  },
  { names: ['pubsub|help'], handling: 'any', reason: 'a text' },
  { names: ['pubsub'], handling: 'pubsub', reason: 'every node knows its own subscribers only' },
  {
    names: [
      ...['cluster|slots', 'cluster|shards', 'cluster|nodes', 'cluster|info', 'cluster|keyslot', 'cluster|myid'],
      ...['cluster|myshardid', 'cluster|links', 'cluster|count-failure-reports', 'cluster|replicas', 'cluster|slaves'],
    ],
    handling: 'cluster',
    reason: 'evalgate shows itself as one node that owns every slot',
  },
  {
    names: ['cluster|countkeysinslot', 'cluster|getkeysinslot'],
    handling: 'slot_number',
    reason: 'the owner of the slot knows',
  },
  { names: ['cluster|help'], handling: 'any', reason: 'a text' },
  {
    names: ['cluster'],
    handling: 'unsupported',
    reason: 'is about the nodes behind evalgate, which shows itself as one node: ask a node of the cluster',
  },
  {
    names: ['monitor'],
    handling: 'unsupported',
    reason: "a node would show evalgate's connections, with the commands of all its clients: ask a node of the cluster",
  },
  {
    names: ['debug'],
    handling: 'unsupported',
    reason: 'debugs one server process, and there are many: ask a node of the cluster',
  },
  {
    names: ['shutdown', 'replicaof', 'slaveof', 'failover'],
    handling: 'unsupported',
    reason: 'stops a server or changes its role, and no node can be named here: ask a node of the cluster',
  },
  {
    names: ['migrate'],
    handling: 'unsupported',
    reason: 'a key that leaves its node cannot be found by its slot: use DUMP and RESTORE',
  },
  { names: ['module|list', 'module|help'], handling: 'any', reason: 'modules are the same on every node' },
  {
    names: ['module'],
    handling: 'unsupported',
    reason: 'changes what one server process can do, and it must be the same on all: configure the nodes',
  },
  {
    names: ['sync', 'psync', 'replconf', 'restore-asking'],
    handling: 'unsupported',
    reason: 'servers speak it to each other on a connection of their own',
  },
  {
    names: ['pfselftest', 'pfdebug'],
    handling: 'unsupported',
    reason: "tests the inside of a server, and may change a key's encoding",
  },
];

const BY_NAME = new Map(HANDLING.flatMap((row) => row.names.map((name) => [name, row] as const)));

function rowOf({ name }: CommandSpec): HandlingRow | undefined {
  const [container = name] = name.split('|', 1);
  return BY_NAME.get(name) ?? BY_NAME.get(container);
}

/** Why it is handled so, if a row says it. */
export function reasonOf(spec: CommandSpec): string {
  return rowOf(spec)?.reason ?? (spec.flags.includes('blocking') ? 'it blocks' : '');
}

/** A number of keys before them (MSETEX) would be wrong in every part. */
function isSplittable({ keySpecs }: CommandSpec): boolean {
  return keySpecs.length > 0 && keySpecs.every(({ find }) => find.kind === 'range');
}

/** What is done with a command: its row, its container's row, or what its own facts say. */
export function handlingOf(spec: CommandSpec): Handling {
  const listed = rowOf(spec);
  if (listed !== undefined) return listed.handling;
  if (spec.flags.includes('blocking')) return 'block';
  if (spec.requestPolicy === 'multi_shard' && isSplittable(spec)) return 'split';
  if (spec.requestPolicy === 'all_nodes' || spec.requestPolicy === 'all_shards') return 'broadcast';
  return spec.keySpecs.length > 0 ? 'keys' : 'any';
}
