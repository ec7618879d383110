import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { describe, it, type TestContext } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { encodeCommand, RawClient } from './client.ts';

/** One client and the server's end of its connection. */
async function connected(t: TestContext): Promise<{ client: RawClient; peer: Socket }> {
  const server = createServer({ allowHalfOpen: true }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const accepted = once(server, 'connection');
  const client = await RawClient.connect((server.address() as AddressInfo).port);
  const [peer] = (await accepted) as [Socket];
  peer.setNoDelay(true);
  t.after(() => {
    client.close();
    peer.destroy();
    server.close();
  });
  return { client, peer };
}

const FRAMES = [
  '+OK\r\n',
  '-ERR x\r\n',
  ':1\r\n',
  '$-1\r\n',
  '$0\r\n\r\n',
  '$5\r\na\r\nbc\r\n',
  '*-1\r\n',
  '*0\r\n',
  '*2\r\n$1\r\na\r\n*1\r\n:1\r\n',
  '_\r\n',
  '#t\r\n',
  ',1.5\r\n',
  '(123456789012345678901234567890\r\n',
  '=7\r\ntxt:abc\r\n',
  '!3\r\nERR\r\n',
  '%1\r\n+k\r\n*1\r\n+v\r\n',
  '~1\r\n+a\r\n',
  '>2\r\n+message\r\n+x\r\n',
  '|1\r\n+ttl\r\n:5\r\n$1\r\nv\r\n',
  '$?\r\n;4\r\nab\r\n\r\n;1\r\nc\r\n;0\r\n',
  '*?\r\n:1\r\n*?\r\n.\r\n.\r\n',
];

describe('RawClient', () => {
  it('gives back the same frames whether they come whole or byte by byte', async (t) => {
    const { client, peer } = await connected(t);
    peer.write(FRAMES.join(''));
    assert.deepEqual((await client.replies(FRAMES.length)).map(String), FRAMES);
    for (const byte of Buffer.from(FRAMES.join(''))) {
      peer.write(Buffer.of(byte));
      await nextTurn();
    }
    assert.deepEqual((await client.replies(FRAMES.length)).map(String), FRAMES);
  });

  it('sends commands as they are encoded', async (t) => {
    const { client, peer } = await connected(t);
    const received = once(peer, 'data');
    const reply = client.text('SET', 'k', Buffer.from([0xff]), 7);
    const [bytes] = (await received) as [Buffer];
    assert.deepEqual(bytes, encodeCommand(['SET', 'k', Buffer.from([0xff]), 7]));
    assert.equal(bytes.toString('latin1'), '*4\r\n$3\r\nSET\r\n$1\r\nk\r\n$1\r\n\xff\r\n$1\r\n7\r\n');
    peer.write('+OK\r\n');
    assert.equal(await reply, '+OK\r\n');
  });

  it('half-closes and still reads, up to the end', async (t) => {
    const { client, peer } = await connected(t);
    client.endWrites();
    peer.resume();
    await once(peer, 'end');
    peer.end('+1\r\n+2\r\n');
    assert.deepEqual((await client.repliesUntilEnd()).map(String), ['+1\r\n', '+2\r\n']);
    await client.closed();
  });

  it('fails when the connection ends inside a frame', async (t) => {
    const { client, peer } = await connected(t);
    peer.end('$5\r\nab');
    await assert.rejects(client.reply(), /the connection ended before the reply/);
  });

  it('reads a large value in linear time', async (t) => {
    const { client, peer } = await connected(t);
    const value = Buffer.alloc(64 * 1024 * 1024, 'x');
    peer.write(`$${value.length}\r\n`);
    peer.write(value);
    peer.write('\r\n');
    assert.equal((await client.reply()).length, value.length + 13);
  });
});
