/**
 * Stopping and starting: what was read is answered, what was not was not carried out, nobody waits who need not, and a
 * cluster that is not there yet is waited for.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it, type TestContext } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import type { ConfigInput } from '../../src/control/config.ts';
import { LocalCluster, type LocalNode } from '../../src/control/local-cluster.ts';
import { findFreePorts } from '../../src/control/ports.ts';
import { Balancer } from '../support/balancer.ts';
import { encodeCommand, RawClient } from '../support/client.ts';
import { freeze, ownerOf, slotOfKey, tagInSlot, thaw, waitFor } from '../support/cluster.ts';
import { startProxy } from '../support/gateway.ts';
import { Program } from '../support/program.ts';

type Sections = { readonly [K in keyof ConfigInput]?: Partial<ConfigInput[K]> };

/** Holds its master, and so its connection, until it is killed or has counted to ARGV[1]. */
const BUSY = "local i = 0 while i < tonumber(ARGV[1]) do i = i + 1 end redis.call('SET', KEYS[1], 'ran') return i";
/** Some tenths of a second. */
const A_WHILE = 15_000_000;

describe('stopping', () => {
  const folder = mkdtempSync(join(tmpdir(), 'evalgate-drain-'));
  let cluster: LocalCluster;
  let files = 0;
  before(async () => {
    cluster = await LocalCluster.start({ replicas: 0 });
  });
  after(async () => {
    rmSync(folder, { recursive: true });
    await cluster.stop();
  });

  function configFile(sections: Sections = {}): string {
    const file = join(folder, `${files++}.yaml`);
    const whole = {
      ...sections,
      listen: { port: 0, ...sections.listen },
      cluster: { nodes: cluster.seeds, ...sections.cluster },
    };
    writeFileSync(file, JSON.stringify(whole));
    return file;
  }

  async function serve(t: TestContext, sections: Sections = {}): Promise<{ program: Program; port: number }> {
    const program = new Program('serve', '--config', configFile(sections));
    t.after(() => program.stop());
    return { program, port: await program.listening() };
  }

  async function connect(t: TestContext, port: number): Promise<RawClient> {
    const client = await RawClient.connect(port);
    t.after(() => client.close());
    return client;
  }

  async function ownerOfKey(key: string): Promise<LocalNode> {
    return await ownerOf(cluster, slotOfKey(key));
  }

  it('answers what is in flight, closes who is idle at once, takes nobody new, and ends with 0', async (t) => {
    const { program, port } = await serve(t);
    const [idle, busy] = [await connect(t, port), await connect(t, port)];
    await idle.text('PING');
    const owner = await ownerOfKey('drained');
    const answer = busy.text('EVAL', BUSY, 1, 'drained', A_WHILE);
    await waitFor('the script runs', () => isBusy(owner));
    program.signal('SIGTERM');
    await idle.closed();
    await assert.rejects(RawClient.connect(port));
    assert.equal(await answer, `:${A_WHILE}\r\n`);
    await busy.closed();
    assert.equal(await program.ended(), 0);
    assert.equal(program.err, '');
    assert.match(program.out, /"msg":"draining"[\s\S]*"msg":"stopped"/);
  });

  it('carries out whole pipelines that were read, beyond what may be in flight, and no half request', async (t) => {
    const proxy = await startProxy(cluster, { limits: { in_flight_per_client: 2 } });
    t.after(() => proxy.stop());
    const client = await connect(t, proxy.address.port);
    const whole = Array.from({ length: 500 }, (_, i) => encodeCommand(['SET', `whole${i}`, 'x']));
    const half = encodeCommand(['SET', 'half', 'x']).subarray(0, -4);
    client.send(Buffer.concat([...whole, half]));
    await waitFor('it was read', () => proxy.counters.requests > 0);
    assert.ok(proxy.counters.requests < 500, 'the rest waits in evalgate');
    await proxy.stop();
    assert.equal(Buffer.concat(await client.repliesUntilEnd()).toString(), '+OK\r\n'.repeat(500));
    assert.equal(await (await ownerOfKey('half')).client().get('half'), null);
  });

  it('gives up after drain_ms', async (t) => {
    const proxy = await startProxy(cluster, { listen: { drain_ms: 300 } });
    t.after(() => proxy.stop());
    const [master] = cluster.masters;
    assert.ok(master);
    const client = await connect(t, proxy.address.port);
    const key = `${tagInSlot(0)}frozen`;
    assert.equal(await client.text('SET', key, '1'), '+OK\r\n');
    freeze(master);
    t.after(() => thaw(master));
    client.send(encodeCommand(['GET', key]));
    await waitFor('it is in flight', () => proxy.counters.requests === 2);
    const startedAt = performance.now();
    assert.equal(proxy.isDraining, false);
    const stopped = proxy.stop();
    assert.equal(proxy.isDraining, true);
    await stopped;
    const tookMs = performance.now() - startedAt;
    assert.ok(tookMs >= 290 && tookMs < 5000, `${tookMs} ms`);
    await client.closed();
  });

  it('ends WAIT at the node, and sends what was answered before', async (t) => {
    const proxy = await startProxy(cluster, { listen: { drain_ms: 20_000 } });
    t.after(() => proxy.stop());
    const client = await connect(t, proxy.address.port);
    client.send(Buffer.concat([encodeCommand(['SET', 'waited', '1']), encodeCommand(['WAIT', 1, 0])]));
    await waitFor('both are on their way', () => proxy.counters.requests === 2);
    assert.equal((await client.reply()).toString(), '+OK\r\n');
    const startedAt = performance.now();
    await proxy.stop();
    const replies = (await client.repliesUntilEnd()).map(String);
    assert.deepEqual(replies, ['-UNBLOCKED client unblocked via CLIENT UNBLOCK\r\n']);
    assert.ok(performance.now() - startedAt < 10_000);
  });

  it('ends blocking commands at the node, so that nothing is popped for nobody, and what is behind them runs', async (t) => {
    const proxy = await startProxy(cluster, { listen: { drain_ms: 20_000 } });
    t.after(() => proxy.stop());
    const client = await connect(t, proxy.address.port);
    client.send(Buffer.concat([encodeCommand(['BLPOP', 'queue', 0]), encodeCommand(['SET', 'behind', 'ran'])]));
    const owner = await ownerOfKey('queue');
    await waitFor('it is blocked', async () => (await owner.client().info('clients')).includes('blocked_clients:1'));
    const startedAt = performance.now();
    await proxy.stop();
    assert.ok(performance.now() - startedAt < 10_000);
    const replies = (await client.repliesUntilEnd()).map(String);
    assert.deepEqual(replies, ['-UNBLOCKED client unblocked via CLIENT UNBLOCK\r\n', '+OK\r\n']);
    await owner.client().rpush('queue', 'kept');
    assert.equal(await owner.client().llen('queue'), 1);
  });

  it('finishes QUIT behind a pipeline that was held back', async (t) => {
    const proxy = await startProxy(cluster, { limits: { in_flight_per_client: 2 } });
    t.after(() => proxy.stop());
    const client = await connect(t, proxy.address.port);
    const sets = Array.from({ length: 50 }, (_, i) => encodeCommand(['SET', `quit${i}`, 'x']));
    client.send(Buffer.concat([...sets, encodeCommand(['QUIT'])]));
    assert.equal(Buffer.concat(await client.repliesUntilEnd()).toString(), '+OK\r\n'.repeat(51));
  });

  it('ends at once at the second signal, but not at the echo of the first', async (t) => {
    const { program, port } = await serve(t, { listen: { drain_ms: 60_000 } });
    const [master] = cluster.masters;
    assert.ok(master);
    const client = await connect(t, port);
    await client.text('PING');
    freeze(master);
    t.after(() => thaw(master));
    client.send(encodeCommand(['GET', `${tagInSlot(0)}frozen`]));
    // What came first was read first: the GET is in flight when this is answered.
    assert.equal(await (await connect(t, port)).text('PING'), '+PONG\r\n');
    program.signal('SIGINT');
    program.signal('SIGINT');
    await program.written(/"msg":"draining"/);
    await pause(600);
    assert.equal(program.child.exitCode, null, 'it drains');
    program.signal('SIGTERM');
    assert.equal(await program.ended(), 143);
  });

  it('a rolling restart behind a balancer loses no acknowledged command, and repeats none', async (t) => {
    const ports = await findFreePorts(2);
    const balancer = await Balancer.start(ports);
    t.after(() => balancer.stop());
    const configs = ports.map((port) => configFile({ listen: { port } }));
    const startOne = async (i: number): Promise<Program> => {
      const program = new Program('serve', '--config', configs[i] ?? '');
      t.after(() => program.stop());
      await program.listening();
      return program;
    };
    const programs = [await startOne(0), await startOne(1)];
    const counters = Array.from({ length: 6 }, (_, i) => new Counting(i, balancer.port));
    await waitFor('the load runs', () => counters.every(({ acknowledged }) => acknowledged.size > 50));
    for (let round = 0; round < 2; round++) {
      for (const i of [0, 1]) {
        programs[i]?.signal('SIGTERM');
        assert.equal(await programs[i]?.ended(), 0);
        programs[i] = await startOne(i);
        const goals = counters.map(({ acknowledged }) => acknowledged.size + 100);
        await waitFor('the load goes on', () =>
          counters.every(({ acknowledged }, n) => acknowledged.size > (goals[n] ?? 0)),
        );
      }
    }
    await Promise.all(counters.map((counting) => counting.stop()));
    for (const { key, acknowledged, errors } of counters) {
      assert.deepEqual(errors, []);
      const owner = await ownerOfKey(key);
      const counted = Object.entries(await owner.client().hgetall(key));
      assert.deepEqual(
        counted.filter(([, times]) => times !== '1'),
        [],
        'none twice',
      );
      const ran = new Set(counted.map(([id]) => id));
      assert.deepEqual(
        [...acknowledged].filter((id) => !ran.has(id)),
        [],
        'none lost',
      );
      // More than was asked for: what was carried out was also answered.
      assert.deepEqual(
        [...ran].filter((id) => !acknowledged.has(id)),
        [],
        'none silent',
      );
    }
    assert.ok(counters.some(({ reconnects }) => reconnects > 0));
  });
});

