/**
 * The admin port with a real cluster behind: every endpoint tells what was done, and nobody gets in who should not.
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { after, before, describe, it } from 'node:test';
import { AdminServer } from '../../src/control/admin/admin-server.ts';
import type { AdminHost } from '../../src/control/admin/source.ts';
import { LocalCluster } from '../../src/control/local-cluster.ts';
import type { ProxyServer } from '../../src/control/proxy.ts';
import { adminPort, ask } from '../support/admin.ts';
import { RawClient } from '../support/client.ts';
import { freeze, slotOfKey, thaw, waitFor } from '../support/cluster.ts';
import { Gateway, startProxy } from '../support/gateway.ts';
import { shaOf } from '../support/stand.ts';

/** The value of a metric; its labels in the order in which they are written. */
function metric(text: string, name: string): number {
  const line = text.split('\n').find((one) => one.startsWith(`${name} `));
  assert.ok(line, `there is no ${name}`);
  return Number(line.slice(name.length + 1));
}

const COUNT = "-- counts\nreturn redis.call('INCR', KEYS[1])";
const SLOW_SCRIPT = "for i = 1, 3e6 do local x = i end return redis.call('GET', KEYS[1])";
const REFUSED = "local x = 1\nreturn redis.call(ARGV[1], 'k')";

