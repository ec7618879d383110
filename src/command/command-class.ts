/**
 * The kinds of commands that requests are counted by: few, so that a counter for each costs nothing and a chart of them
 * can be read.
 */
import type { Handling } from './handling.ts';
import type { CommandSpec } from './spec.ts';

/** In the order of the counters; `refused` is no kind of command but what became of a request, whatever its command. */
export const COMMAND_CLASSES = [
  'read',
  'write',
  'script',
  'function',
  'transaction',
  'pubsub',
  'admin',
  'local',
  'other',
  'refused',
] as const;

export type CommandClass = (typeof COMMAND_CLASSES)[number];

const TRANSACTIONS = ['multi', 'exec', 'discard', 'watch', 'unwatch'];
const BY_HANDLING: Partial<Record<Handling, CommandClass>> = {
  eval: 'script',
  evalsha: 'script',
  fcall: 'function',
  local: 'local',
  client: 'local',
  cluster: 'local',
};

/** `script` and `function` are what runs or administrates them; `local` what evalgate answers by itself. */
export function classOf(spec: CommandSpec, handling: Handling): CommandClass {
  const { name, flags } = spec;
  if (name.startsWith('script')) return 'script';
  if (name.startsWith('function')) return 'function';
  if (TRANSACTIONS.includes(name)) return 'transaction';
  const kind = BY_HANDLING[handling];
  if (kind !== undefined) return kind;
  if (flags.includes('pubsub')) return 'pubsub';
  if (flags.includes('write')) return 'write';
  if (flags.includes('readonly')) return 'read';
  return flags.includes('admin') ? 'admin' : 'other';
}