describe('starting', () => {
  it('waits for a cluster that is not there, says why once, and comes up by itself', async (t) => {
    const cluster = await LocalCluster.start({ masters: 1, replicas: 0 });
    t.after(() => cluster.stop());
    const [node] = cluster.nodes;
    assert.ok(node);
    await cluster.stopNode(node);
    const lines: Record<string, unknown>[] = [];
    const sink = { write: (line: string) => lines.push(JSON.parse(line)) };
    const proxy = await startProxy(cluster, { cluster: { failover_wait_ms: 100 }, log: { level: 'info' } }, sink);
    t.after(() => proxy.stop());
    const client = await RawClient.connect(proxy.address.port);
    t.after(() => client.close());
    assert.equal(await client.text('PING'), '+PONG\r\n');
    assert.match(await client.text('SET', 'k', 'v'), /^-CLUSTERDOWN evalgate: /);
    // Several looks at the cluster.
    await pause(1000);
    const told = lines.filter(({ msg }) => msg === 'no node of the cluster answers');
    assert.equal(told.length, 1, JSON.stringify(told));
    assert.match(String(told[0]?.['problem']), /ECONNREFUSED/);
    await cluster.restartNode(node);
    await waitFor('it serves', async () => (await client.text('SET', 'k', 'v')) === '+OK\r\n');
    assert.ok(lines.some(({ msg }) => msg === 'the cluster answers again'));
  });
});