describe('the admin port', () => {
  let gateway: Gateway;
  let client: RawClient;
  const get = (path: string) => ask(adminPort(gateway.proxy), path);
  const metrics = async () => (await get('/metrics')).text;

  before(async () => {
    gateway = await Gateway.start({ masters: 3, replicas: 0, nodeTimeoutMs: 15_000 }, { admin: { port: 0 } });
    client = await RawClient.connect(gateway.port);
  });
  after(async () => {
    client.close();
    await gateway.stop();
  });

  it('is healthy and ready', async () => {
    assert.deepEqual((await get('/healthz')).json, { status: 'ok' });
    const { status, json } = await get('/readyz');
    assert.deepEqual([status, json], [200, { status: 'ready' }]);
  });

  it('moves the metrics by what was done', async () => {
    const before = await metrics();
    await client.pipeline([
      ['SET', 'k', 'v'],
      ['GET', 'k'],
      ['GET', 'k'],
      ['LPUSH', 'k', 'x'],
      ['PING'],
      ['EVAL', COUNT, 1, 'n'],
      ['EVAL', COUNT, 1, 'n'],
      ['EVAL', REFUSED, 1, 'n', 'GET'],
      ['EVAL', "return redis.error_reply('MYOWN error')", 1, 'n'],
      ['PUBLISH', 'c', 'm'],
    ]);
    const after = await metrics();
    const moved = (name: string) => metric(after, name) - metric(before, name);
    const requests = (kind: string) => moved(`evalgate_requests_total{class="${kind}"}`);
    assert.deepEqual(
      ['read', 'write', 'local', 'script', 'refused', 'pubsub', 'admin'].map(requests),
      [2, 2, 1, 3, 1, 1, 0],
    );
    const errors = (code: string) => moved(`evalgate_errors_total{code="${code}"}`);
    assert.deepEqual(['WRONGTYPE', 'ERR', 'other', 'NOSCRIPT'].map(errors), [1, 1, 1, 0]);
    assert.equal(metric(after, 'evalgate_script_refusals_total{rule="literal",mode="refuse"}'), 1);
    assert.equal(moved('evalgate_call_latency_seconds_count'), 3);
    assert.equal(moved('evalgate_eval_bytes_saved_total'), COUNT.length - 40);
    assert.equal(metric(after, 'evalgate_registry_scripts{origin="eval"}'), 2);
    assert.equal(metric(after, 'evalgate_registry_scripts{origin="load"}'), 0);
    assert.equal(metric(after, 'evalgate_topology_slots'), 16384);
    assert.equal(metric(after, 'evalgate_clients'), 1);
    assert.ok(metric(after, 'process_resident_memory_bytes') > 1e6);
  });

  it('counts a request once that waits until nothing of its session is in flight', async () => {
    const user = await RawClient.connect(gateway.port);
    for (const node of gateway.cluster.masters) {
      await node.client().call('ACL', 'SETUSER', 'counted', 'on', '>pw', '~*', '&*', '+@all');
    }
    const before = await metrics();
    await user.pipeline([
      ['GET', 'k'],
      ['AUTH', 'counted', 'pw'],
      ['GET', 'k'],
      ['WATCH', 'w'],
      ['MULTI'],
      ['PING'],
      ['EXEC'],
      ['GET', 'k'],
      ['MULTI'],
      ['DISCARD'],
      ['RPUSH', 'w', 'x'],
      ['BLPOP', 'w', '0'],
      ['GET', 'k'],
      ['CLIENT', 'LIST'],
      ['GET', 'k'],
      ['HELLO', '2'],
      ['GET', 'k'],
      ['SUBSCRIBE', 'c'],
    ]);
    const after = await metrics();
    const kinds = ['read', 'write', 'local', 'transaction', 'pubsub', 'admin', 'refused', 'other', 'script'];
    const counted = kinds.map((kind) => {
      const name = `evalgate_requests_total{class="${kind}"}`;
      return [kind, metric(after, name) - metric(before, name)] as const;
    });
    const total = counted.reduce((sum, [, count]) => sum + count, 0);
    assert.equal(total, 18, JSON.stringify(counted));
    user.close();
  });

  it('has a latency histogram for every node, and for no others', async () => {
    const key = 'latency';
    const { address } = ownerOf(gateway, key);
    const name = `evalgate_node_latency_seconds_count{node="${address}"}`;
    for (const node of gateway.cluster.nodes) await client.command('SET', keyOf(gateway, node.address), 'x');
    const before = metric(await metrics(), name);
    await client.pipeline(Array.from({ length: 25 }, () => ['GET', key]));
    const text = await metrics();
    assert.equal(metric(text, name) - before, 25);
    const nodes = [...text.matchAll(/^evalgate_node_latency_seconds_count\{node="([^"]+)"\}/gm)].map(
      (match) => match[1],
    );
    assert.deepEqual(nodes.sort(), gateway.cluster.nodes.map((node) => node.address).sort());
    const buckets = [...text.matchAll(/^evalgate_node_latency_seconds_bucket\{node="([^"]+)",le="([^"]+)"\} (\d+)$/gm)]
      .filter((match) => match[1] === address)
      .map((match) => Number(match[3]));
    assert.deepEqual(
      buckets,
      [...buckets].sort((a, b) => a - b),
      'cumulative',
    );
    assert.equal(buckets.at(-1), metric(text, name));
  });

  it('/metrics is text that Prometheus reads: help, type, values, nothing twice', async () => {
    const { headers, text } = await get('/metrics');
    assert.match(String(headers['content-type']), /^text\/plain; version=0\.0\.4/);
    const names = new Set<string>();
    for (const line of text.split('\n').filter((one) => one !== '' && !one.startsWith('#'))) {
      assert.match(line, /^[a-z_:][a-z0-9_:]*(\{[a-z_]+="[^"]*"(,[a-z_]+="[^"]*")*\})? -?[0-9.e+-]+$/i, line);
      const name = line.slice(0, line.lastIndexOf(' '));
      assert.equal(names.has(name), false, `${name} is there twice`);
      names.add(name);
    }
    assert.ok(names.size > 100);
  });

  it('/api/scripts tells calls, errors, latencies and nodes; sorted, searched, in pages', async () => {
    const bodies = [
      "return redis.call('SET', KEYS[1], 'alpha')",
      "-- the beta script\nreturn redis.call('GET', KEYS[1])",
    ];
    await client.command('SCRIPT', 'LOAD', bodies[1] as string);
    for (let i = 0; i < 7; i++) await client.command('EVAL', bodies[0] as string, 1, 'a');
    await client.command('EVALSHA', shaOf(bodies[1] as string), 1, 'a');
    await client.command('LPUSH', 'list', 'x');
    for (let i = 0; i < 3; i++) await client.command('EVALSHA', shaOf(bodies[1] as string), 1, 'list');
    const { json } = await get('/api/scripts?sort=errors');
    const [first] = json.scripts;
    assert.equal(first.sha, shaOf(bodies[1] as string));
    assert.deepEqual(
      [first.title, first.origin, first.calls, first.errors, first.bytes, first.readOnly, first.finding],
      ['the beta script', 'load', 4, 3, bodies[1]?.length, true, null],
    );
    assert.ok(first.p50Ms > 0 && first.p99Ms >= first.p50Ms, JSON.stringify(first));
    assert.ok(first.nodes.includes(ownerOf(gateway, 'a').address));
    const byCalls = (await get('/api/scripts')).json.scripts.map((row: { calls: number }) => row.calls);
    assert.deepEqual(
      byCalls,
      [...byCalls].sort((a, b) => b - a),
    );
    const upwards = (await get('/api/scripts?sort=bytes&order=asc')).json.scripts.map(
      (row: { bytes: number }) => row.bytes,
    );
    assert.deepEqual(
      upwards,
      [...upwards].sort((a, b) => a - b),
    );
    const found = (await get('/api/scripts?q=BETA')).json;
    assert.deepEqual([found.matching, found.scripts.length, found.scripts[0].sha], [1, 1, first.sha]);
    assert.equal((await get(`/api/scripts?q=${first.sha.slice(0, 8)}`)).json.matching, 1);
    const page = (await get('/api/scripts?limit=1&offset=1')).json;
    assert.deepEqual([page.total, page.scripts.length, page.offset], [json.total, 1, 1]);
    assert.equal((await get('/api/scripts?offset=1000')).json.scripts.length, 0);
  });

  it('/api/scripts sorts by what a row shows, both ways', async () => {
    await client.command('SCRIPT', 'LOAD', "return redis.call('GET', KEYS[1]) -- was never called");
    await client.command('EVAL', "return redis.call('SET', KEYS[1], 'omega')", 1, 'a');
    interface Row {
      readonly title: string;
      readonly sha: string;
      readonly origin: string;
      readonly readOnly: boolean | null;
      readonly nodes: readonly string[];
      readonly p99Ms: number | null;
    }
    const shown: Record<string, (row: Row) => string | number> = {
      title: ({ title }) => title.toLowerCase(),
      sha: ({ sha }) => sha,
      origin: ({ origin }) => origin,
      access: ({ readOnly }) => [false, true, null].indexOf(readOnly),
      nodes: ({ nodes }) => nodes.length,
      p99: ({ p99Ms }) => p99Ms ?? -1,
    };
    for (const [sort, shownBy] of Object.entries(shown)) {
      const upwards = (await get(`/api/scripts?sort=${sort}&order=asc`)).json.scripts.map(shownBy);
      assert.ok(new Set(upwards).size > 1, `${sort}: ${upwards}`);
      const inOrder = [...upwards].sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));
      assert.deepEqual(upwards, inOrder, sort);
      const downwards = (await get(`/api/scripts?sort=${sort}&order=desc`)).json.scripts.map(shownBy);
      assert.deepEqual(downwards, inOrder.reverse(), sort);
    }
    assert.equal((await get('/api/scripts?sort=finding')).status, 200);
  });

  it('/api/scripts/{sha} has the source; an unknown one is 404, what is no sha 400', async () => {
    await client.command('EVAL', COUNT, 1, 'n');
    const { json } = await get(`/api/scripts/${shaOf(COUNT).toUpperCase()}`);
    assert.deepEqual([json.sha, json.source, json.title, json.isSourceCut], [shaOf(COUNT), COUNT, 'counts', false]);
    assert.deepEqual([json.findings, json.notAnalysed], [[], null]);
    assert.equal((await get(`/api/scripts/${'0'.repeat(40)}`)).status, 404);
    assert.equal((await get('/api/scripts/xyz')).status, 400);
  });

  it('/api/clients tells who is there', async () => {
    const other = await RawClient.connect(gateway.port);
    await other.command('CLIENT', 'SETNAME', 'worker');
    await other.command('CLIENT', 'SETINFO', 'lib-name', 'mine');
    const { json } = await get('/api/clients');
    const found = json.clients.find((one: { name: string }) => one.name === 'worker');
    assert.deepEqual(
      [json.total, found.library, found.inFlight, found.paused, found.command],
      [2, 'mine', 0, false, 'client|setinfo'],
    );
    assert.ok(found.ageS >= 0 && found.ageS < 60 && found.idleS <= found.ageS, JSON.stringify(found));
    assert.match(found.address, /^127\.0\.0\.1:\d+$/);
    const second = (await get('/api/clients?limit=1&offset=1')).json;
    assert.deepEqual([second.total, second.clients.map((one: { id: number }) => one.id)], [2, [found.id]]);
    other.close();
  });

  it('scripts called inside EXEC count by script, and a slow EXEC stands in the slow log', async (t) => {
    const unchecked = await startProxy(gateway.cluster, { scripting: { script_check_enable: 0 }, admin: { port: 0 } });
    t.after(() => unchecked.stop());
    const own = await RawClient.connect(unchecked.address.port);
    t.after(() => own.close());
    const ofApi = (path: string) => ask(adminPort(unchecked), path);
    const rowOf = async (body: string) => (await ofApi(`/api/scripts/${shaOf(body)}`)).json;
    const fails = "return redis.call('LPUSH', KEYS[1], ARGV[1])";
    const slow = `for i = 1, 3e6 do local x = i end return redis.call('GET', KEYS[1])`;
    for (const body of [COUNT, fails]) await own.command('SCRIPT', 'LOAD', body);
    await own.command('DEL', 'tx');
    for (let round = 1; round <= 2; round++) {
      const replies = await own.pipeline([
        ['MULTI'],
        ['EVAL', COUNT, 1, 'tx'],
        ['SET', 'tx', round],
        ['EVALSHA', shaOf(COUNT), 1, 'tx'],
        ['EVALSHA', shaOf(fails), 1, 'tx', 'x'],
        ['EVAL', slow, 1, 'tx'],
        ['EXEC'],
        ['MULTI'],
        ['EVALSHA', shaOf(COUNT), 1, 'tx'],
        ['DISCARD'],
      ]);
      assert.match(String(replies[6]), /^\*5\r\n:\d+\r\n\+OK\r\n:\d+\r\n-WRONGTYPE/);
    }
    for (const [body, calls, errors] of [
      [COUNT, 4, 0],
      [fails, 2, 2],
      [slow, 2, 0],
    ] as const) {
      const row = await rowOf(body);
      assert.deepEqual([row.calls, row.errors, row.p50Ms, row.p99Ms], [calls, errors, null, null], body);
    }
    await own.command('EVALSHA', shaOf(COUNT), 1, 'tx');
    const measured = await rowOf(COUNT);
    assert.deepEqual([measured.calls, measured.errors, measured.p50Ms > 0], [5, 0, true]);
    const { json } = await ofApi('/api/slowlog');
    const shown = json.requests.map(({ args, sha, node }: Record<string, unknown>) =>
      JSON.stringify([args, sha, node]),
    );
    const exec = JSON.stringify([['EXEC'], null, ownerOf(gateway, 'tx').address]);
    assert.ok(shown.filter((one: string) => one === exec).length >= 2, shown.join('\n'));
    assert.ok(!shown.some((one: string) => one.startsWith('[[]')), 'all have arguments');
  });

  it('slow requests stand in SLOWLOG and /api/slowlog, those behind them do not', async () => {
    assert.equal(await client.text('SLOWLOG', 'RESET'), '+OK\r\n');
    assert.equal(await client.text('SLOWLOG', 'LEN'), ':0\r\n');
    await client.command('CLIENT', 'SETNAME', 'slow');
    await client.command('SET', 'n', '1');
    const long = 'x'.repeat(200);
    await client.pipeline([
      ['EVAL', SLOW_SCRIPT, 1, 'n', long],
      ['GET', 'n'],
      ['GET', 'n'],
    ]);
    const { json } = await get('/api/slowlog');
    assert.equal(json.requests.length, 1, JSON.stringify(json));
    const [slow] = json.requests;
    assert.deepEqual(slow.args, ['EVAL', SLOW_SCRIPT, '1', 'n', `${'x'.repeat(128)}... (72 more bytes)`]);
    assert.deepEqual(
      [slow.sha, slow.node, slow.clientName],
      [shaOf(SLOW_SCRIPT), ownerOf(gateway, 'n').address, 'slow'],
    );
    assert.ok(slow.ms >= 10 && slow.ms < 10_000, String(slow.ms));
    assert.equal(await client.text('SLOWLOG', 'LEN'), ':1\r\n');
    const reply = await client.text('SLOWLOG', 'GET');
    assert.match(
      reply,
      new RegExp(`^\\*1\r\n\\*6\r\n:${slow.id}\r\n:\\d{10}\r\n:${slow.ms * 1000}\r\n\\*5\r\n\\$4\r\nEVAL`),
    );
    assert.ok(reply.endsWith(`$${slow.clientAddress.length}\r\n${slow.clientAddress}\r\n$4\r\nslow\r\n`), reply);
    const events = (await get('/api/events')).json.events;
    const event = events.find((one: { kind: string }) => one.kind === 'slow_script');
    assert.deepEqual([event.sha, event.node, event.ms], [slow.sha, slow.node, slow.ms]);
  });

  it('SLOWLOG takes what Redis takes', async () => {
    const count = '-ERR count should be greater than or equal to -1\r\n';
    for (const wrong of ['-2', 'x', '']) assert.equal(await client.text('SLOWLOG', 'GET', wrong), count, wrong);
    assert.equal(await client.text('SLOWLOG', 'GET', '0'), '*0\r\n');
    assert.match(await client.text('SLOWLOG', 'GET', '-1'), /^\*\d+\r\n/);
    assert.match(
      await client.text('SLOWLOG', 'GET', '1', '2'),
      /^-ERR unknown subcommand or wrong number of arguments/,
    );
    assert.match(
      await client.text('SLOWLOG', 'LEN', 'x'),
      /^-ERR wrong number of arguments for 'slowlog\|len' command/,
    );
    assert.match(await client.text('SLOWLOG', 'HELP'), /SLOWLOG <subcommand>/);
    assert.match(await client.text('SLOWLOG', 'NOSUCH'), /^-ERR unknown subcommand/i);
  });

  it('heals and refusals are events', async () => {
    const body = "return redis.call('GET', KEYS[1]) -- healed";
    await client.command('SCRIPT', 'LOAD', body);
    await client.command('EVALSHA', shaOf(body), 1, 'n');
    for (const node of gateway.cluster.nodes) await node.client().call('SCRIPT', 'FLUSH');
    assert.match(await client.text('EVALSHA', shaOf(body), 1, 'n'), /^\$/);
    await client.command('EVAL', REFUSED, 1, 'n', 'GET');
    const { events } = (await get('/api/events')).json;
    const healed = events.find((one: { kind: string }) => one.kind === 'healed');
    assert.deepEqual([healed.sha, healed.node], [shaOf(body), ownerOf(gateway, 'n').address]);
    const refused = events.find((one: { kind: string }) => one.kind === 'refused');
    assert.deepEqual([refused.sha, refused.rule, refused.line], [shaOf(REFUSED), 'literal', 2]);
    assert.match(refused.text, /^ERR bad lua script/);
    assert.equal((await get('/api/events?limit=1')).json.events.length, 1);
    assert.ok(metric(await metrics(), 'evalgate_noscript_healed_total') >= 1);
  });

  it('/api/topology tells shards, slots and how nodes answer', async () => {
    const { json } = await get('/api/topology');
    assert.equal(json.slotsCovered, 16384);
    const covered = json.shards.flatMap((shard: { slots: [number, number][] }) => shard.slots);
    assert.deepEqual(covered.sort(([a]: [number], [b]: [number]) => a - b)[0]?.[0], 0);
    assert.equal(
      covered.reduce((sum: number, [from, to]: [number, number]) => sum + to - from + 1, 0),
      16384,
    );
    for (const { primary } of json.shards) {
      assert.deepEqual([primary.answers, primary.problem], [true, null]);
      assert.ok(primary.pingMs > 0 && primary.requests >= 0);
    }
  });

  it('/api/status and /api/history go by the seconds', async () => {
    const { json } = await get('/api/status');
    assert.deepEqual([json.ready, json.problem, json.shards, json.listen.port], [true, null, 3, gateway.port]);
    assert.ok(json.requests > 0 && json.scripts > 0 && json.memoryBytes > 1e6);
    await waitFor('a sample is there', async () => (await get('/api/history')).json.series.unixS.length > 0);
    const { stepMs, series } = (await get('/api/history')).json;
    assert.equal(stepMs, 5000);
    const lengths = Object.values(series as Record<string, unknown[]>).map((values) => values.length);
    assert.equal(new Set(lengths).size, 1, JSON.stringify(series));
    assert.equal(typeof (await get('/api/status')).json.requestsPerS, 'number');
  });

  it('/api/config shows the config in force', async () => {
    const { json } = await get('/api/config');
    assert.deepEqual(json.limits.max_clients, 10_000);
    assert.deepEqual(json.admin, { port: 0, host: '127.0.0.1' });
  });

  it('refuses what is not there, not allowed or out of range, as JSON and with headers that protect', async () => {
    const wrong: [method: string, path: string, status: number][] = [
      ['GET', '/nope', 404],
      ['GET', '/api', 404],
      ['GET', '/%2e%2e/etc/passwd', 404],
      ['GET', '/api/scripts/%', 400],
      ['POST', '/metrics', 405],
      ['DELETE', '/api/scripts', 405],
      ['PUT', `/api/scripts/${'0'.repeat(40)}`, 405],
      ['GET', '/api/scripts?limit=0', 400],
      ['GET', '/api/scripts?limit=1001', 400],
      ['GET', '/api/scripts?limit=1e9', 400],
      ['GET', '/api/scripts?limit=1&limit=2', 400],
      ['GET', '/api/scripts?sort=nope', 400],
      ['GET', '/api/scripts?offset=-1', 400],
      ['GET', `/api/scripts?q=${'x'.repeat(201)}`, 400],
      ['GET', '/api/scripts?bogus=1', 400],
      ['GET', '/api/clients?limit=x', 400],
      ['GET', '/api/slowlog?limit=129', 400],
    ];
    for (const [method, path, status] of wrong) {
      const answer = await ask(adminPort(gateway.proxy), path, { method });
      assert.equal(answer.status, status, `${method} ${path}: ${answer.text}`);
      assert.equal(typeof answer.json?.error, 'string', `${method} ${path}`);
      assert.equal(answer.headers['x-content-type-options'], 'nosniff', `${method} ${path}`);
      assert.equal(answer.headers['x-frame-options'], 'DENY');
      assert.match(String(answer.headers['content-security-policy']), /default-src 'self'/);
      if (status === 405) assert.equal(answer.headers['allow'], 'GET, HEAD');
    }
  });

  it('POST /api/reload tells what became of it; nothing else is taken there, and nothing from other sites', async () => {
    const results = [
      { kind: 'changed', changes: [] },
      { kind: 'refused', problems: ['listen.port needs a restart'] },
    ];
    const source = Object.assign(gateway.proxy, { reload: async () => results.shift() ?? { kind: 'unchanged' } });
    const admin = await AdminServer.start(source as AdminHost);
    const { port } = admin.address;
    const reload = (headers: object = {}) => ask(port, '/api/reload', { method: 'POST', headers });
    const [changed, refused, unchanged] = [await reload(), await reload(), await reload()];
    assert.deepEqual([changed.status, changed.json], [200, { kind: 'changed', changes: [] }]);
    assert.deepEqual([refused.status, refused.json.problems], [409, ['listen.port needs a restart']]);
    assert.deepEqual([unchanged.status, unchanged.json], [200, { kind: 'unchanged' }]);
    const wrong = await ask(port, '/api/reload');
    assert.deepEqual([wrong.status, wrong.headers['allow']], [405, 'POST']);
    assert.equal((await reload({ origin: 'https://evil.example' })).status, 403);
    assert.equal((await reload({ origin: 'null' })).status, 403);
    assert.equal((await reload({ origin: `http://127.0.0.1:${port}` })).status, 200);
    const large = { method: 'POST', headers: { 'content-type': 'application/json' }, body: `"${'x'.repeat(5000)}"` };
    assert.equal((await ask(port, '/api/reload', large)).status, 413);
    await admin.stop();
  });

  it('serves only the hosts of the port itself: no page gets here by a name that it points to 127.0.0.1', async () => {
    const port = adminPort(gateway.proxy);
    for (const host of ['127.0.0.1', `127.0.0.1:${port}`, `localhost:${port}`, `[::1]:${port}`, '10.1.2.3']) {
      assert.equal((await ask(port, '/api/config', { headers: { host } })).status, 200, host);
    }
    for (const host of [
      'evil.example',
      `evil.example:${port}`,
      '127.0.0.1.evil.example',
      'localhost.evil.example',
      '[x]',
    ]) {
      for (const path of ['/api/config', '/healthz', '/nope']) {
        assert.equal((await ask(port, path, { headers: { host } })).status, 403, host);
      }
    }
  });

  it('cuts requests that are too large, too slow or never end', async () => {
    const port = adminPort(gateway.proxy);
    const large = await ask(port, '/api/status', { headers: { 'x-large': 'x'.repeat(20_000) } });
    assert.equal(large.status, 431);
    const beginnings = [
      'GET /api/status HTTP/1.1\r\nHost: localhost\r\n',
      'GET /api/st',
      'POST /api/status HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\nabc',
      '',
    ];
    const startedAt = performance.now();
    await Promise.all(
      beginnings.map(async (beginning) => {
        const socket = connect(port, '127.0.0.1');
        socket.on('error', () => {});
        socket.resume();
        socket.write(beginning);
        await once(socket, 'close');
      }),
    );
    assert.ok(performance.now() - startedAt < 20_000, 'each was cut in time');
    const garbage = connect(port, '127.0.0.1');
    garbage.end('\x16\x03\x01 no http\r\n\r\n');
    const [reply] = await once(garbage, 'data');
    assert.match(String(reply), /^HTTP\/1\.1 400 /);
    assert.equal((await get('/healthz')).status, 200);
  });

  it('holds up no client, however many ask for the largest lists', async () => {
    for (let i = 0; i < 60; i++) {
      await client.pipeline(
        Array.from({ length: 100 }, (_, j) => ['EVAL', `return redis.call('GET', KEYS[1]) -- ${i * 100 + j}`, 1, 'n']),
      );
    }
    const asking = Array.from({ length: 50 }, (_, i) => get(`/api/scripts?limit=1000&sort=${i % 2 ? 'p99' : 'calls'}`));
    let worstMs = 0;
    let isDone = false;
    void Promise.all(asking).then(() => {
      isDone = true;
    });
    while (!isDone) {
      const startedAt = performance.now();
      await client.command('GET', 'n');
      worstMs = Math.max(worstMs, performance.now() - startedAt);
    }
    for (const answer of await Promise.all(asking)) assert.equal(answer.json.scripts.length, 1000);
    // The requests and their JSON are made in this very process too, so this is far from tight.
    assert.ok(worstMs < 1000, `a GET took ${worstMs} ms`);
  });
});

