/**
 * Bad input from both sides. From clients: Redis's own protocol error behind the replies to the good requests, then the
 * end; byte for byte what a node says to the same input. From nodes: the connection goes, its requests get an honest
 * error. The process lives, and nobody else notices.
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { after, before, describe, it } from 'node:test';
import { pino } from 'pino';
import RedisParser from 'redis-parser';
import { configFrom } from '../../src/control/config.ts';
import { LocalCluster } from '../../src/control/local-cluster.ts';
import { ProxyServer } from '../../src/control/proxy.ts';
import { encodeCommand, RawClient } from '../support/client.ts';
import { tagInSlot, waitFor } from '../support/cluster.ts';
import { Random } from '../support/random.ts';

const GOOD = Buffer.concat([['PING'], ['ECHO', 'good'], ['ECHO', 'x'.repeat(5000)]].map(encodeCommand));
const QUIT = encodeCommand(['QUIT']);
const LONG = '1'.repeat(70_000);

/** A proxy that keeps what it logs as a bug. */
async function startProxy(nodes: readonly string[], faults: string[]): Promise<ProxyServer> {
  const log = pino({ level: 'error' }, { write: (line: string) => void faults.push(line) });
  const config = { listen: { port: 0, drain_ms: 0 }, cluster: { nodes: [...nodes], failover_wait_ms: 500 } };
  return await ProxyServer.start(configFrom(config), log);
}