/** Whether the node reads nothing for now. */
async function isBusy(node: LocalNode): Promise<boolean> {
  const answered = node
    .client()
    .ping()
    .then(() => false);
  return await Promise.race([answered, pause(20).then(() => true)]);
}

/** Counts up fields of a hash, each once, in pipelines over connections that may end at any time. */
class Counting {
  readonly key: string;
  readonly acknowledged = new Set<string>();
  readonly errors: string[] = [];
  reconnects = 0;
  readonly #port: number;
  readonly #running: Promise<void>;
  #isStopping = false;
  #nextId = 0;

  constructor(index: number, port: number) {
    this.key = `${tagInSlot(index * 2700)}rolling`;
    this.#port = port;
    this.#running = this.#run();
  }

  async stop(): Promise<void> {
    this.#isStopping = true;
    await this.#running;
  }

  async #run(): Promise<void> {
    while (!this.#isStopping) {
      const client = await RawClient.connect(this.#port).catch(() => undefined);
      if (client === undefined) {
        await pause(5);
        continue;
      }
      await this.#count(client).catch(() => {
        this.reconnects++;
      });
      client.close();
    }
  }

  /** Until told to stop, or until the connection ends: then it rejects, and what has no reply is not sent again. */
  async #count(client: RawClient): Promise<void> {
    while (!this.#isStopping) {
      const ids = Array.from({ length: 20 }, () => `id${this.#nextId++}`);
      const script = "return redis.call('HINCRBY', KEYS[1], ARGV[1], 1)";
      const requests = ids.map((id, i) =>
        i % 2 === 0 ? ['HINCRBY', this.key, id, 1] : ['EVAL', script, 1, this.key, id],
      );
      client.send(Buffer.concat(requests.map(encodeCommand)));
      for (const id of ids) {
        const reply = (await client.reply()).toString();
        if (reply === ':1\r\n') this.acknowledged.add(id);
        else this.errors.push(reply);
      }
    }
  }
}
