/**
 * What the server's `COMMAND` says wrongly or not at all, and what a proxy must do otherwise: one row a command,
 * each with its reason. Applied to the generated table and to every live `COMMAND` reply alike.
 */
import type { CommandSpec, KeySpec } from './spec.ts';

export interface Override {
  /** `container|sub` for a subcommand. */
  readonly name: string;
  readonly change: Partial<Omit<CommandSpec, 'name' | 'subcommands'>>;
  readonly reason: string;
}

const ONE_NODE = { requestPolicy: 'none', responsePolicy: 'none' } as const;
const ALL_SUCCEED = { requestPolicy: 'all_nodes', responsePolicy: 'all_succeeded' } as const;

const SORTED_KEY: KeySpec = {
  begin: { kind: 'index', index: 1 },
  find: { kind: 'range', lastKey: 0, keyStep: 1, limit: 0 },
  flags: ['ro', 'access'],
};

const SORT_STORE_KEY: KeySpec = {
  begin: { kind: 'option', keyword: 'store', startFrom: 2, skip: { limit: 2, get: 1, by: 1 } },
  find: { kind: 'range', lastKey: 0, keyStep: 1, limit: 0 },
  flags: ['ow', 'update'],
};

/** Behind KEYS, unless STRINGS came first (`lcsGetKeys` in db.c of 6.2). */
const STRALGO_KEYS: KeySpec = {
  begin: { kind: 'option', keyword: 'keys', startFrom: 2, skip: { strings: 2 } },
  find: { kind: 'range', lastKey: 1, keyStep: 1, limit: 0 },
  flags: ['ro', 'access'],
};

export const OVERRIDES: readonly Override[] = [
  {
    name: 'sort',
    change: { keySpecs: [SORTED_KEY, SORT_STORE_KEY] },
    reason: 'COMMAND gives the STORE key as unknown; it is the argument of the last STORE option (sortGetKeys in db.c)',
  },
  {
    name: 'stralgo',
    change: { keySpecs: [STRALGO_KEYS] },
    reason: 'COMMAND of 6.2, the last to have it, says only that its keys are movable',
  },
  {
    name: 'msetnx',
    change: ONE_NODE,
    reason: '7.0 says multi_shard, but split in parts it would no longer set all keys or none',
  },
  {
    name: 'info',
    change: ONE_NODE,
    reason: 'the tips say all shards with a special merge; a merged INFO is the INFO of no server, so one node answers',
  },
  {
    name: 'memory|stats',
    change: ONE_NODE,
    reason: 'special without a rule how to merge: one node answers, as for INFO',
  },
  { name: 'memory|doctor', change: ONE_NODE, reason: 'a report in prose cannot be merged: one node answers' },
  { name: 'memory|malloc-stats', change: ONE_NODE, reason: 'a report in prose cannot be merged: one node answers' },
  { name: 'latency|doctor', change: ONE_NODE, reason: 'a report in prose cannot be merged: one node answers' },
  { name: 'latency|graph', change: ONE_NODE, reason: 'a drawing cannot be merged: one node answers' },
  { name: 'latency|histogram', change: ONE_NODE, reason: 'special without a rule how to merge: one node answers' },
  { name: 'latency|history', change: ONE_NODE, reason: 'special without a rule how to merge: one node answers' },
  { name: 'latency|latest', change: ONE_NODE, reason: 'special without a rule how to merge: one node answers' },
  {
    name: 'config|resetstat',
    change: { requestPolicy: 'all_nodes', responsePolicy: 'all_succeeded' },
    reason: 'no tips, yet statistics that restart on one node only help nobody; as CONFIG SET',
  },
  {
    name: 'config|rewrite',
    change: { requestPolicy: 'all_nodes', responsePolicy: 'all_succeeded' },
    reason: 'no tips, yet it belongs to CONFIG SET, which goes to all nodes',
  },
  {
    name: 'latency|reset',
    change: { requestPolicy: 'all_nodes', responsePolicy: 'agg_sum' },
    reason: 'the tips say all_succeeded, but the reply is the number of series reset: a sum',
  },
  ...['save', 'bgsave', 'bgrewriteaof'].map((name) => ({
    name,
    change: ALL_SUCCEED,
    reason: 'no tips, yet what is to be saved lies on all nodes',
  })),
  {
    name: 'lastsave',
    change: { requestPolicy: 'all_nodes', responsePolicy: 'agg_min' },
    reason: 'no tips, yet only the oldest of all times is one since when everything is saved',
  },
  ...['acl|setuser', 'acl|load', 'acl|save'].map((name) => ({
    name,
    change: ALL_SUCCEED,
    reason: 'no tips in 7.0, yet a user must be the same on every node; as CONFIG SET',
  })),
  {
    name: 'acl|deluser',
    change: { requestPolicy: 'all_nodes', responsePolicy: 'agg_max' },
    reason: 'no tips in 7.0, yet a user must be gone on every node; the reply is the number of users',
  },
  {
    name: 'acl|log',
    change: { requestPolicy: 'all_nodes', responsePolicy: 'none' },
    reason: 'no tips, yet an intruder is seen only by the node that refused',
  },
];

type Addition = { readonly spec: CommandSpec; readonly reason: string };

function subcommand(name: string, arity: number): CommandSpec {
  const flags = ['noscript', 'loading', 'stale'];
  return { name, arity, flags, keySpecs: [], ...ONE_NODE, subcommands: [] };
}

/** Commands that every server is treated as having, because evalgate answers them itself. */
export const ADDITIONS: readonly Addition[] = [
  {
    spec: subcommand('client|setinfo', 4),
    reason: 'since 7.2; clients send it when they connect, and it concerns the connection that ends here',
  },
  { spec: subcommand('client|no-touch', 3), reason: 'since 7.2; concerns the connection that ends here' },
  { spec: subcommand('cluster|myshardid', 2), reason: 'since 7.2; evalgate shows a shard of its own' },
];
