/**
 * Replies that the client does not want keep their place in the order, and nothing of them leaves.
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { describe, it } from 'node:test';
import { ReplyQueue } from '../../src/session/reply-queue.ts';
import { CLIENT_BATCH_BYTES } from '../../src/upstream/batch.ts';
import { Exchange, IGNORE } from '../../src/upstream/exchange.ts';
import { Outbox } from '../../src/upstream/outbox.ts';

/** What leaves when the replies come in the order given; `muted` of the requests from the first on are muted. */
async function leaving(muted: number, order: readonly number[]): Promise<string> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  const accepted = once(server, 'connection');
  const socket = connect(typeof address === 'object' && address !== null ? address.port : 0, '127.0.0.1');
  const [peer] = (await accepted) as [Socket];
  let text = '';
  peer.on('data', (chunk) => {
    text += chunk.toString();
  });
  const outbox = new Outbox(socket, () => {}, CLIENT_BATCH_BYTES);
  const muting = { mutedCount: muted };
  const queue = new ReplyQueue(outbox, muting);
  const exchanges = order.map((_, i) => new Exchange(IGNORE, i, undefined, 0));
  for (const exchange of exchanges) queue.expect(exchange);
  for (const i of order) {
    const reply = Buffer.from(`:${i}\r\n`);
    queue.settle(exchanges[i] as Exchange, reply, 0, reply.length);
  }
  assert.equal(queue.length, 0);
  assert.equal(queue.heldBytes, 0);
  outbox.flush();
  socket.end();
  await once(peer, 'end');
  server.close();
  return text;
}

describe('ReplyQueue', () => {
  const cases: [muted: number, order: number[], left: string][] = [
    [0, [0, 1, 2], ':0\r\n:1\r\n:2\r\n'],
    [0, [2, 0, 1], ':0\r\n:1\r\n:2\r\n'],
    [2, [0, 1, 2], ':2\r\n'],
    [2, [2, 1, 0], ':2\r\n'],
    [1, [1, 2, 0], ':1\r\n:2\r\n'],
    [Number.POSITIVE_INFINITY, [1, 0, 2], ''],
  ];
  for (const [muted, order, left] of cases) {
    it(`ReplyQueue lets ${JSON.stringify(left)} leave with ${muted} muted, settled in the order ${order}`, async () => {
      assert.equal(await leaving(muted, order), left);
    });
  }
});
