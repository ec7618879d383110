/**
 * `workers: N`: several processes behind one port that look like one. Clients are told apart by their ids: those of
 * worker i leave the rest i when divided by the number of workers.
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it, type TestContext } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { connect } from 'node:tls';
import { LocalCluster } from '../../src/control/local-cluster.ts';
import { ask } from '../support/admin.ts';
import { Authority, NO_OPENSSL } from '../support/certificates.ts';
import { RawClient } from '../support/client.ts';
import { ownerOf, slotOfKey, waitFor } from '../support/cluster.ts';
import { COUNT_SCRIPT, COUNT_SHA } from '../support/load.ts';
import { Program } from '../support/program.ts';
import { shaOf } from '../support/stand.ts';

const WORKERS = 2;
const SLOW_SCRIPT = "local i = 0 while i < 3000000 do i = i + 1 end return redis.call('GET', KEYS[1])";

const folder = mkdtempSync(join(tmpdir(), 'evalgate-workers-'));
let cluster: LocalCluster;
let files = 0;
before(async () => {
  cluster = await LocalCluster.start({ masters: 3, replicas: 0, nodeTimeoutMs: 15_000 });
});
after(async () => {
  await cluster.stop();
  rmSync(folder, { recursive: true });
});

type Sections = Readonly<Record<string, unknown>>;

function configFile(sections: Sections = {}, file = join(folder, `${files++}.yaml`)): string {
  const config = { listen: { port: 0 }, cluster: { nodes: cluster.seeds }, workers: WORKERS, admin: { port: 0 } };
  writeFileSync(file, JSON.stringify({ ...config, ...sections }));
  return file;
}

/** A running evalgate with workers, and clients at each. */
class Gate {
  readonly program: Program;
  readonly file: string;
  readonly #t: TestContext;
  port = 0;
  admin = 0;

  private constructor(t: TestContext, sections: Sections) {
    this.#t = t;
    this.file = configFile(sections);
    this.program = new Program('serve', '--config', this.file);
    t.after(() => this.program.stop());
  }

  static async start(t: TestContext, sections: Sections = {}): Promise<Gate> {
    const gate = new Gate(t, sections);
    gate.port = await gate.program.listening();
    const [line] = await gate.program.written(/^.*"msg":"admin listening".*$/m);
    gate.admin = (JSON.parse(line) as { port: number }).port;
    return gate;
  }

  async connect(): Promise<RawClient> {
    const client = await RawClient.connect(this.port);
    this.#t.after(() => client.close());
    return client;
  }

  /** One client at every worker, in the order of the workers. */
  async clientOfEach(): Promise<RawClient[]> {
    const clients: RawClient[] = [];
    for (let attempt = 0; attempt < 50 && clients.filter(Boolean).length < WORKERS; attempt++) {
      const client = await this.connect();
      const worker = (await idOf(client)) % WORKERS;
      if (clients[worker] === undefined) clients[worker] = client;
      else client.close();
    }
    assert.equal(clients.filter(Boolean).length, WORKERS, 'a worker got no client');
    return clients;
  }

  async json(path: string) {
    const { json, status, text } = await ask(this.admin, path);
    assert.equal(status, 200, text);
    return json;
  }

  async metric(name: string): Promise<number> {
    const { text } = await ask(this.admin, '/metrics');
    const line = text.split('\n').find((one) => one.startsWith(`${name} `));
    assert.ok(line, `there is no ${name} in ${text}`);
    return Number(line.slice(name.length + 1));
  }

  /** Ends a worker, and waits until another has taken its place. */
  async replace(worker: number, signal: NodeJS.Signals): Promise<void> {
    const { pids } = this;
    process.kill(pids[worker] as number, signal);
    await waitFor('another takes its place', () => this.pids[worker] !== pids[worker]);
  }

  /** Process ids by worker. */
  get pids(): number[] {
    const pids: number[] = [];
    for (const [, worker, pid] of this.program.out.matchAll(
      /"worker":(\d+),"worker_pid":(\d+),"msg":"a worker serves"/g,
    )) {
      pids[Number(worker)] = Number(pid);
    }
    return pids;
  }
}

