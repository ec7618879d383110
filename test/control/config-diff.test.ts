import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type ConfigInput, configFrom } from '../../src/control/config.ts';
import { diffConfigs, masked } from '../../src/control/config-diff.ts';
import { factsAt, SECTIONS } from '../../src/control/config-schema.ts';

const NODES = ['127.0.0.1:7000'];
const SHA = 'a'.repeat(40);

function diff(from: Partial<ConfigInput>, to: Partial<ConfigInput>) {
  const cluster = { nodes: NODES };
  return diffConfigs(configFrom({ cluster, ...from }), configFrom({ cluster, ...to }));
}

describe('diffConfigs', () => {
  const cases: [what: string, to: Partial<ConfigInput>, key: string, from: string, text: string, restart: boolean][] = [
    ['a number', { limits: { redirects: 3 } }, 'limits.redirects', '16', '3', false],
    [
      'a choice',
      { scripting: { script_check_enable: 'observe' } },
      'scripting.script_check_enable',
      '1',
      'observe',
      false,
    ],
    [
      'a list',
      { scripting: { script_check_exempt: [SHA] } },
      'scripting.script_check_exempt',
      '[]',
      `["${SHA}"]`,
      false,
    ],
    ['a key of a map', { scripting: { store: { prefix: 'x:' } } }, 'scripting.store.prefix', 'evalgate:', 'x:', true],
    [
      'a new entry',
      { cluster: { nodes: NODES, nat_map: { 'a:1': 'b:2' } } },
      'cluster.nat_map["a:1"]',
      'none',
      'b:2',
      false,
    ],
    ['a secret', { cluster: { nodes: NODES, password: 'hidden' } }, 'cluster.password', 'none', '***', true],
    ['what needs a restart', { listen: { port: 1234 } }, 'listen.port', '6380', '1234', true],
  ];
  for (const [what, to, key, from, text, needsRestart] of cases) {
    it(`tells ${what}`, () => {
      assert.deepEqual(diff({}, to), [{ key, from, to: text, needsRestart }]);
    });
  }

  it('says nothing of equal configs, however they were written', () => {
    assert.deepEqual(diff({ limits: { redirects: 16 } }, { listen: {} }), []);
  });

  it('shows two different secrets without a trace of either', () => {
    const [change] = diff(
      { cluster: { nodes: NODES, password: 'first' } },
      { cluster: { nodes: NODES, password: 'second' } },
    );
    assert.deepEqual(change, { key: 'cluster.password', from: '***', to: '***', needsRestart: true });
  });

  it('cuts long values', () => {
    const shas = Array.from({ length: 100 }, () => SHA);
    const [change] = diff({}, { scripting: { script_check_exempt: shas } });
    assert.equal(change?.to.length, 201);
  });
});

describe('keys of the config', () => {
  const all = Object.entries(SECTIONS).flatMap(([section, { shape }]) =>
    Object.keys(shape).map((key) => [section, key]),
  );
  const namesOf = (needsRestart: boolean) =>
    all.filter((path) => (factsAt(path)?.needsRestart === true) === needsRestart).map((path) => path.join('.'));

  it('that need a restart', () => {
    assert.deepEqual(namesOf(true), [
      'listen.host',
      'listen.port',
      'cluster.username',
      'cluster.password',
      'cluster.read_from',
      'scripting.store',
      'scripting.readonly_lua_route_ronode_enable',
      'admin.port',
      'admin.token',
      'admin.host',
      'log.format',
    ]);
  });

  // A new key comes here only when ProxyServer carries it to whoever goes by it.
  it('that a reload changes', () => {
    assert.deepEqual(namesOf(false), [
      'listen.announce',
      'listen.tls',
      'listen.drain_ms',
      'cluster.nodes',
      'cluster.tls',
      'cluster.nat_map',
      'cluster.refresh_interval_ms',
      'cluster.connections_per_node',
      'cluster.dedicated_per_node',
      'cluster.connect_timeout_ms',
      'cluster.node_silence_ms',
      'cluster.failover_wait_ms',
      'scripting.script_check_enable',
      'scripting.script_check_profile',
      'scripting.script_check_unpack',
      'scripting.script_check_alias',
      'scripting.script_check_exempt',
      'scripting.script_check_max_bytes',
      'scripting.keyless_scripts',
      'scripting.preload',
      'scripting.registry_max_bytes',
      'scripting.max_run_ms',
      'scripting.eval_to_evalsha',
      'limits.max_clients',
      'limits.max_request_bytes',
      'limits.client_output_bytes',
      'limits.client_stall_ms',
      'limits.in_flight_per_client',
      'limits.in_flight_bytes_per_client',
      'limits.node_pending_bytes',
      'limits.buffered_bytes',
      'limits.redirects',
      'limits.waiting_requests',
      'log.level',
    ]);
  });
});

describe('masked', () => {
  it('leaves everything but secrets', () => {
    const config = configFrom({ cluster: { nodes: NODES, username: 'u', password: 'hidden' } });
    const shown = masked(config) as typeof config;
    assert.deepEqual(shown, { ...config, cluster: { ...config.cluster, password: '***' } });
    assert.equal(shown.cluster.username, 'u');
  });

  it('finds passwords and tokens in lists of maps', () => {
    assert.deepEqual(masked([{ username: 'u', password: 'p', token: 't' }], ['somewhere']), [
      { username: 'u', password: '***', token: '***' },
    ]);
  });
});
