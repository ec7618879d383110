/**
 * A reload of a running proxy: every key takes effect for those who are connected already, a bad file changes nothing,
 * and no request notices.
 */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it, type TestContext } from 'node:test';
import { type ConfigInput, loadConfig } from '../../src/control/config.ts';
import { LocalCluster } from '../../src/control/local-cluster.ts';
import { createLogger } from '../../src/control/log.ts';
import { ProxyServer } from '../../src/control/proxy.ts';
import { RawClient } from '../support/client.ts';
import { tagInSlot, waitFor } from '../support/cluster.ts';
import { COUNT_SCRIPT, Load, sum } from '../support/load.ts';
import { Program } from '../support/program.ts';
import { error, shaOf } from '../support/stand.ts';

const NESTED = "return redis.call('SET', KEYS[1], redis.call('GET', KEYS[1]))";
const NESTED_ERROR = error('ERR bad lua script for redis cluster, nested redis.call/redis.pcall');

type Sections = { readonly [K in keyof ConfigInput]?: Partial<ConfigInput[K]> };

describe('reload', () => {
  const folder = mkdtempSync(join(tmpdir(), 'evalgate-reload-'));
  let cluster: LocalCluster;
  let files = 0;
  before(async () => {
    cluster = await LocalCluster.start({ replicas: 0, config: { 'lua-time-limit': '100' } });
  });
  after(async () => {
    rmSync(folder, { recursive: true });
    await cluster.stop();
  });

  function write(file: string, sections: Sections): void {
    const whole = {
      ...sections,
      listen: { port: 0, ...sections.listen },
      cluster: { nodes: cluster.seeds, ...sections.cluster },
    };
    writeFileSync(file, JSON.stringify(whole));
  }

  async function start(t: TestContext, sections: Sections = {}) {
    const file = join(folder, `${files++}.yaml`);
    write(file, sections);
    const lines: Record<string, unknown>[] = [];
    const config = loadConfig(file, {});
    const log = createLogger(config.log, { write: (line) => lines.push(JSON.parse(line)) });
    const proxy = await ProxyServer.start(config, log, { readConfig: () => loadConfig(file, {}) });
    t.after(() => proxy.stop());
    const client = await RawClient.connect(proxy.address.port);
    t.after(() => client.close());
    const reload = async (next: Sections) => {
      write(file, next);
      return await proxy.reload();
    };
    return { file, proxy, client, lines, reload };
  }

  it('changes the Lua checks for those who are connected', async (t) => {
    const { client, reload } = await start(t);
    const evalNested = () => client.text('EVAL', NESTED, 1, 'k');
    await client.text('SET', 'k', 'v');
    assert.equal(await evalNested(), NESTED_ERROR);
    await reload({ scripting: { script_check_enable: 0 } });
    assert.equal(await evalNested(), '+OK\r\n');
    await reload({ scripting: { script_check_enable: 1 } });
    assert.equal(await evalNested(), NESTED_ERROR);
    await reload({ scripting: { script_check_exempt: [shaOf(NESTED)] } });
    assert.equal(await evalNested(), '+OK\r\n');
    const keyless = () => client.text('EVAL', 'return 1', 0);
    assert.match(await keyless(), /^-ERR for redis cluster/);
    await reload({ scripting: { keyless_scripts: 'route' } });
    assert.equal(await keyless(), ':1\r\n');
  });

  it('changes limits for those who are connected', async (t) => {
    const { proxy, client, reload } = await start(t);
    await reload({ limits: { max_clients: 1, max_request_bytes: 1024 } });
    const second = await RawClient.connect(proxy.address.port);
    assert.equal((await second.reply()).toString(), error('ERR max number of clients reached'));
    client.send('*2\r\n$3\r\nGET\r\n$2000\r\n');
    // The byte behind the line, as for Redis.
    client.send('x');
    assert.match((await client.reply()).toString(), /^-ERR .*(max_request_bytes|bulk length)/);
  });

  it('changes what the registry may hold', async (t) => {
    const { proxy, client, reload } = await start(t);
    for (let i = 0; i < 20; i++) await client.text('EVAL', `return '${'x'.repeat(500)}${i}'`, 1, 'k');
    assert.equal(proxy.registry.count, 20);
    await reload({ scripting: { registry_max_bytes: 4096 } });
    assert.ok(proxy.registry.bytes <= 4096 && proxy.registry.count > 0, `${proxy.registry.count} scripts`);
  });

  it('stops turning EVAL into EVALSHA', async (t) => {
    const { client, reload } = await start(t);
    const calls = async () => {
      const stats = await Promise.all(cluster.masters.map((node) => node.client().info('commandstats')));
      return stats
        .join('')
        .match(/cmdstat_evalsha:calls=(\d+)/g)
        ?.reduce((n, text) => n + Number(text.split('=')[1]), 0);
    };
    const twice = async () => {
      for (let i = 0; i < 2; i++) await client.text('EVAL', COUNT_SCRIPT, 1, 'twice');
    };
    await twice();
    await reload({ scripting: { eval_to_evalsha: false } });
    const before = await calls();
    await twice();
    assert.equal(await calls(), before);
  });

  it('sets an end to a script that runs already', async (t) => {
    const { client, reload } = await start(t);
    const answer = client.text('EVAL', "while true do redis.call('GET', KEYS[1]) end", 1, 'endless');
    await reload({ scripting: { max_run_ms: 200 } });
    assert.match(await answer, /^-ERR .*Script killed by user/);
  });

  it('loads new preload files on the nodes, and refuses all for one that is bad', async (t) => {
    const { client, proxy, reload } = await start(t);
    const scripts = mkdtempSync(join(folder, 'scripts-'));
    const body = "return redis.call('GET', KEYS[1]) -- preloaded by a reload";
    writeFileSync(join(scripts, 'good.lua'), body);
    const outcome = await reload({ scripting: { preload: [scripts] } });
    assert.ok(outcome.kind === 'changed');
    assert.deepEqual(outcome.changes.at(-1), {
      key: `scripting.preload ${join(scripts, 'good.lua')}`,
      from: 'not loaded',
      to: shaOf(body),
    });
    for (const node of cluster.masters) assert.deepEqual(await node.client().script('EXISTS', shaOf(body)), [1]);
    assert.equal(await client.text('EVALSHA', shaOf(body), 1, 'nothing'), '$-1\r\n');
    assert.equal((await proxy.reload()).kind, 'unchanged');

    for (const [name, text, wanted] of [
      ['refused.lua', NESTED, /refused\.lua:1:\d+: nested/],
      ['broken.lua', 'return return', /broken\.lua:1:\d+: does not compile/],
    ] as const) {
      writeFileSync(join(scripts, name), text);
      const next = { scripting: { preload: [scripts], keyless_scripts: 'route' } } as const;
      const checks = name === 'broken.lua' ? ({ script_check_enable: 0 } as const) : {};
      const refused = await reload({ scripting: { ...next.scripting, ...checks } });
      assert.ok(refused.kind === 'refused');
      assert.match(refused.problems.join('\n'), wanted);
      assert.match(await client.text('EVAL', 'return 1', 0), /^-ERR for redis cluster/, 'nothing else changed either');
      rmSync(join(scripts, name));
    }
  });

  it('refuses preload files that do not fit, before anything is switched', async (t) => {
    const { proxy, reload } = await start(t);
    const scripts = mkdtempSync(join(folder, 'scripts-'));
    for (let i = 0; i < 4; i++) writeFileSync(join(scripts, `${i}.lua`), `return ${i} -- ${'x'.repeat(900)}`);
    const outcome = await reload({ scripting: { preload: [scripts], registry_max_bytes: 4096 } });
    assert.ok(outcome.kind === 'refused');
    assert.match(outcome.problems.join(), /registry is full/);
    assert.equal(proxy.registry.count, 0);
    assert.equal(proxy.registry.maxBytes, 67108864);
  });

  it('follows seeds to another cluster, and back', async (t) => {
    const other = await LocalCluster.start({ masters: 1, replicas: 0 });
    t.after(() => other.stop());
    const { client, proxy, reload } = await start(t);
    await client.text('SET', 'where', 'first');
    await reload({ cluster: { nodes: other.seeds } });
    await waitFor('the other cluster is known', () => proxy.topology.shards.length === 1);
    assert.equal(await client.text('GET', 'where'), '$-1\r\n');
    await reload({});
    await waitFor('the first cluster is known', () => proxy.topology.shards.length === 3);
    assert.equal(await client.text('GET', 'where'), '$5\r\nfirst\r\n');
  });

  it('goes by another nat_map', async (t) => {
    const [real] = cluster.seeds;
    assert.ok(real);
    const { client, proxy, reload } = await start(t);
    const port = Number(real.split(':')[1]);
    await reload({ cluster: { nat_map: { [real]: `localhost:${port}` } } });
    await waitFor('the address is mapped', () =>
      [...proxy.topology.nodes.values()].some(({ host }) => host === 'localhost'),
    );
    assert.equal(await client.text('SET', 'mapped', '1'), '+OK\r\n');
  });

  it('refuses a bad file, and keys that need a restart; tells each and keeps everything', async (t) => {
    const { file, client, proxy, lines, reload } = await start(t);
    writeFileSync(file, 'listen: {port: 70000, hots: x}');
    const bad = await proxy.reload();
    assert.ok(bad.kind === 'refused');
    assert.equal(bad.problems.length, 3, bad.problems.join('\n'));
    const told = lines.filter(({ msg }) => msg === 'reload refused: nothing has changed');
    assert.deepEqual(
      told.map(({ problem }) => problem),
      bad.problems,
    );
    const outcome = await reload({
      listen: { port: 1 },
      log: { format: 'pretty' },
      scripting: { keyless_scripts: 'route' },
    });
    assert.ok(outcome.kind === 'refused');
    assert.deepEqual(outcome.problems, [
      'listen.port cannot change without a restart: 0 → 1',
      'log.format cannot change without a restart: json → pretty',
    ]);
    assert.match(await client.text('EVAL', 'return 1', 0), /^-ERR for redis cluster/);
    rmSync(file);
    assert.equal((await proxy.reload()).kind, 'refused');
    assert.equal(await client.text('PING'), '+PONG\r\n');
  });

  it('shows no secret', async (t) => {
    const { lines, reload } = await start(t);
    await reload({ cluster: { password: 'hidden-one' } });
    const told = JSON.stringify(lines);
    assert.ok(told.includes('cluster.password cannot change without a restart: none → ***'), told);
    assert.ok(!told.includes('hidden-one'));
  });

  it('drops no request and no connection', async (t) => {
    const { proxy, reload } = await start(t);
    const keys = [1, 6000, 12000].map((slot) => `${tagInSlot(slot)}:reload`);
    const client = await RawClient.connect(proxy.address.port);
    await client.text('SCRIPT', 'LOAD', COUNT_SCRIPT);
    client.close();
    const load = await Load.start({ port: proxy.address.port, keys });
    const variants: Sections[] = [
      { scripting: { script_check_enable: 'observe', eval_to_evalsha: false } },
      { cluster: { nodes: [...cluster.seeds].reverse(), connections_per_node: 2, refresh_interval_ms: 500 } },
      { scripting: { script_check_profile: 'safe' }, limits: { in_flight_per_client: 3 } },
      { scripting: { registry_max_bytes: 8192 }, cluster: { connect_timeout_ms: 500 } },
      {},
    ];
    for (let round = 0; round < 4; round++) {
      for (const variant of variants) {
        assert.equal((await reload(variant)).kind, 'changed');
        const target = load.rounds + 20;
        await waitFor('the load goes on', () => load.rounds > target);
      }
    }
    const books = await load.stop();
    assert.deepEqual([...books.errors], []);
    const counted = await Promise.all(
      keys.map(async (key) => {
        const reader = await RawClient.connect(proxy.address.port);
        const text = await reader.text('GET', key);
        reader.close();
        return Number(text.split('\r\n')[1]);
      }),
    );
    assert.equal(
      counted.reduce((total, count) => total + count, 0),
      sum(books.acknowledged),
    );
  });

  it('reloads on SIGHUP and when a symbolic link is swapped, as a process', async (t) => {
    for (const version of ['one', 'two']) mkdirSync(join(folder, version));
    write(join(folder, 'one', 'evalgate.yaml'), {});
    write(join(folder, 'two', 'evalgate.yaml'), { scripting: { keyless_scripts: 'route' } });
    const file = join(folder, 'evalgate.yaml');
    symlinkSync('one', join(folder, '..data'));
    symlinkSync('..data/evalgate.yaml', file);
    const program = new Program('serve', '--config', file);
    t.after(() => program.stop());
    const port = await program.listening();
    const client = await RawClient.connect(port);
    t.after(() => client.close());
    symlinkSync('two', join(folder, '..data_tmp'));
    renameSync(join(folder, '..data_tmp'), join(folder, '..data'));
    await program.written(/"key":"scripting.keyless_scripts","from":"reject","to":"route","msg":"config changed"/);
    assert.equal(await client.text('EVAL', 'return 1', 0), ':1\r\n');
    program.signal('SIGHUP');
    await program.written(/config reloaded: nothing has changed/);
    assert.equal(await client.text('PING'), '+PONG\r\n');
  });
});
