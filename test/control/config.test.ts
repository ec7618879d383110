/* biome-ignore-all lint/suspicious/noTemplateCurlyInString: the config file's own syntax */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { OperatorError } from '../../src/base/operator-error.ts';
import { type Config, configFrom, loadConfig } from '../../src/control/config.ts';
import { SECTIONS } from '../../src/control/config-schema.ts';

const ROOT = join(import.meta.dirname, '../../..');
const folder = mkdtempSync(join(tmpdir(), 'evalgate-config-'));
const file = join(folder, 'evalgate.yaml');
after(() => rmSync(folder, { recursive: true }));

const NODES = 'cluster: {nodes: ["127.0.0.1:7000"]}\n';

function load(yaml: string, environment: Record<string, string> = {}): Config {
  writeFileSync(file, yaml);
  return loadConfig(file, environment);
}

/** The problems of a file: what stands behind `Cannot load config "…": `. */
function problemsOf(yaml: string, environment: Record<string, string> = {}): string[] {
  try {
    load(yaml, environment);
  } catch (error) {
    assert.ok(error instanceof OperatorError, String(error));
    assert.equal(error.code, 'EVALGATE_CONFIG');
    const prefix = `Cannot load config "${file}": `;
    assert.ok(error.message.startsWith(prefix), error.message);
    return error.message.slice(prefix.length).split('; ');
  }
  return [];
}