describe('bad input from a client', () => {
  let cluster: LocalCluster;
  let proxy: ProxyServer;
  let healthy: RawClient;
  let isHealthy = true;
  let watching: Promise<number>;
  const faults: string[] = [];

  before(async () => {
    cluster = await LocalCluster.start({ replicas: 0, nodeTimeoutMs: 15_000 });
    proxy = await startProxy(cluster.seeds, faults);
    healthy = await RawClient.connect(proxy.address.port);
    watching = watch(healthy);
  });
  after(async () => {
    isHealthy = false;
    assert.ok((await watching) > 100, 'the healthy client was served all the time');
    healthy.close();
    await proxy.stop();
    await cluster.stop();
    assert.deepEqual(faults, []);
  });

  /** A client that minds its own business while others misbehave: fails at the first wrong answer. */
  async function watch(client: RawClient): Promise<number> {
    let rounds = 0;
    for (; isHealthy; rounds++) {
      const key = `${tagInSlot((rounds * 4001) % 16384)}healthy`;
      const replies = await client.pipeline([
        ['SET', key, rounds],
        ['GET', key],
        ['EVAL', 'return ARGV[1]', 1, key, rounds],
      ]);
      const bulk = `$${String(rounds).length}\r\n${rounds}\r\n`;
      assert.deepEqual(replies.map(String), ['+OK\r\n', bulk, bulk]);
    }
    return rounds;
  }

  async function answerTo(port: number, input: Buffer): Promise<string> {
    const client = await RawClient.connect(port);
    client.send(input);
    const replies = await client.repliesUntilEnd();
    await client.closed();
    return Buffer.concat(replies).toString('latin1');
  }

  const malformed: Readonly<Record<string, string>> = {
    'a count that is no number': '*x\r\n',
    'an empty count': '*\r\n',
    'a count with a leading zero': '*01\r\n',
    'a count with a sign': '*+1\r\n',
    'a count with a blank': '* 1\r\n',
    'a count beyond 2^31': '*2147483648\r\n',
    'a count beyond 2^64': '*99999999999999999999\r\n',
    'a count line without end': `*${LONG}`,
    'no bulk where one must be': '*1\r\nPING\r\n',
    'an integer for a bulk': '*2\r\n$3\r\nGET\r\n:1\r\n',
    'a binary byte for a bulk': '*1\r\n\xff\r\n',
    'a bulk length that is no number': '*1\r\n$x\r\n',
    'a negative bulk length': '*1\r\n$-1\r\n',
    'a bulk length with a sign': '*1\r\n$+4\r\nPING\r\n',
    'a bulk beyond 512 MB': '*1\r\n$536870913\r\n',
    'a bulk length beyond 2^64': '*1\r\n$99999999999999999999\r\n',
    'a bulk length without end': `*1\r\n$${LONG}`,
    'an inline request without end': 'x'.repeat(70_000),
    'an inline request that is too long': `PING ${'x'.repeat(200_000)}\r\n`,
    'unbalanced quotes': 'SET k "unbalanced\r\n',
    'unbalanced apostrophes': "SET k 'unbalanced\r\n",
    'text behind a quote': 'ECHO "a"b\r\n',
  };
  for (const [name, bytes] of Object.entries(malformed)) {
    it(`${name}: as the node, then the end`, async () => {
      const input = Buffer.concat([GOOD, Buffer.from(bytes, 'latin1')]);
      const wanted = await answerTo(cluster.masters[0]?.port ?? 0, input);
      assert.match(wanted, /\r\n-ERR Protocol error: [^\r]+\r\n$/);
      assert.equal(await answerTo(proxy.address.port, input), wanted);
      assert.equal(
        await answerTo(proxy.address.port, Buffer.concat([input, GOOD])),
        wanted,
        'nothing behind it is read',
      );
    });
  }

  const odd: Readonly<Record<string, string>> = {
    'empty and negative counts': '*0\r\n*-1\r\n*-5\r\n',
    'empty lines': '\r\n\n\r\n   \r\n',
    'a bulk that stands alone': '$4\r\nPING\r\n',
    'replies instead of requests': '+OK\r\n:1\r\n-ERR no\r\n',
    'inline requests with quotes': "ECHO \"a\\x41\\n\" \r\nECHO 'it\\'s'\r\necho plain\n",
    'an empty command name': '*1\r\n$0\r\n\r\n',
    'binary in an inline request': 'ECHO \xff\xfe\x01\r\n',
    'CRLF in a name and in an argument': '*2\r\n$6\r\nNO\r\nPE\r\n$4\r\n\r\n\r\n\r\n',
  };
  for (const [name, bytes] of Object.entries(odd)) {
    it(`${name}: odd, but as the node`, async () => {
      const input = Buffer.concat([GOOD, Buffer.from(bytes, 'latin1'), GOOD, QUIT]);
      assert.equal(await answerTo(proxy.address.port, input), await answerTo(cluster.masters[0]?.port ?? 0, input));
    });
  }

  it('a bulk without CRLF behind it is refused, so that proxy and node cannot disagree', async () => {
    const input = Buffer.concat([GOOD, Buffer.from('*1\r\n$4\r\nPINGxx*1\r\n$4\r\nPING\r\n')]);
    const answer = await answerTo(proxy.address.port, input);
    assert.match(
      answer,
      /^\+PONG\r\n\$4\r\ngood\r\n\$5000\r\nx+\r\n-ERR Protocol error: expected CRLF after bulk\r\n$/,
    );
  });

  it('the replies of the nodes to good requests come first', async () => {
    const key = `${tagInSlot(77)}first`;
    const requests = Array.from({ length: 500 }, (_, i) =>
      encodeCommand(i % 2 ? ['MGET', key, 'other'] : ['INCR', key]),
    );
    const answer = await answerTo(proxy.address.port, Buffer.concat([...requests, Buffer.from('*1\r\n!\r\n')]));
    assert.match(answer, /^:1\r\n\*2\r\n\$1\r\n1\r\n\$-1\r\n:2\r\n/);
    assert.match(answer, /:250\r\n\*2\r\n\$3\r\n250\r\n\$-1\r\n-ERR Protocol error: expected '\$', got '!'\r\n$/);
  });

  for (const request of [
    'POST / HTTP/1.1\r\nContent-Length: 4\r\n\r\n',
    'host: example.org\r\n',
    '*1\r\n$4\r\nPOST\r\n',
  ]) {
    it(`${JSON.stringify(request)}: the end, without a reply`, async () => {
      assert.equal(await answerTo(proxy.address.port, Buffer.from(`${request}FLUSHALL\r\n`)), '');
    });
  }

  it('a length that is merely announced reserves nothing', async () => {
    const rssBefore = process.memoryUsage.rss();
    const clients: RawClient[] = [];
    for (const header of ['*1000000\r\n', '*1\r\n$536870912\r\n', '*2147483647\r\n$3\r\nGET\r\n']) {
      for (let i = 0; i < 20; i++) {
        const client = await RawClient.connect(proxy.address.port);
        client.send(Buffer.concat([encodeCommand(['PING']), Buffer.from(header)]));
        assert.equal((await client.reply()).toString(), '+PONG\r\n');
        clients.push(client);
      }
    }
    assert.ok(process.memoryUsage.rss() - rssBefore < 100 * 1024 * 1024);
    for (const client of clients) client.close();
  });

  it('noise on 200 connections', async (t) => {
    const random = Random.fresh();
    t.diagnostic(`EVALGATE_SEED=${random.seed}`);
    const frames = Buffer.concat([
      GOOD,
      ...[
        ['MGET', 'a', 'b', 'c'],
        ['EVAL', 'return 1', 1, 'k'],
      ].map(encodeCommand),
    ]);
    for (let i = 0; i < 200; i++) {
      const mutated = Buffer.from(frames);
      for (let j = 0; j < 3; j++) mutated[random.below(mutated.length)] = random.below(256);
      const client = await RawClient.connect(proxy.address.port);
      client.send(Buffer.concat([GOOD, i % 2 ? random.bytes(2000) : mutated]));
      assert.equal((await client.reply()).toString(), '+PONG\r\n');
      client.close();
    }
    await waitFor('all are gone', () => proxy.counters.clients === 1);
  });

  it('half a request, at every byte: no reply, and no trace when the client goes', async () => {
    const request = encodeCommand(['EVAL', "return redis.call('INCR', KEYS[1])", 1, 'half']);
    for (let length = 1; length < request.length; length += 3) {
      const client = await RawClient.connect(proxy.address.port);
      client.send(request.subarray(0, length));
      client.endWrites();
      assert.deepEqual(await client.repliesUntilEnd(), []);
    }
    await waitFor('all are gone', () => proxy.counters.clients === 1);
    const client = await RawClient.connect(proxy.address.port);
    assert.equal(await client.text('EXISTS', 'half'), ':0\r\n');
    client.close();
  });
});