async function idOf(client: RawClient): Promise<number> {
  return Number((await client.text('CLIENT', 'ID')).slice(1));
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

/** What is loaded or known at one worker is usable at the other at once, and flushed at both at once. */
async function shareAndFlush(here: RawClient, there: RawClient, name: string): Promise<void> {
  const loaded = `return 'loaded ${name}'`;
  const evaled = `return 'evaled ${name}'`;
  assert.equal(await here.text('SCRIPT', 'LOAD', loaded), `$40\r\n${shaOf(loaded)}\r\n`);
  assert.match(await there.text('EVALSHA', shaOf(loaded), 1, 'k'), /^\$\d+\r\nloaded/);
  assert.match(await here.text('EVAL', evaled, 1, 'k'), /^\$\d+\r\nevaled/);
  assert.match(await there.text('EVALSHA', shaOf(evaled), 1, 'elsewhere'), /^\$\d+\r\nevaled/);
  assert.equal(await there.text('SCRIPT', 'EXISTS', shaOf(loaded), shaOf(evaled)), '*2\r\n:1\r\n:1\r\n');
  assert.equal(await here.text('SCRIPT', 'FLUSH'), '+OK\r\n');
  for (const sha of [shaOf(loaded), shaOf(evaled)]) {
    assert.match(await there.text('EVALSHA', sha, 1, 'k'), /^-NOSCRIPT /, `there, ${name}`);
    assert.match(await here.text('EVALSHA', sha, 1, 'k'), /^-NOSCRIPT /, `here, ${name}`);
  }
}

describe('workers: scripts', () => {
  const stores: readonly (readonly [name: string, scripting: object])[] = [
    ['memory', {}],
    ['cluster', { store: { type: 'cluster' } }],
    ['directory', { store: { type: 'directory', path: join(folder, 'store') } }],
  ];
  for (const [name, scripting] of stores) {
    it(`are seen alike by all, store ${name}: usable at all at once, flushed at all at once`, async (t) => {
      const gate = await Gate.start(t, { scripting });
      const [a, b] = await gate.clientOfEach();
      assert.ok(a && b);
      for (let round = 0; round < 10; round++) {
        await shareAndFlush(a, b, `${name} ${round} by a`);
        await shareAndFlush(b, a, `${name} ${round} by b`);
      }
    });
  }

  it('a script survives every worker: who takes the place of one that died has what was loaded', async (t) => {
    const gate = await Gate.start(t);
    const [first] = await gate.clientOfEach();
    assert.ok(first);
    const body = "return 'survivor'";
    await first.text('SCRIPT', 'LOAD', body);
    for (const worker of [0, 1]) await gate.replace(worker, 'SIGKILL');
    for (const node of cluster.nodes) await node.client().script('FLUSH');
    for (const client of await gate.clientOfEach()) {
      assert.equal(await client.text('EVALSHA', shaOf(body), 1, 'k'), '$8\r\nsurvivor\r\n');
    }
  });
});

describe('workers: clients', () => {
  it('have ids of their own, and are listed, killed, paused and unblocked from any worker', async (t) => {
    const gate = await Gate.start(t);
    const [a, b] = await gate.clientOfEach();
    assert.ok(a && b);
    await b.text('CLIENT', 'SETNAME', 'at-b');
    const list = await a.text('CLIENT', 'LIST');
    const ids = [...list.matchAll(/(?:^|\n)id=(\d+) /g)].map(([, id]) => Number(id));
    assert.deepEqual(new Set(ids).size, ids.length);
    for (const client of [a, b]) assert.ok(ids.includes(await idOf(client)));
    assert.match(list, /name=at-b/);
    assert.match(await a.text('CLIENT', 'LIST', 'ID', await idOf(b)), /name=at-b/);
    assert.doesNotMatch(await a.text('CLIENT', 'LIST', 'TYPE', 'pubsub'), /name=at-b/);

    const blocked = b.command('BLPOP', 'nothing-here', 0);
    await waitFor('it is blocked', async () => /cmd=blpop/.test(await a.text('CLIENT', 'LIST')));
    assert.equal(await a.text('CLIENT', 'UNBLOCK', await idOf(await gate.connect())), ':0\r\n');
    const blockedId = ids.find((id) => id % WORKERS === 1) as number;
    await waitFor('it is unblocked', async () => (await a.text('CLIENT', 'UNBLOCK', blockedId)) === ':1\r\n');
    assert.equal((await blocked).toString(), '*-1\r\n');

    assert.equal(await a.text('CLIENT', 'PAUSE', 60_000, 'WRITE'), '+OK\r\n');
    const write = b.command('SET', 'paused', '1');
    assert.equal(await a.text('GET', 'paused'), '$-1\r\n');
    await waitFor('the write is held', () => b.unreadCount === 0);
    assert.equal(await a.text('CLIENT', 'UNPAUSE'), '+OK\r\n');
    assert.equal((await write).toString(), '+OK\r\n');

    assert.equal(await a.text('CLIENT', 'KILL', 'ID', blockedId), ':1\r\n');
    await b.closed();
    assert.equal(await a.text('CLIENT', 'KILL', 'ID', blockedId), ':0\r\n');
    assert.equal(await a.text('CLIENT', 'KILL', '127.0.0.1:1'), '-ERR No such client\r\n');
    assert.equal(await a.text('PING'), '+PONG\r\n');
  });

  it('replies stay in order when some of them need the other worker', async (t) => {
    const gate = await Gate.start(t);
    const [a] = await gate.clientOfEach();
    assert.ok(a);
    const replies = await a.pipeline([
      ['SET', 'order', '1'],
      ['CLIENT', 'LIST'],
      ['INCR', 'order'],
      ['SLOWLOG', 'LEN'],
      ['GET', 'order'],
      ['CLIENT', 'KILL', 'ID', 1],
      ['ECHO', 'end'],
    ]);
    const kinds = replies.map((reply) =>
      reply
        .toString('latin1')
        .replace(/id=[\s\S]*/, 'list')
        .replace(/^\$\d+\r\nlist/, 'list'),
    );
    assert.deepEqual(kinds, ['+OK\r\n', 'list', ':2\r\n', kinds[3], '$1\r\n2\r\n', ':0\r\n', '$3\r\nend\r\n']);
  });

  it('count together for limits.max_clients', async (t) => {
    const gate = await Gate.start(t, { limits: { max_clients: 4 } });
    const clients: RawClient[] = [];
    for (let i = 0; i < 4; i++) {
      const client = await gate.connect();
      assert.equal(await client.text('PING'), '+PONG\r\n');
      clients.push(client);
    }
    const refused = await gate.connect();
    assert.equal(Buffer.concat(await refused.repliesUntilEnd()).toString(), '-ERR max number of clients reached\r\n');
    clients[0]?.close();
    await waitFor('there is room again', async () => {
      const client = await gate.connect();
      return (await client.text('PING').catch(() => '')) === '+PONG\r\n';
    });
  });

  it('slow requests are one log, with ids of their own, and logins that fail count at all', async (t) => {
    const accounts = [{ username: 'app', password: 'secret', privilege: 'read_write' }];
    const gate = await Gate.start(t, { accounts });
    const clients: RawClient[] = [];
    while (new Set(clients.map((_, i) => i)).size < 2 * WORKERS) {
      const client = await gate.connect();
      assert.equal(await client.text('AUTH', 'app', 'secret'), '+OK\r\n');
      clients.push(client);
    }
    for (const client of clients) assert.equal(await client.text('EVAL', SLOW_SCRIPT, 1, 'slow'), '$-1\r\n');
    const [reader] = clients;
    assert.ok(reader);
    assert.equal(await reader.text('SLOWLOG', 'LEN'), `:${clients.length}\r\n`);
    const { total, requests } = await gate.json('/api/slowlog');
    assert.equal(total, clients.length);
    assert.equal(new Set(requests.map(({ id }: { id: number }) => id)).size, clients.length);
    assert.match(await reader.text('SLOWLOG', 'GET', 3), /^\*3\r\n/);
    assert.match(await reader.text('SLOWLOG', 'GET', -1), new RegExp(`^\\*${clients.length}\\r\\n`));
    assert.equal(await reader.text('SLOWLOG', 'RESET'), '+OK\r\n');
    assert.equal(await reader.text('SLOWLOG', 'LEN'), ':0\r\n');

    // Six failures over both workers: each by itself would have seen three, and not slowed down.
    for (let i = 0; i < 6; i++) assert.match((await clients[i % 2]?.text('AUTH', 'app', 'wrong')) ?? '', /^-WRONGPASS/);
    const startedMs = performance.now();
    assert.equal(await reader.text('AUTH', 'app', 'secret'), '+OK\r\n');
    assert.ok(performance.now() - startedMs > 150, 'the good login did not wait');
  });
});

describe('workers: the admin port', () => {
  it('tells of all workers as of one', async (t) => {
    const gate = await Gate.start(t);
    const clients = await gate.clientOfEach();
    const before = await gate.metric('evalgate_requests_total{class="script"}');
    const shown = "-- shown to all\nreturn redis.call('INCR', KEYS[1])";
    for (const client of clients) for (let i = 0; i < 5; i++) await client.text('EVAL', shown, 1, 'n');
    for (const client of clients) await client.text('EVAL', "return redis.call(ARGV[1], 'k')", 1, 'n', 'GET');
    assert.equal((await gate.metric('evalgate_requests_total{class="script"}')) - before, 5 * WORKERS);
    assert.equal(await gate.metric('evalgate_clients'), WORKERS);
    assert.equal(await gate.metric('evalgate_topology_slots'), 16384);
    assert.equal(await gate.metric('evalgate_registry_scripts{origin="eval"}'), 1);
    assert.equal(await gate.metric('evalgate_script_refusals_total{rule="literal",mode="refuse"}'), WORKERS);

    const status = await gate.json('/api/status');
    assert.deepEqual(
      [status.clients, status.ready, status.problem, status.refusals, status.shards, status.listen.port],
      [WORKERS, true, null, WORKERS, 3, gate.port],
    );
    const { clients: listed, total } = await gate.json('/api/clients?limit=1&offset=1');
    assert.deepEqual([total, listed.length, listed[0].id % WORKERS], [WORKERS, 1, 1]);
    const { scripts } = await gate.json('/api/scripts?q=shown');
    assert.deepEqual([scripts.length, scripts[0].calls, scripts[0].errors], [1, 5 * WORKERS, 0]);
    const one = await gate.json(`/api/scripts/${shaOf(shown)}`);
    assert.deepEqual([one.source, one.calls], [shown, 5 * WORKERS]);
    const { shards } = await gate.json('/api/topology');
    const requests = shards.map(({ primary }: { primary: { requests: number } }) => primary.requests);
    assert.ok(requests.reduce((sum: number, count: number) => sum + count) >= 5 * WORKERS);
    const { events } = await gate.json('/api/events');
    const refused = events.filter(({ rule }: { rule?: string }) => rule === 'literal');
    assert.equal(refused.length, WORKERS);
    assert.equal(new Set(refused.map(({ id }: { id: number }) => id)).size, WORKERS);
    assert.equal((await gate.json('/api/config')).workers, WORKERS);
    await waitFor('a sample is taken', async () => (await gate.json('/api/history')).series.unixS.length > 0);
  });
});

describe('workers: TLS', () => {
  it('is spoken by every worker, handshake included', { skip: NO_OPENSSL }, async (t) => {
    const authority = new Authority('workers');
    t.after(() => authority.remove());
    const { certFile, keyFile } = authority.sign('server');
    const gate = await Gate.start(t, { listen: { port: 0, tls: { cert_file: certFile, key_file: keyFile } } });
    const ids: number[] = [];
    for (let i = 0; i < 2 * WORKERS; i++) {
      const socket = connect({ host: '127.0.0.1', port: gate.port, ca: readFileSync(authority.caFile) });
      await once(socket, 'secureConnect');
      const client = RawClient.over(socket);
      t.after(() => client.close());
      assert.equal(await client.text('SET', 'secure', String(i)), '+OK\r\n');
      ids.push((await idOf(client)) % WORKERS);
    }
    assert.equal(new Set(ids).size, WORKERS, 'both workers had some');
  });
});

describe('workers: one that dies', () => {
  it('is replaced, its clients alone notice, and no total falls', async (t) => {
    const gate = await Gate.start(t);
    const [a, b] = await gate.clientOfEach();
    assert.ok(a && b);
    await a.text('SCRIPT', 'LOAD', COUNT_SCRIPT);
    let isOver = false;
    let counted = 0;
    const counting = (async () => {
      while (!isOver) {
        const replies: Buffer[] = await a.pipeline(
          Array.from({ length: 20 }, () => ['EVALSHA', COUNT_SHA, 1, 'counted']),
        );
        for (const reply of replies) assert.equal(reply.toString(), `:${++counted}\r\n`);
      }
    })();
    const idBefore = await idOf(b);
    for (let round = 0; round < 3; round++) {
      const before = await gate.metric('evalgate_call_latency_seconds_count');
      await gate.replace(1, 'SIGKILL');
      if (round === 0) await b.closed();
      assert.ok((await gate.metric('evalgate_call_latency_seconds_count')) >= before, 'a total fell');
    }
    isOver = true;
    await counting;
    const [, replacement] = await gate.clientOfEach();
    assert.ok(replacement);
    assert.ok((await idOf(replacement)) > idBefore, 'no id comes twice');
    assert.match(
      gate.program.out,
      /"worker":1,"worker_pid":\d+,"code":null,"signal":"SIGKILL".*another takes its place/,
    );
    assert.equal(gate.program.err, '');
  });

  it('loses no client that comes meanwhile: whoever connects is served by another', async (t) => {
    const gate = await Gate.start(t);
    let isOver = false;
    let served = 0;
    const connecting = Array.from({ length: 4 }, async () => {
      while (!isOver) {
        const client = await RawClient.connect(gate.port);
        // A worker that took it may die before it answers: then the connection ends. It must not hang.
        const reply = await Promise.race([client.text('PING').catch(() => 'closed'), pause(5000, 'hangs')]);
        assert.notEqual(reply, 'hangs');
        if (reply === '+PONG\r\n') served++;
        client.close();
      }
    });
    for (let round = 0; round < 6; round++) await gate.replace(round % WORKERS, 'SIGKILL');
    isOver = true;
    await Promise.all(connecting);
    assert.ok(served > 100, `${served} were served`);
  });

  it('all at once: clients wait for the first that takes a place, at the same port', async (t) => {
    const gate = await Gate.start(t);
    for (const pid of gate.pids) process.kill(pid, 'SIGKILL');
    await waitFor('no worker serves', async () => (await ask(gate.admin, '/readyz')).status === 503);
    const client = await gate.connect();
    assert.equal(await client.text('PING'), '+PONG\r\n');
  });

  it('by SIGTERM answers what is in flight first', async (t) => {
    const gate = await Gate.start(t);
    const [, b] = await gate.clientOfEach();
    assert.ok(b);
    const owner = await ownerOf(cluster, slotOfKey('slow'));
    const answer = b.text('EVAL', SLOW_SCRIPT, 1, 'slow');
    await waitFor('it runs', async () => /cmd=eval/.test(String(await owner.client().client('LIST'))));
    const replaced = gate.replace(1, 'SIGTERM');
    assert.equal(await answer, '$-1\r\n');
    await b.closed();
    await replaced;
    await gate.clientOfEach();
    assert.match(gate.program.out, /"worker":1,"worker_pid":\d+,"code":0,/);
  });
});

describe('workers: reload and stop', () => {
  it('a reload is for all workers or for none', async (t) => {
    const gate = await Gate.start(t);
    const clients = await gate.clientOfEach();
    const keyless = async () => Promise.all(clients.map((client) => client.text('EVAL', 'return 7', 0)));
    const refusal = "-ERR for redis cluster, eval/evalsha number of keys can't be negative or zero\r\n";
    assert.deepEqual(await keyless(), [refusal, refusal]);
    configFile({ scripting: { keyless_scripts: 'route' }, log: { level: 'info' } }, gate.file);
    const changed = await ask(gate.admin, '/api/reload', { method: 'POST' });
    assert.deepEqual([changed.status, changed.json.kind], [200, 'changed'], changed.text);
    assert.deepEqual(await keyless(), [':7\r\n', ':7\r\n']);

    const bad = join(folder, 'bad.lua');
    writeFileSync(bad, 'return redis.call(KEYS[1])');
    configFile({ scripting: { preload: [bad] } }, gate.file);
    const refused = await ask(gate.admin, '/api/reload', { method: 'POST' });
    assert.equal(refused.status, 409);
    assert.match(refused.text, /bad\.lua:1:/);
    configFile({ workers: 3 }, gate.file);
    assert.match(
      (await ask(gate.admin, '/api/reload', { method: 'POST' })).text,
      /workers cannot change without a restart: 2 → 3/,
    );
    assert.deepEqual(await keyless(), [':7\r\n', ':7\r\n']);

    const good = join(folder, 'good.lua');
    writeFileSync(good, "return 'preloaded'");
    configFile({ scripting: { preload: [good] } }, gate.file);
    gate.program.signal('SIGHUP');
    await waitFor('all go by it', async () => (await keyless()).every((reply) => reply === refusal));
    for (const client of clients) {
      assert.equal(await client.text('EVALSHA', shaOf("return 'preloaded'"), 1, 'k'), '$9\r\npreloaded\r\n');
    }
    // Who comes later goes by the config in force.
    await gate.replace(0, 'SIGKILL');
    for (const client of await gate.clientOfEach()) assert.equal(await client.text('EVAL', 'return 7', 0), refusal);
  });

  it('SIGTERM: what is in flight is answered at every worker, idle clients are closed at once, exit code 0', async (t) => {
    const gate = await Gate.start(t);
    const busy = await gate.clientOfEach();
    const idle = await gate.clientOfEach();
    const pids = gate.pids;
    const answers = busy.map((client) => client.text('EVAL', SLOW_SCRIPT, 1, 'slow'));
    const owner = await ownerOf(cluster, slotOfKey('slow'));
    await waitFor('it runs', async () => /cmd=eval/.test(String(await owner.client().client('LIST'))));
    gate.program.signal('SIGTERM');
    assert.deepEqual(await Promise.all(answers), ['$-1\r\n', '$-1\r\n']);
    for (const client of [...busy, ...idle]) await client.closed();
    assert.equal(await gate.program.ended(), 0);
    assert.equal(gate.program.err, '');
    assert.deepEqual(pids.filter(isAlive), []);
  });

  it('workers do not outlive the process that has them', async (t) => {
    const gate = await Gate.start(t);
    await gate.clientOfEach();
    const { pids } = gate;
    assert.equal(pids.length, WORKERS);
    gate.program.signal('SIGKILL');
    await gate.program.ended();
    await waitFor('they are gone', () => !pids.some(isAlive));
  });

  it('one clear line and exit code 1 when the workers cannot start', async (t) => {
    const other = createServer().listen(0, '127.0.0.1');
    await once(other, 'listening');
    t.after(() => other.close());
    const { port } = other.address() as AddressInfo;
    const bad = join(folder, 'refused.lua');
    writeFileSync(bad, 'return redis.call(KEYS[1])');
    for (const [sections, wanted] of [
      [{ listen: { port } }, new RegExp(`^Cannot listen on 127\\.0\\.0\\.1:${port}: the address is in use\\n$`)],
      [{ scripting: { preload: [bad] } }, /^Cannot [^\n]*refused\.lua:1:[^\n]*\n$/],
    ] as const) {
      const program = new Program('serve', '--config', configFile(sections));
      t.after(() => program.stop());
      assert.equal(await program.ended(), 1);
      assert.match(program.err, wanted);
    }
  });
});