describe('loadConfig', () => {
  it('applies every default when only cluster.nodes is set', () => {
    const config = load(NODES);
    assert.deepEqual(config, configFrom({ cluster: { nodes: ['127.0.0.1:7000'] } }));
    assert.deepEqual(config.listen, { host: '127.0.0.1', port: 6380, drain_ms: 5000 });
    assert.deepEqual(config.cluster, {
      nodes: ['127.0.0.1:7000'],
      tls: { enabled: false },
      nat_map: {},
      refresh_interval_ms: 15000,
      connections_per_node: 4,
      dedicated_per_node: 1000,
      connect_timeout_ms: 2000,
      node_silence_ms: 15000,
      failover_wait_ms: 5000,
      read_from: 'primary',
    });
    assert.deepEqual(config.scripting, {
      script_check_enable: 1,
      script_check_profile: 'tair',
      script_check_unpack: 'reject',
      script_check_alias: 'reject',
      script_check_exempt: [],
      script_check_max_bytes: 262144,
      keyless_scripts: 'reject',
      preload: [],
      store: { type: 'memory', prefix: 'evalgate:' },
      registry_max_bytes: 67108864,
      max_run_ms: 0,
      readonly_lua_route_ronode_enable: 0,
      eval_to_evalsha: true,
    });
    assert.deepEqual(config.limits, {
      max_clients: 10000,
      max_request_bytes: 536870912,
      client_output_bytes: 67108864,
      client_stall_ms: 60000,
      in_flight_per_client: 10000,
      in_flight_bytes_per_client: 67108864,
      node_pending_bytes: 268435456,
      buffered_bytes: 1073741824,
      redirects: 16,
      waiting_requests: 100000,
    });
    assert.deepEqual(config.admin, { host: '127.0.0.1' });
    assert.deepEqual(config.log, { level: 'info', format: 'json' });
    assert.deepEqual(config.accounts, []);
    assert.equal(config.workers, 1);
  });

  it('is frozen to the last value', () => {
    const config = load(NODES);
    assert.ok(Object.isFrozen(config) && Object.isFrozen(config.cluster) && Object.isFrozen(config.cluster.nodes));
  });

  it('takes a section without keys as its defaults', () => {
    assert.equal(load(`${NODES}listen:\nlimits: {}\n`).listen.port, 6380);
  });

  it('reads JSON too', () => {
    assert.equal(load('{"cluster": {"nodes": ["[::1]:7000"]}, "listen": {"port": 1}}').listen.port, 1);
  });

  it('lower-cases shas', () => {
    const sha = 'ABCDEF0123456789ABCDEF0123456789ABCDEF01';
    const config = load(`${NODES}scripting: {script_check_exempt: ["${sha}"], script_check_enable: observe}`);
    assert.deepEqual(config.scripting.script_check_exempt, [sha.toLowerCase()]);
    assert.equal(config.scripting.script_check_enable, 'observe');
  });

  const environment = { PASSWORD: '0123', PORT: '7001', SWITCH: 'false', HOST: 'redis.example', ODD: '$&' };
  it('takes environment variables, as what the key takes', () => {
    const config = load(
      'cluster: {nodes: ["${HOST}:${PORT}"], password: "${PASSWORD}${ODD}"}\nlisten: {port: "${PORT}"}\nscripting: {eval_to_evalsha: "${SWITCH}"}',
      environment,
    );
    assert.deepEqual(config.cluster.nodes, ['redis.example:7001']);
    assert.equal(config.cluster.password, '0123$&');
    assert.equal(config.listen.port, 7001);
    assert.equal(config.scripting.eval_to_evalsha, false);
  });

  it('takes a variable that looks like a number as a text where a text is wanted', () => {
    assert.equal(load('cluster: {nodes: ["a:1"], password: "${PASSWORD}"}', environment).cluster.password, '0123');
  });

  it('takes passwords of accounts from the environment as they are', () => {
    const yaml = `${NODES}accounts: [{username: a, password: "\${PASSWORD}", privilege: read_only}, {username: b, password_file: /x}]`;
    assert.deepEqual(load(yaml, environment).accounts, [
      { username: 'a', password: '0123', privilege: 'read_only' },
      { username: 'b', password_file: '/x', privilege: 'read_write' },
    ]);
  });

  it('takes $${ as a plain ${', () => {
    assert.equal(load('cluster: {nodes: ["a:1"], password: "$${HOST}"}', environment).cluster.password, '${HOST}');
  });

  const sections = 'listen, cluster, scripting, limits, admin, log, accounts, workers';
  const problems: [name: string, yaml: string, problems: string[]][] = [
    [
      'a number out of range',
      `${NODES}listen: {port: 70000}`,
      ['listen.port must be 0 to 65535: current value is 70000'],
    ],
    [
      'a text for a number',
      `${NODES}listen: {port: x}`,
      ['listen.port must be a whole number, 0 to 65535: current value is "x"'],
    ],
    [
      'a fraction',
      `${NODES}limits: {redirects: 1.5}`,
      ['limits.redirects must be a whole number, 0 to 1000: current value is 1.5'],
    ],
    [
      'nothing for a number',
      `${NODES}listen: {port: }`,
      ['listen.port must be a whole number, 0 to 65535: current value is empty'],
    ],
    [
      'a word that is no choice',
      `${NODES}log: {level: loud}`,
      ['log.level must be trace, debug, info, warn, error, fatal or silent: current value is "loud"'],
    ],
    [
      'a number for a switch',
      `${NODES}scripting: {eval_to_evalsha: 1}`,
      ['scripting.eval_to_evalsha must be true or false: current value is 1'],
    ],
    [
      'accounts that are no list',
      `${NODES}accounts: {username: a}`,
      [
        'accounts must be a list of {username, password or password_file, privilege: read_write or read_only}: current value is a map',
      ],
    ],
    [
      'wrong accounts, without showing a password',
      `${NODES}accounts: [{username: a, password: 12345}, {username: a, password: x, password_file: y, privilege: all}, {pass: secret}]`,
      [
        'accounts[0].password must be a text (in quotes when it looks like a number): current value is not shown',
        'accounts[1].privilege must be read_write or read_only: current value is "all"',
        'accounts[2].username must be a text (in quotes when it looks like a number): it is not set',
        'accounts[2].pass is not a key here: known are username, password, password_file, privilege',
      ],
    ],
    [
      'an account without a password, or with two',
      `${NODES}accounts: [{username: a}, {username: b, password: x, password_file: y}]`,
      [
        'accounts[0].password must be set, or password_file, and not both: current value is not shown',
        'accounts[1].password must be set, or password_file, and not both: current value is not shown',
      ],
    ],
    [
      'two accounts of one name',
      `${NODES}accounts: [{username: a, password: x}, {username: a, password: y}]`,
      ['accounts[1].username must be another name: it is taken: current value is "a"'],
    ],
    [
      'a store that is none',
      `${NODES}scripting: {store: {type: redis}}`,
      ['scripting.store.type must be memory, directory or cluster: current value is "redis"'],
    ],
    [
      'a directory without a path',
      `${NODES}scripting: {store: {type: directory}}`,
      ['scripting.store.path must be a text when type is directory: it is not set'],
    ],
    [
      'an unknown key of the store, and a prefix that would put all on one shard',
      `${NODES}scripting: {store: {type: cluster, pre: x, prefix: "{a}:"}}`,
      [
        'scripting.store.prefix must have no braces and no blanks: current value is "{a}:"',
        'scripting.store.pre is not a key here: known are type, path, prefix',
      ],
    ],
    [
      'a word for the store, and a preload that is no list',
      `${NODES}scripting: {store: cluster, preload: x.lua}`,
      [
        'scripting.preload must be a list of paths: current value is "x.lua"',
        'scripting.store must be {type: memory}, {type: directory, path: …} or {type: cluster, prefix: …}: current value is "cluster"',
      ],
    ],
    [
      'an address without a port to announce',
      `${NODES}listen: {announce: redis.example.com}`,
      ['listen.announce must be host:port, [host]:port for IPv6: current value is "redis.example.com"'],
    ],
    [
      'TLS towards clients without a key, and without whom to trust',
      `${NODES}listen: {tls: {cert_file: c, require_client_cert: true}}`,
      ['listen.tls.key_file must be a path: it is not set'],
    ],
    [
      'certificates of clients that nobody signs',
      `${NODES}listen: {tls: {cert_file: c, key_file: k, require_client_cert: true}}`,
      ['listen.tls.ca_file must be a path when require_client_cert is true: it is not set'],
    ],
    [
      'half a certificate towards nodes, and an address for a name',
      'cluster: {nodes: [a:1], tls: {enabled: yes, cert_file: c, server_name: 10.0.0.1}}',
      [
        'cluster.tls.enabled must be true or false: current value is "yes"',
        'cluster.tls.server_name must be a host name: current value is "10.0.0.1"',
      ],
    ],
    [
      'a key without a certificate',
      'cluster: {nodes: [a:1], tls: {key_file: k}}',
      ['cluster.tls.cert_file must be a path when key_file is set: it is not set'],
    ],
    [
      'an unknown key',
      `${NODES}listen: {prot: 1}`,
      ['listen.prot is not a key here: known are host, port, announce, tls, drain_ms'],
    ],
    ['no worker', `${NODES}workers: 0`, ['workers must be 1 to 64: current value is 0']],
    [
      'a map of workers',
      `${NODES}workers: {count: 2}`,
      ['workers must be a whole number, 1 to 64: current value is a map'],
    ],
    ['an unknown section', `${NODES}shards: {count: 1}`, [`shards is not a key here: known are ${sections}`]],
    [
      'an admin port out of range',
      `${NODES}admin: {port: 65536}`,
      ['admin.port must be 0 to 65535: current value is 65536'],
    ],
    [
      'an admin token that is no text',
      `${NODES}admin: {token: 12345}`,
      ['admin.token must be a text (in quotes when it looks like a number): current value is not shown'],
    ],
    ['a section that is a list', `${NODES}log: [a]`, ['log must be a map: current value is a list']],
    ['a file that is a text', 'hello', ['the file must be a map: current value is "hello"']],
    ['an empty file', '', ['cluster.nodes must be a list of at least one host:port: it is not set']],
    [
      'no nodes',
      'cluster: {nodes: []}',
      ['cluster.nodes must be a list of at least one host:port: current value is an empty list'],
    ],
    [
      'a bad node',
      'cluster: {nodes: [a:1, b]}',
      ['cluster.nodes[1] must be host:port, [host]:port for IPv6: current value is "b"'],
    ],
    [
      'a bad key of nat_map',
      'cluster: {nodes: [a:1], nat_map: {b: c:1}}',
      ['cluster.nat_map keys must be host:port, [host]:port for IPv6: current key is "b"'],
    ],
    [
      'a bad value of nat_map',
      'cluster: {nodes: [a:1], nat_map: {b:1: c}}',
      ['cluster.nat_map["b:1"] must be host:port, [host]:port for IPv6: current value is "c"'],
    ],
    [
      'a bad sha',
      `${NODES}scripting: {script_check_exempt: [abc]}`,
      ['scripting.script_check_exempt[0] must be 40 hexadecimal digits: current value is "abc"'],
    ],
    [
      'a variable that is not set',
      'cluster: {nodes: [a:1], password: "${NO_SUCH}"}',
      ['cluster.password takes ${NO_SUCH} from the environment: it is not set'],
    ],
    [
      'a variable out of range, by its name',
      `${NODES}listen: {port: "\${BIG}"}`,
      ['listen.port must be 0 to 65535: current value is "${BIG}"'],
    ],
    ['a key twice', `${NODES}listen: {port: 1, port: 2}`, ['line 2, column 19 must be YAML: Map keys must be unique']],
    ['an unknown tag', `${NODES}listen: !x {port: 1}`, ['line 2, column 9 must be YAML: Unresolved tag: !x']],
    [
      'all problems at once',
      'cluster: {nodes: [x]}\nlisten: {port: -1, drain_ms: soon}\nshards: 2',
      [
        'listen.port must be 0 to 65535: current value is -1',
        'listen.drain_ms must be a whole number, 0 to 3600000: current value is "soon"',
        'cluster.nodes[0] must be host:port, [host]:port for IPv6: current value is "x"',
        `shards is not a key here: known are ${sections}`,
      ],
    ],
  ];
  for (const [name, yaml, expected] of problems) {
    it(`refuses ${name}`, () => assert.deepEqual(problemsOf(yaml, { BIG: '70000' }), expected));
  }

  it('never shows a secret', () => {
    const wrong = ['cluster: {nodes: [a:1], password: 271828}', 'cluster: {nodes: [a:1], password: {x: 271828}}'];
    for (const yaml of wrong) {
      assert.match(problemsOf(yaml).join(), /^cluster\.password must be a text.*: current value is not shown$/);
    }
    for (const yaml of [
      'cluster: {password: "271828" "x"}',
      'cluster:\n  password: "271828',
      'cluster: {password: 271828}}',
    ]) {
      const text = problemsOf(yaml).join();
      assert.notEqual(text, '');
      assert.ok(!text.includes('271828'), text);
    }
    assert.ok(!problemsOf('cluster: {nodes: ["${SECRET}"]}', { SECRET: '271828' }).join().includes('271828'));
  });

  it('says that there is no such file', () => {
    assert.throws(() => loadConfig(join(folder, 'none.yaml'), {}), { message: /none\.yaml": there is no such file$/ });
  });
});

describe('config/evalgate.yaml', () => {
  const path = join(ROOT, 'config/evalgate.yaml');

  it('loads as the defaults', () => {
    const { cluster, ...others } = loadConfig(path, {});
    const { cluster: defaultCluster, ...defaults } = configFrom({ cluster: { nodes: cluster.nodes } });
    assert.deepEqual(others, defaults);
    assert.deepEqual(cluster, defaultCluster);
  });

  it('names every key', () => {
    const text = readFileSync(path, 'utf8');
    for (const { shape } of Object.values(SECTIONS)) {
      for (const key of Object.keys(shape)) assert.match(text, new RegExp(`^  (# )?${key}:`, 'm'));
    }
  });
});