/** A node of a cluster of two that answers SET by what the key asks for, anything else as a node would. */
class OddNode {
  readonly #server: Server;
  readonly sockets = new Set<Socket>();
  slots: () => unknown[] = () => [];

  private constructor(server: Server) {
    this.#server = server;
    server.on('connection', (socket) => {
      this.sockets.add(socket);
      socket.on('error', () => {}).once('close', () => this.sockets.delete(socket));
      const parser = new RedisParser({
        returnReply: (request: unknown) => socket.write(this.#answer(request as string[], socket), 'latin1'),
        returnError: () => socket.destroy(),
      });
      socket.on('data', (chunk) => parser.execute(chunk));
    });
  }

  static async start(): Promise<OddNode> {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    return new OddNode(server);
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  stop(): void {
    for (const socket of this.sockets) socket.destroy();
    this.#server.close();
  }

  #answer([command = '', key = '']: string[], socket: Socket): string {
    const name = command.toUpperCase();
    if (name === 'CLUSTER') return encode(this.slots());
    if (name === 'COMMAND') return '*0\r\n';
    if (name === 'INFO') return encode('redis_version:7.0.0');
    if (name === 'EVALSHA') return '-NOSCRIPT none\r\n';
    if (name === 'PING') return '+PONG\r\n';
    const odd = name === 'SET' ? ODD_REPLIES[key.replace(/^\{.*\}/, '')] : undefined;
    if (odd?.ends === true) setImmediate(() => socket.destroy());
    return odd?.bytes ?? '+OK\r\n';
  }
}

const ODD_REPLIES: Readonly<Record<string, { readonly bytes: string; readonly ends?: boolean }>> = {
  garbage: { bytes: 'garbage\r\n' },
  binary: { bytes: '\0\xff\r\n\r\n' },
  http: { bytes: 'HTTP/1.1 400 Bad Request\r\n\r\n' },
  'a bulk without an end': { bytes: '$3\r\nabcd\r\n' },
  'a length that is none': { bytes: '*x\r\n' },
  'a bulk of 2 GB': { bytes: '$2000000000\r\n' },
  'a push': { bytes: '>2\r\n+message\r\n+x\r\n' },
  'half a reply': { bytes: '$10\r\nabc', ends: true },
};

function encode(value: unknown): string {
  if (Array.isArray(value)) return `*${value.length}\r\n${value.map(encode).join('')}`;
  return typeof value === 'number' ? `:${value}\r\n` : `$${String(value).length}\r\n${value}\r\n`;
}

describe('bad input from a node', () => {
  const [ODD, SANE] = [tagInSlot(1), tagInSlot(16_000)];
  const faults: string[] = [];
  let odd: OddNode;
  let sane: OddNode;
  let proxy: ProxyServer;

  before(async () => {
    [odd, sane] = [await OddNode.start(), await OddNode.start()];
    const slots = [
      [0, 8191, ['127.0.0.1', odd.port, 'odd']],
      [8192, 16_383, ['127.0.0.1', sane.port, 'sane']],
    ];
    odd.slots = sane.slots = () => slots;
    proxy = await startProxy([`127.0.0.1:${sane.port}`], faults);
  });
  after(async () => {
    await proxy.stop();
    odd.stop();
    sane.stop();
    assert.deepEqual(faults, []);
  });

  for (const name of Object.keys(ODD_REPLIES)) {
    it(`${name}: an honest error for what was in flight, then a new connection`, async () => {
      const client = await RawClient.connect(proxy.address.port);
      const other = await RawClient.connect(proxy.address.port);
      const [before, own, behind, elsewhere] = (
        await client.pipeline([
          ['SET', `${ODD}fine`, 'v'],
          ['SET', `${ODD}${name}`, 'v'],
          ['SET', `${ODD}fine`, 'v'],
          ['SET', `${SANE}fine`, 'v'],
        ])
      ).map(String);
      assert.equal(before, '+OK\r\n');
      const honest = new RegExp(
        `^-ERR evalgate: .*127\\.0\\.0\\.1:${odd.port}.* (ran|may have run) or may still run\r\n$`,
      );
      assert.match(own ?? '', honest);
      assert.match(behind ?? '', honest);
      assert.equal(elsewhere, '+OK\r\n');
      assert.equal(await other.text('SET', `${SANE}fine`, 'v'), '+OK\r\n');
      assert.equal(await client.text('SET', `${ODD}fine`, 'v'), '+OK\r\n');
      client.close();
      other.close();
    });
  }

  it('a reply that nobody asked for ends the connection; the next request gets its own reply', async () => {
    const client = await RawClient.connect(proxy.address.port);
    assert.equal(await client.text('SET', `${ODD}fine`, 'v'), '+OK\r\n');
    const shared = [...proxy.upstream.pools].find(({ node }) => node.port === odd.port)?.connections[0];
    assert.ok(shared);
    for (const socket of odd.sockets) socket.write('+UNASKED\r\n');
    await waitFor('it is destroyed', () => shared.state === 'closed');
    assert.equal(await client.text('SET', `${ODD}fine`, 'v'), '+OK\r\n');
    client.close();
  });
});