describe('the admin port with a token', () => {
  let cluster: LocalCluster;
  let proxy: ProxyServer;

  before(async () => {
    cluster = await LocalCluster.start({ masters: 1, replicas: 0, nodeTimeoutMs: 15_000 });
    proxy = await startProxy(cluster, {
      admin: { port: 0, token: 'open sesame' },
      scripting: { script_check_enable: 0 },
    });
  });
  after(async () => {
    await proxy.stop();
    await cluster.stop();
  });

  it('wants it for everything but /healthz and the files of the page', async () => {
    const port = adminPort(proxy);
    for (const path of ['/healthz', '/readyz', '/', '/page/main.js']) {
      assert.equal((await ask(port, path)).status, 200, path);
    }
    for (const path of ['/metrics', '/api/status', '/api/config', '/nope', '/page/', '/page/nope']) {
      for (const authorization of [
        undefined,
        'Bearer wrong',
        'Bearer ',
        'Bearer open',
        'Basic b3BlbiBzZXNhbWU=',
        'open sesame',
      ]) {
        const headers = authorization === undefined ? {} : { authorization };
        const { status, headers: got } = await ask(port, path, { headers });
        assert.deepEqual([status, got['www-authenticate']], [401, 'Bearer'], `${path} ${authorization}`);
      }
    }
    const headers = { authorization: 'Bearer open sesame' };
    for (const path of ['/readyz', '/metrics', '/api/status']) {
      assert.equal((await ask(port, path, { headers })).status, 200, path);
    }
    const config = await ask(port, '/api/config', { headers });
    assert.equal(config.text.includes('sesame'), false);
    assert.equal(config.json.admin.token, '***');
  });

  it('has all findings of a script with their lines, although the checks are off', async () => {
    const headers = { authorization: 'Bearer open sesame' };
    const body = `if KEYS[2] then redis.call('NOSUCH', KEYS[2]) end\n${REFUSED} -- <script>alert(1)</script>`;
    const client = await RawClient.connect(proxy.address.port);
    assert.equal(await client.text('EVAL', body, 1, 'k', 'EXISTS'), ':0\r\n');
    client.close();
    const { json } = await ask(adminPort(proxy), `/api/scripts/${shaOf(body)}`, { headers });
    const places = json.findings.map(({ rule, line }: { rule: string; line: number }) => `${line} ${rule}`);
    assert.deepEqual(places, ['1 unknown-command', '3 literal']);
    assert.match(json.findings[1].sourceLine, /^return redis\.call\(ARGV/);
    assert.equal(json.source, body);
    const [row] = (await ask(adminPort(proxy), '/api/scripts', { headers })).json.scripts;
    assert.deepEqual([row.sha, row.calls, row.readOnly, row.finding], [shaOf(body), 1, null, null]);
  });

  it('serves any Host, as the token tells who may', async () => {
    const headers = { authorization: 'Bearer open sesame', host: 'evalgate.internal:9000' };
    assert.equal((await ask(adminPort(proxy), '/api/status', { headers })).status, 200);
  });
});

describe('/readyz', () => {
  it('is 503 with the reason while a master is gone, and 200 when it is back', async () => {
    const gateway = await Gateway.start({ masters: 3, replicas: 0, nodeTimeoutMs: 2000 }, { admin: { port: 0 } });
    try {
      const port = adminPort(gateway.proxy);
      const node = gateway.cluster.nodes[1];
      assert.ok(node);
      assert.equal((await ask(port, '/readyz')).status, 200);
      freeze(node);
      await waitFor('not ready', async () => (await ask(port, '/readyz')).status === 503);
      const { json } = await ask(port, '/readyz');
      assert.equal(json.status, 'not ready');
      assert.match(json.reason, new RegExp(`${node.address}|slots have no primary`));
      assert.equal((await ask(port, '/healthz')).status, 200);
      const { shards } = (await ask(port, '/api/topology')).json;
      const frozen = shards.find((shard: { primary: { address: string } }) => shard.primary.address === node.address);
      assert.equal(frozen.primary.answers, false);
      assert.equal((await ask(port, '/api/status')).json.problem, json.reason);
      thaw(node);
      await waitFor('ready again', async () => (await ask(port, '/readyz')).status === 200);
    } finally {
      await gateway.stop();
    }
  });

  it('is there, and not ready, before the cluster is', async () => {
    const cluster = await LocalCluster.start({ masters: 1, replicas: 0, nodeTimeoutMs: 15_000 });
    const [node] = cluster.nodes;
    assert.ok(node);
    await cluster.stopNode(node, 'SIGKILL');
    const proxy = await startProxy(cluster, { admin: { port: 0 }, log: { level: 'silent' } });
    try {
      const { status, json } = await ask(adminPort(proxy), '/readyz');
      assert.deepEqual([status, json.status], [503, 'not ready']);
      assert.match(json.reason, /^no node of the cluster answers/);
    } finally {
      await proxy.stop();
      await cluster.stop();
    }
  });

  it('is 503 while evalgate stops, until it has', async () => {
    const gateway = await Gateway.start({ masters: 1, replicas: 0, nodeTimeoutMs: 15_000 }, { admin: { port: 0 } });
    const client = await RawClient.connect(gateway.port);
    const port = adminPort(gateway.proxy);
    const slow = "for i = 1, 5e7 do local x = i end return redis.call('GET', KEYS[1])";
    const reply = client.command('EVAL', slow, 1, 'k');
    await waitFor('the script runs', async () => (await ask(port, '/api/clients')).json.clients[0]?.inFlight === 1);
    const stopped = gateway.stop();
    const { status, json } = await ask(port, '/readyz');
    assert.deepEqual([status, json.reason], [503, 'evalgate is stopping']);
    await reply;
    client.close();
    await stopped;
    await assert.rejects(ask(port, '/readyz'), { code: 'ECONNREFUSED' });
  });

  it('tells clearly when the port is taken', async () => {
    const gateway = await Gateway.start({ masters: 1, replicas: 0, nodeTimeoutMs: 15_000 }, { admin: { port: 0 } });
    try {
      const port = adminPort(gateway.proxy);
      await assert.rejects(startProxy(gateway.cluster, { admin: { port } }), {
        message: `Cannot listen on 127.0.0.1:${port} for admin: the address is in use`,
      });
    } finally {
      await gateway.stop();
    }
  });
});

function ownerOf({ proxy, cluster }: Gateway, key: string) {
  const address = proxy.topology.bySlot[slotOfKey(key)]?.primary.address;
  const node = cluster.nodes.find((one) => one.address === address);
  assert.ok(node, `nobody owns ${key}`);
  return node;
}

/** Some key that lies on the node. */
function keyOf(gateway: Gateway, address: string): string {
  for (let i = 0; ; i++) if (ownerOf(gateway, `key${i}`).address === address) return `key${i}`;
}
