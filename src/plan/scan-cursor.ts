/**
 * One SCAN cursor over all shards: the node's own cursor and the index of the shard it belongs to.
 *
 *     client's cursor = node's cursor × 1024 + index of the shard        (below 2^64)
 *
 * Shards are numbered in the order of their lowest slot. The guarantee of SCAN holds as long as that order does, that
 * is while no slots move between shards: after that a key may be missed or seen twice.
 */
const SHARD_BITS = 10n;
const MAX_SHARDS = 1 << Number(SHARD_BITS);
const MAX_NODE_CURSOR = 1n << (64n - SHARD_BITS);

export interface ScanPosition {
  readonly shard: number;
  /** The node's own cursor, as it wants it back. */
  readonly nodeCursor: string;
}

/** Reads a client's cursor; undefined when it is none. */
export function parseScanCursor(text: string): ScanPosition | undefined {
  if (!/^\d{1,20}$/.test(text)) return undefined;
  const cursor = BigInt(text);
  if (cursor >= 1n << 64n) return undefined;
  return { shard: Number(cursor & (BigInt(MAX_SHARDS) - 1n)), nodeCursor: String(cursor >> SHARD_BITS) };
}

/**
 * The cursor for the client after shard `shard` of `shardCount` answered `nodeCursor`: 0 when the walk is over,
 * undefined when it does not fit.
 */
export function nextScanCursor(shard: number, shardCount: number, nodeCursor: string): string | undefined {
  if (!/^\d{1,20}$/.test(nodeCursor) || shardCount > MAX_SHARDS) return undefined;
  const cursor = BigInt(nodeCursor);
  if (cursor >= MAX_NODE_CURSOR) return undefined;
  if (cursor !== 0n) return String((cursor << SHARD_BITS) | BigInt(shard));
  return shard + 1 < shardCount ? String(shard + 1) : '0';
}
