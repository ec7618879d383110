/**
 * C6: every buffer has a limit, and at the limit there is backpressure or a clear error, never growth. Clients that send
 * too much, read too little, or vanish; nodes that do not answer; the others do not notice.
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { after, before, describe, it, type TestContext } from 'node:test';
import type { LocalNode } from '../../src/control/local-cluster.ts';
import type { ProxyServer } from '../../src/control/proxy.ts';
import { encodeCommand, RawClient } from '../support/client.ts';
import { freeze, tagInSlot, thaw, waitFor } from '../support/cluster.ts';
import { Gateway, startProxy } from '../support/gateway.ts';

const MB = 1024 * 1024;
const CHUNK = 16 * 1024;
const [K1, K2, K3] = [100, 6000, 12_000].map((slot) => `${tagInSlot(slot)}k`) as [string, string, string];
const BIG = `${tagInSlot(100)}big`;
const BIG_BYTES = 100_000;

async function open(port: number): Promise<Socket> {
  const socket = connect({ port, host: '127.0.0.1' });
  await once(socket, 'connect');
  return socket;
}

/** Writes the bytes in chunks, as fast as they are taken. */
async function writeInChunks(socket: Socket, bytes: Buffer): Promise<void> {
  for (let at = 0; at < bytes.length; at += CHUNK) {
    if (!socket.write(bytes.subarray(at, at + CHUNK))) await once(socket, 'drain');
  }
}

async function read(socket: Socket, wantedBytes: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let missing = wantedBytes;
  socket.on('data', (chunk: Buffer) => {
    chunks.push(chunk);
    missing -= chunk.length;
    if (missing <= 0) socket.pause().emit('enough');
  });
  socket.once('close', () => socket.emit('enough'));
  socket.resume();
  await once(socket, 'enough');
  return Buffer.concat(chunks);
}

function assertSameBytes(actual: Buffer, expected: Buffer): void {
  assert.equal(actual.length, expected.length);
  assert.ok(actual.equals(expected));
}

