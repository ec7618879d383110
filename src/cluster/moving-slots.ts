/**
 * Slots that are on their way from one master to another, or were a moment ago. Only the old owner knows where a key of
 * such a slot is: its replicas answer nil for what has gone already, so these slots are read from primaries.
 *
 * A slot stays here for a while after it was last seen moving: until its new owner is known here, and the replicas of
 * both know it too.
 */
import { SLOT_COUNT } from './slot.ts';
import type { Topology } from './topology.ts';

const HOLD_MS = 5000;
const FIRST_SLOT_FIELD = 8;

export class MovingSlots {
  /** Until when, by slot. */
  readonly #untilMs = new Map<number, number>();

  has(slot: number, nowMs: number): boolean {
    if (this.#untilMs.size === 0) return false;
    const untilMs = this.#untilMs.get(slot);
    if (untilMs === undefined) return false;
    if (nowMs < untilMs) return true;
    this.#untilMs.delete(slot);
    return false;
  }

  /** It was seen moving. */
  note(slot: number, nowMs: number): void {
    this.#untilMs.set(slot, nowMs + HOLD_MS);
  }

  /** Slots that have another primary now have just moved, whether or not anybody saw it. */
  noteChanges(before: Topology, after: Topology, nowMs: number): void {
    for (let slot = 0; slot < SLOT_COUNT; slot++) {
      const owner = before.bySlot[slot]?.primary.id;
      if (owner !== undefined && owner !== after.bySlot[slot]?.primary.id) this.note(slot, nowMs);
    }
  }
}

/** The slots that the node that answered gives away, from a decoded `CLUSTER NODES` reply: `[93-><id>]` in its own line. */
export function migratingSlots(reply: unknown): number[] {
  const own = String(reply)
    .split('\n')
    .map((line) => line.trim().split(' '))
    .find(([, , flags]) => flags?.split(',').includes('myself'));
  return (own ?? []).slice(FIRST_SLOT_FIELD).flatMap((field) => {
    const slot = /^\[(\d{1,5})->-/.exec(field)?.[1];
    return slot === undefined ? [] : [Number(slot)];
  });
}
