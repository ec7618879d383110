/**
 * Merges what nodes say to PUBSUB: each knows its own subscribers only.
 *
 *     CHANNELS, SHARDCHANNELS   the union
 *     NUMSUB, SHARDNUMSUB       the sum for each channel
 *     NUMPAT                    the sum
 *
 * Who subscribes to keyspace notifications through evalgate does so at every master, so of their channels NUMSUB tells
 * the largest number instead. Replies are whole frames, the same in RESP2 and RESP3.
 */
import { elementsOf } from '../resp/elements.ts';
import { encodeArray, encodeInteger } from '../resp/encode.ts';
import { isKeyspaceChannel } from './keyspace.ts';
import { merge } from './merge.ts';

/** Undefined when the replies do not fit each other. None of them is an error; there is at least one. */
export function mergePubSub(subcommand: string, replies: readonly Buffer[]): Buffer | undefined {
  switch (subcommand) {
    case 'pubsub|channels':
    case 'pubsub|shardchannels':
      return union(replies);
    case 'pubsub|numsub':
    case 'pubsub|shardnumsub':
      return countsOf(replies);
    default:
      return merge('agg_sum', replies);
  }
}

function union(replies: readonly Buffer[]): Buffer {
  const channels = new Map<string, Buffer>();
  for (const channel of replies.flatMap(elementsOf)) channels.set(channel.toString('latin1'), channel);
  return encodeArray([...channels.values()]);
}

/** Rows of channel, number, channel, number …, the same channels in each. */
function countsOf(replies: readonly Buffer[]): Buffer | undefined {
  const rows = replies.map(elementsOf);
  const width = rows[0]?.length ?? 0;
  if (width % 2 !== 0 || !rows.every((row) => row.length === width)) return undefined;
  const merged: Buffer[] = [];
  for (let i = 0; i < width; i += 2) {
    const channel = rows[0]?.[i] as Buffer;
    const counts = rows.map((row) => Number((row[i + 1] as Buffer).toString('latin1', 1)));
    if (!counts.every(Number.isInteger)) return undefined;
    const nameStart = channel.indexOf('\r\n') + 2;
    const isEverywhere = isKeyspaceChannel(channel, nameStart, channel.length - 2);
    merged.push(channel, encodeInteger(isEverywhere ? Math.max(...counts) : counts.reduce((a, b) => a + b, 0)));
  }
  return encodeArray(merged);
}
