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
  | 'script_debug'
  | 'script_show'
  | 'scan'
  | 'randomkey'
  | 'wait'
  /** As 'keys', refused with BLOCK. */
  | 'xread'
  /** Answered by the session itself. */
  | 'local'
  | 'unsupported';

export interface HandlingRow {
  /** Names of commands or subcommands (`container|sub`); a container's row holds for all its subcommands. */
  readonly names: readonly string[];
  readonly handling: Handling;
  readonly reason: string;
}

export const HANDLING: readonly HandlingRow[] = [
  {
    names: ['ping', 'echo', 'quit', 'reset', 'hello', 'readonly', 'readwrite', 'asking'],
    handling: 'local',
    reason: "concerns the client's own connection, which ends here",
  },
  {
    names: ['client|setname', 'client|getname', 'client|id', 'client|setinfo'],
    handling: 'local',
    reason: "concerns the client's own connection, which ends here",
  },
  { names: ['client|help'], handling: 'any', reason: 'a text' },
  {
    names: ['client'],
    handling: 'unsupported',
    reason: "would show or change the proxy's own connections at one node",
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
    handling: 'unsupported',
    reason: 'its tips say special: of the busy node, if one is',
  },
  { names: ['scan'], handling: 'scan', reason: 'one cursor walks all shards' },
  { names: ['randomkey'], handling: 'randomkey', reason: 'asks the shards in random order until one has a key' },
  { names: ['wait', 'waitaof'], handling: 'wait', reason: 'counts the writes of the connections that carried them' },
  { names: ['xread', 'xreadgroup'], handling: 'xread', reason: 'blocks only with BLOCK' },
  {
    names: ['multi', 'exec', 'discard', 'watch', 'unwatch'],
    handling: 'unsupported',
    reason: 'transactions need a connection of their own',
  },
  {
    names: ['blpop', 'brpop', 'brpoplpush', 'blmove', 'blmpop', 'bzpopmin', 'bzpopmax', 'bzmpop'],
    handling: 'unsupported',
    reason: 'blocking commands need a connection of their own',
  },
  {
    names: ['subscribe', 'psubscribe', 'ssubscribe', 'unsubscribe', 'punsubscribe', 'sunsubscribe', 'pubsub'],
    handling: 'unsupported',
    reason: 'subscriptions need a connection of their own',
  },
  { names: ['auth'], handling: 'unsupported', reason: 'one identity upstream' },
  { names: ['cluster|keyslot', 'cluster|help'], handling: 'any', reason: 'the same on every node' },
  {
    names: ['cluster'],
    handling: 'unsupported',
    reason: 'administrates the cluster, or shows nodes that a client of the proxy must not see',
  },
  {
    names: ['monitor', 'debug', 'shutdown', 'replicaof', 'slaveof', 'failover', 'migrate', 'module'],
    handling: 'unsupported',
    reason: 'administrates one server process; there are many behind the proxy',
  },
  {
    names: ['sync', 'psync', 'replconf', 'restore-asking', 'pfselftest', 'pfdebug'],
    handling: 'unsupported',
    reason: 'spoken between servers',
  },
  {
    names: ['save', 'bgsave', 'bgrewriteaof', 'lastsave'],
    handling: 'unsupported',
    reason: 'administrates the files of one server process; there are many behind the proxy',
  },
  {
    names: ['acl|whoami', 'acl|cat', 'acl|genpass', 'acl|help', 'acl|dryrun', 'acl|getuser', 'acl|list', 'acl|users'],
    handling: 'any',
    reason: 'users are the same on every node',
  },
  { names: ['acl'], handling: 'unsupported', reason: 'users must be the same on every node, also on one that is away' },
];

const BY_NAME = new Map(HANDLING.flatMap((row) => row.names.map((name) => [name, row.handling] as const)));

/** What is done with a command: its row, its container's row, or what its own facts say. */
export function handlingOf(spec: CommandSpec): Handling {
  const [container = spec.name] = spec.name.split('|', 1);
  const listed = BY_NAME.get(spec.name) ?? BY_NAME.get(container);
  if (listed !== undefined) return listed;
  if (spec.flags.includes('blocking')) return 'unsupported';
  if (spec.requestPolicy === 'multi_shard' && spec.keySpecs.length > 0) return 'split';
  if (spec.requestPolicy === 'all_nodes' || spec.requestPolicy === 'all_shards') return 'broadcast';
  return spec.keySpecs.length > 0 ? 'keys' : 'any';
}