describe('limits', () => {
  let gateway: Gateway;

  before(async () => {
    gateway = await Gateway.start({ replicas: 0, nodeTimeoutMs: 30_000 });
    const client = await RawClient.connect(gateway.port);
    await client.command('SET', BIG, Buffer.alloc(BIG_BYTES, 'x'));
    client.close();
  });
  after(() => gateway.stop());

  async function proxyWith(t: TestContext, settings: Parameters<typeof startProxy>[1]): Promise<ProxyServer> {
    const proxy = await startProxy(gateway.cluster, { ...settings, listen: { drain_ms: 0 } });
    t.after(() => proxy.stop());
    return proxy;
  }

  async function clientOf(t: TestContext, proxy: ProxyServer): Promise<RawClient> {
    const client = await RawClient.connect(proxy.address.port);
    t.after(() => client.close());
    return client;
  }

  describe('a client that sends before it reads', () => {
    it('200,000 commands, then reads: every reply, in order', async () => {
      const socket = await open(gateway.port);
      socket.pause();
      const key = `${tagInSlot(6000)}count`;
      const count = 200_000;
      const sending = writeInChunks(
        socket,
        Buffer.alloc(encodeCommand(['INCR', key]).length * count, encodeCommand(['INCR', key])),
      );
      const expected = Buffer.from(Array.from({ length: count }, (_, i) => `:${i + 1}\r\n`).join(''));
      const replies = await read(socket, expected.length);
      await sending;
      assertSameBytes(replies, expected);
      socket.destroy();
    });

    it('a million PINGs at once cost bounded memory', async () => {
      const socket = await open(gateway.port);
      const requests = Buffer.alloc(14 * 1_000_000, '*1\r\n$4\r\nPING\r\n');
      const before = process.memoryUsage.rss();
      socket.write(requests);
      const replies = await read(socket, 7 * 1_000_000);
      assertSameBytes(replies, Buffer.alloc(7 * 1_000_000, '+PONG\r\n'));
      assert.ok(process.memoryUsage.rss() - before < 200 * MB);
      socket.destroy();
    });

    it('half-closes after sending: all replies, then the end', async () => {
      const client = await RawClient.connect(gateway.port);
      client.send(
        Buffer.concat(
          Array.from({ length: 5000 }, (_, i) => encodeCommand(i % 9 ? ['ECHO', i] : ['MGET', K1, K2, BIG])),
        ),
      );
      client.endWrites();
      const replies = await client.repliesUntilEnd();
      assert.equal(replies.length, 5000);
      for (const [i, reply] of replies.entries()) {
        if (i % 9) assert.equal(reply.toString(), `$${String(i).length}\r\n${i}\r\n`);
        else assert.equal(reply.length, `*3\r\n$-1\r\n$-1\r\n$${BIG_BYTES}\r\n`.length + BIG_BYTES + 2);
      }
      await client.closed();
    });

    it('with tiny limits of requests in flight: the same replies', async (t) => {
      const limits = { in_flight_per_client: 7, in_flight_bytes_per_client: 2048, node_pending_bytes: 4096 };
      const client = await clientOf(t, await proxyWith(t, { limits }));
      const value = 'v'.repeat(100_000);
      const rounds = Array.from({ length: 100 }, (_, i) => [
        ['SET', K1, i % 10 ? `${i}` : value],
        ['GET', K1],
        ['MSET', K2, i, K3, i],
        ['MGET', K3, K2, K1],
        ['EVAL', 'return ARGV[1]', 1, K2, 'x'.repeat(i * 50)],
      ]);
      const replies = (await client.pipeline(rounds.flat())).map(String);
      const bulk = (text: string) => `$${text.length}\r\n${text}\r\n`;
      for (let i = 0; i < 100; i++) {
        const held = i % 10 ? `${i}` : value;
        const wanted = [
          '+OK\r\n',
          bulk(held),
          '+OK\r\n',
          `*3\r\n${bulk(`${i}`)}${bulk(`${i}`)}${bulk(held)}`,
          bulk('x'.repeat(i * 50)),
        ];
        assert.ok(
          wanted.every((reply, j) => replies[i * 5 + j] === reply),
          `round ${i}`,
        );
      }
    });

    it('no more than in_flight_per_client requests are taken while a node does not answer', async (t) => {
      const proxy = await proxyWith(t, { limits: { in_flight_per_client: 50 } });
      const client = await clientOf(t, proxy);
      const other = await clientOf(t, proxy);
      await client.command('GET', K1);
      const { requests } = proxy.counters;
      const [node] = gateway.cluster.masters as [LocalNode];
      freeze(node);
      try {
        client.send(Buffer.concat(Array.from({ length: 5000 }, () => encodeCommand(['GET', K1]))));
        for (let i = 0; i < 200; i++) assert.equal((await other.text('ECHO', 'x')).length, 7);
        assert.equal(proxy.counters.requests - requests - 200, 50);
      } finally {
        thaw(node);
      }
      assert.equal((await client.replies(5000)).length, 5000);
    });
  });

  describe('a client that does not read', () => {
    it('10,000 GETs of 100 KB: memory stays bounded, others go on', async (t) => {
      const proxy = await proxyWith(t, { limits: { client_output_bytes: 8 * MB } });
      const other = await clientOf(t, proxy);
      await other.pipeline([K1, K2, K3].map((key) => ['SET', key, 'v']));
      const socket = await open(proxy.address.port);
      t.after(() => socket.destroy());
      const before = process.memoryUsage.rss();
      socket.pause();
      socket.write(Buffer.concat(Array(10_000).fill(encodeCommand(['GET', BIG]))));
      const connections = () => [...proxy.upstream.pools].flatMap((pool) => pool.connections);
      await waitFor('its limit is reached', () => connections().some(({ isPaused }) => isPaused));
      for (let i = 0; i < 300; i++) {
        for (const key of [K1, K2, K3]) assert.equal(await other.text('GET', key), '$1\r\nv\r\n');
      }
      assert.ok(proxy.counters.bufferedBytes < 32 * MB, `${proxy.counters.bufferedBytes} bytes buffered`);
      assert.ok(process.memoryUsage.rss() - before < 150 * MB);
      const frame = `$${BIG_BYTES}\r\n`.length + BIG_BYTES + 2;
      assert.equal((await read(socket, 500 * frame)).length >= 500 * frame, true);
    });

    it('is closed after client_stall_ms; one that reads slowly is not', async (t) => {
      const proxy = await proxyWith(t, { limits: { client_output_bytes: 2 * MB, client_stall_ms: 300 } });
      const [stalled, slow] = [await open(proxy.address.port), await open(proxy.address.port)];
      stalled.pause().on('error', () => {});
      stalled.write(Buffer.concat(Array(500).fill(encodeCommand(['GET', BIG]))));
      const count = 200;
      slow.write(Buffer.concat(Array(count).fill(encodeCommand(['GET', BIG]))));
      let received = 0;
      slow.on('data', (chunk: Buffer) => {
        received += chunk.length;
        slow.pause();
        setTimeout(() => slow.resume(), 5);
      });
      await waitFor('it is closed', () => proxy.counters.clientsStalled === 1 && proxy.counters.clients === 1);
      await waitFor('the slow one has all', () => received === count * (BIG_BYTES + `$${BIG_BYTES}\r\n\r\n`.length));
      assert.equal(proxy.counters.clientsStalled, 1);
      slow.destroy();
      stalled.destroy();
    });
  });

  it('a node that does not answer costs only its own requests an error that names it', async (t) => {
    const proxy = await proxyWith(t, {
      cluster: { node_silence_ms: 400, failover_wait_ms: 300, connect_timeout_ms: 300 },
    });
    const [client, other] = [await clientOf(t, proxy), await clientOf(t, proxy)];
    const [node] = gateway.cluster.masters as [LocalNode];
    await client.pipeline([K1, K2, K3].map((key) => ['SET', key, 'v']));
    freeze(node);
    try {
      client.send(Buffer.concat([['INCR', K1], ['PING'], ['GET', K2], ['EVAL', 'return 1', 1, K1]].map(encodeCommand)));
      let isOver = false;
      const replies = client.replies(4).finally(() => {
        isOver = true;
      });
      let served = 0;
      while (!isOver) {
        for (const key of [K2, K3]) assert.equal(await other.text('GET', key), '$1\r\nv\r\n');
        served++;
      }
      assert.ok(served > 10);
      const [incremented, ping, got, called] = (await replies).map(String);
      const silent = new RegExp(
        `^-ERR evalgate: ${node.address} did not answer for \\d+ ms, the command may have run or may still run\r\n$`,
      );
      assert.match(incremented ?? '', silent);
      assert.match(called ?? '', silent);
      assert.deepEqual([ping, got], ['+PONG\r\n', '$1\r\nv\r\n']);
      assert.match(await client.text('GET', K1), /^-(ERR|CLUSTERDOWN) evalgate: .*(did not run|may have run)/);
    } finally {
      thaw(node);
    }
    await waitFor('it is served again', async () => /^\$1\r\nv/.test(await client.text('GET', K1)));
  });

  describe('counts and sizes', () => {
    it('max_clients: one more is told so and closed; when one leaves there is room', async (t) => {
      const proxy = await proxyWith(t, { limits: { max_clients: 2 } });
      const [one, two] = [await clientOf(t, proxy), await clientOf(t, proxy)];
      await one.command('PING');
      await two.command('PING');
      const three = await clientOf(t, proxy);
      assert.deepEqual((await three.repliesUntilEnd()).map(String), ['-ERR max number of clients reached\r\n']);
      one.close();
      await waitFor('there is room', () => proxy.counters.clients === 1);
      assert.equal(await (await clientOf(t, proxy)).text('PING'), '+PONG\r\n');
      assert.equal(proxy.counters.clientsRefused, 1);
    });

    it('max_request_bytes: a larger one is refused behind the replies before it, and the client closed', async (t) => {
      const proxy = await proxyWith(t, { limits: { max_request_bytes: MB } });
      const cases: [request: Buffer, text: string][] = [
        [encodeCommand(['SET', K1, Buffer.alloc(2 * MB)]), 'ERR Protocol error: invalid bulk length'],
        [
          encodeCommand(['MSET', K1, Buffer.alloc(0.6 * MB), K2, Buffer.alloc(0.6 * MB)]),
          `ERR evalgate: request larger than max_request_bytes (${MB})`,
        ],
      ];
      for (const [request, text] of cases) {
        const client = await clientOf(t, proxy);
        client.send(Buffer.concat([encodeCommand(['ECHO', 'before']), request]));
        assert.deepEqual((await client.repliesUntilEnd()).map(String), ['$6\r\nbefore\r\n', `-${text}\r\n`]);
      }
      const client = await clientOf(t, proxy);
      assert.equal(await client.text('SET', K1, Buffer.alloc(MB - 200)), '+OK\r\n');
    });

    it('64 MB in chunks of 16 KB, there and back: the same bytes, in linear time', async () => {
      const milliseconds: number[] = [];
      for (const megabytes of [16, 16, 64]) {
        const value = Buffer.alloc(megabytes * MB, Buffer.from(Array.from({ length: 251 }, (_, i) => i)));
        const socket = await open(gateway.port);
        const startedAt = performance.now();
        await writeInChunks(socket, encodeCommand(['SET', K2, value]));
        assert.equal((await read(socket, 5)).toString(), '+OK\r\n');
        socket.removeAllListeners('data');
        socket.write(encodeCommand(['GET', K2]));
        const reply = await read(socket, `$${value.length}\r\n\r\n`.length + value.length);
        milliseconds.push(performance.now() - startedAt);
        assertSameBytes(reply, Buffer.concat([Buffer.from(`$${value.length}\r\n`), value, Buffer.from('\r\n')]));
        socket.destroy();
      }
      const [, small = 0, large = 0] = milliseconds;
      assert.ok(large < small * 10, `16 MB took ${small} ms, 64 MB ${large} ms`);
    });
  });

  it('clients that vanish in the middle of anything leave nothing behind', async (t) => {
    const proxy = await proxyWith(t, {});
    const client = await clientOf(t, proxy);
    await client.pipeline([K1, K2, K3].map((key) => ['SET', key, 'v']));
    await client.pipeline(Array.from({ length: 300 }, (_, i) => ['SET', `many:${i}`, i]));
    const work = [
      ['MGET', K1, K2, K3],
      ['GET', BIG],
      ['EVAL', "return redis.call('GET', KEYS[1])", 1, BIG],
      ['EVALSHA', 'f'.repeat(40), 1, K3],
      ...[
        ['KEYS', '*'],
        ['SCAN', 0],
        ['RANDOMKEY'],
        ['SCRIPT', 'LOAD', 'return 5'],
        ['SCRIPT', 'EXISTS', 'x'],
        ['PING'],
      ],
    ];
    const bytes = Buffer.concat(Array(10).fill(Buffer.concat(work.map(encodeCommand))));
    for (let i = 0; i < 200; i++) {
      const socket = await open(proxy.address.port);
      const end = 1 + ((i * 7919) % bytes.length);
      await new Promise<void>((resolve) => socket.write(bytes.subarray(0, end), () => resolve()));
      if (i % 3 === 0) socket.resetAndDestroy();
      else socket.destroy();
    }
    await waitFor('all are gone', () => proxy.counters.clients === 1);
    const connections = () => [...proxy.upstream.pools].flatMap((pool) => pool.connections);
    await waitFor('nothing is in flight', () => connections().every(({ unansweredCount }) => unansweredCount === 0));
    assert.ok(connections().every(({ isPaused }) => !isPaused));
    assert.equal(proxy.counters.waiting, 0);
    assert.equal(await client.text('GET', 'many:7'), '$1\r\n7\r\n');
    await waitFor('nothing is buffered', () => proxy.counters.bufferedBytes === 0);
  });
});
