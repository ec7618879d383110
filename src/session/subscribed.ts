/**
 * What one client has subscribed to: names as text with one character a byte, and what they cost.
 */
import { isKeyspaceChannel, mayMatchKeyspace } from '../plan/keyspace.ts';
import type { SubscriptionKind } from '../resp/pubsub-frame.ts';

/** What a name costs besides its bytes: entries in the sets here. */
export const NAME_OVERHEAD_BYTES = 128;

export class Subscribed {
  readonly channel = new Set<string>();
  readonly pattern = new Set<string>();
  /** Sharded channels with their slots. */
  readonly shard = new Map<string, number>();
  /** Those of the channels and patterns that every master has to be asked for. */
  readonly keyspace = { channel: new Set<string>(), pattern: new Set<string>() };
  /** What all names cost. */
  bytes = 0;

  /** Channels and patterns: Redis counts them together. */
  get classicCount(): number {
    return this.channel.size + this.pattern.size;
  }

  get keyspaceCount(): number {
    return this.keyspace.channel.size + this.keyspace.pattern.size;
  }

  /** The number that the confirmation of this kind tells. */
  countOf(kind: SubscriptionKind): number {
    return kind === 'shard' ? this.shard.size : this.classicCount;
  }

  /** False when it was there before. */
  add(kind: SubscriptionKind, name: string, slot: number): boolean {
    if (this[kind].has(name)) return false;
    this.bytes += name.length + NAME_OVERHEAD_BYTES;
    if (kind === 'shard') {
      this.shard.set(name, slot);
      return true;
    }
    this[kind].add(name);
    if (isOfKeyspace(kind, name)) this.keyspace[kind].add(name);
    return true;
  }

  /** False when it was not there. */
  delete(kind: SubscriptionKind, name: string): boolean {
    if (!this[kind].delete(name)) return false;
    this.bytes -= name.length + NAME_OVERHEAD_BYTES;
    if (kind !== 'shard') this.keyspace[kind].delete(name);
    return true;
  }
}

/** Whether every master has to be asked for such a name. */
export function isOfKeyspace(kind: 'channel' | 'pattern', name: string): boolean {
  const bytes = Buffer.from(name, 'latin1');
  return kind === 'pattern' ? mayMatchKeyspace(bytes) : isKeyspaceChannel(bytes, 0, bytes.length);
}
