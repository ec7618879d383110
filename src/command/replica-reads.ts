/**
 * Which commands a replica may answer, when the config says so (`cluster.read_from`): those that are flagged readonly,
 * go to one slot, and mean the same at every copy of the data.
 */
import type { Handling } from './handling.ts';
import type { CommandSpec } from './spec.ts';

const TO_ONE_SLOT: ReadonlySet<Handling> = new Set(['keys', 'split', 'xread', 'eval', 'evalsha', 'fcall']);

/** Readonly, and all the same for the primary. */
const FOR_THE_PRIMARY: ReadonlySet<string> = new Set([
  // Their cursors lead on at the node that gave them only: every process hashes by a seed of its own.
  ...['hscan', 'sscan', 'zscan'],
  // How recently a key was used matters where keys are evicted.
  ...['touch', 'object|freq', 'object|idletime'],
]);

export function isReplicaRead({ name, flags, keySpecs }: CommandSpec, handling: Handling): boolean {
  if (!flags.includes('readonly') || !TO_ONE_SLOT.has(handling) || FOR_THE_PRIMARY.has(name)) return false;
  // PFCOUNT stores the count that it made with its key: a replica would make it anew each time.
  return !keySpecs.some((keySpec) => keySpec.flags.includes('rw'));
}
