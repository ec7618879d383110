/**
 * TLS towards clients and towards nodes, with certificates made by the test and a cluster that speaks TLS only.
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { chmodSync, copyFileSync, writeFileSync } from 'node:fs';
import { type AddressInfo, connect as connectPlain, createServer } from 'node:net';
import { join } from 'node:path';
import { after, before, describe, it, type TestContext } from 'node:test';
import { type ConnectionOptions, connect, createServer as createTlsServer, type TLSSocket } from 'node:tls';
import { OperatorError } from '../../src/base/operator-error.ts';
import { type Config, type ConfigInput, configFrom } from '../../src/control/config.ts';
import { LocalCluster } from '../../src/control/local-cluster.ts';
import { createLogger } from '../../src/control/log.ts';
import { ProxyServer } from '../../src/control/proxy.ts';
import { Authority, type Files, material, NO_OPENSSL } from '../support/certificates.ts';
import { encodeCommand, RawClient } from '../support/client.ts';
import { tagInSlot, waitFor } from '../support/cluster.ts';
import { Program } from '../support/program.ts';
import { bulk, shaOf } from '../support/stand.ts';
import { lacksTls } from '../support/versions.ts';

type Sections = { readonly [K in keyof ConfigInput]?: Partial<ConfigInput[K]> };
type Line = Record<string, unknown>;

const COUNT = "return redis.call('INCR', KEYS[1])";

describe('TLS', { skip: NO_OPENSSL || lacksTls() }, () => {
  let authority: Authority;
  let stranger: Authority;
  let server: Files;
  let cluster: LocalCluster;
  before(async () => {
    authority = new Authority('good');
    stranger = new Authority('strange');
    server = authority.sign('server');
    // Its nodes ask for a certificate: the default of redis-server with TLS.
    cluster = await LocalCluster.start({ replicas: 0, tls: server });
  });
  after(async () => {
    await cluster?.stop();
    authority?.remove();
    stranger?.remove();
  });

  function toNodes(files: Partial<Files> = {}) {
    const { caFile, certFile, keyFile } = { ...server, ...files };
    return { enabled: true, ca_file: caFile, cert_file: certFile, key_file: keyFile };
  }

  function toClients({ certFile, keyFile, caFile }: Files, isRequired = false) {
    return { cert_file: certFile, key_file: keyFile, ca_file: caFile, require_client_cert: isRequired };
  }

  function configOf(sections: Sections): Config {
    return configFrom({
      ...sections,
      listen: { port: 0, drain_ms: 0, ...sections.listen },
      cluster: { nodes: cluster.seeds, tls: toNodes(), failover_wait_ms: 200, ...sections.cluster },
    } as ConfigInput);
  }

  async function start(t: TestContext, sections: Sections = {}) {
    const lines: Line[] = [];
    let config = configOf(sections);
    const log = createLogger(config.log, { write: (line) => lines.push(JSON.parse(line)) });
    const proxy = await ProxyServer.start(config, log, { readConfig: () => config });
    t.after(() => proxy.stop());
    const { port } = proxy.address;
    const told = (msg: string) => lines.filter((line) => line['msg'] === msg);
    const reload = async (next: Sections) => {
      config = configOf(next);
      return await proxy.reload();
    };
    return { proxy, port, lines, told, reload };
  }

  async function secure(
    t: TestContext,
    port: number,
    options: ConnectionOptions & { allowHalfOpen?: boolean } = {},
  ): Promise<TLSSocket> {
    const socket = connect({ host: '127.0.0.1', port, ca: material(server).ca, ...options });
    t.after(() => socket.destroy());
    await once(socket, 'secureConnect');
    // The other side may be killed at the end of a test.
    socket.on('error', () => {});
    return socket;
  }

  /** The end of a connection that is refused, as the client sees it. */
  async function refusedTo(port: number, options: ConnectionOptions = {}): Promise<void> {
    const socket = connect({ host: '127.0.0.1', port, ca: material(server).ca, ...options });
    socket.on('error', () => {}).on('data', () => assert.fail('it was answered'));
    socket.on('secureConnect', () => socket.write(encodeCommand(['PING'])));
    await new Promise((resolve) => socket.once('close', resolve));
  }

  describe('towards clients and nodes', () => {
    it('serves commands, scripts, pipelines and large values', async (t) => {
      const { port, proxy } = await start(t, { listen: { tls: toClients(server) } });
      const client = RawClient.over(await secure(t, port));
      for (const slot of [1, 6000, 12000]) {
        assert.equal(await client.text('SET', `${tagInSlot(slot)}a`, 'v'), '+OK\r\n');
        assert.equal(await client.text('EVAL', COUNT, 1, `${tagInSlot(slot)}count`), ':1\r\n');
        assert.equal(await client.text('EVALSHA', shaOf(COUNT), 1, `${tagInSlot(slot)}count`), ':2\r\n');
      }
      const big = Buffer.alloc(3_000_000, 'x');
      assert.equal(await client.text('SET', 'big', big), '+OK\r\n');
      assert.equal((await client.command('GET', 'big')).length, big.length + '$3000000\r\n\r\n'.length);
      const replies = await client.pipeline(Array.from({ length: 5000 }, (_, i) => ['SET', `p${i}`, i]));
      assert.equal(Buffer.concat(replies).toString(), '+OK\r\n'.repeat(5000));
      assert.equal(proxy.topology.shards.length, 3);
    });

    it('answers a client that has ended its side', async (t) => {
      const { port } = await start(t, { listen: { tls: toClients(server) } });
      const socket = await secure(t, port, { allowHalfOpen: true });
      const client = RawClient.over(socket);
      socket.end(encodeCommand(['SET', 'half', 'open']));
      assert.deepEqual((await client.repliesUntilEnd()).map(String), ['+OK\r\n']);
    });

    it('holds back replies for a client that does not read, and loses none', async (t) => {
      const limits = { client_output_bytes: 1_000_000 };
      const { port, proxy } = await start(t, { listen: { tls: toClients(server) }, limits });
      const client = RawClient.over(await secure(t, port));
      const value = 'y'.repeat(100_000);
      await client.text('SET', 'slow', value);
      client.pause();
      const gets = Array.from({ length: 200 }, () => encodeCommand(['GET', 'slow']));
      client.send(Buffer.concat(gets));
      await waitFor('its node connection is paused', () =>
        [...proxy.upstream.pools].some(({ connections }) => connections.some(({ isPaused }) => isPaused)),
      );
      const other = RawClient.over(await secure(t, port));
      assert.equal(await other.text('GET', 'slow'), bulk(value));
      client.resume();
      const replies = await client.replies(200);
      assert.ok(replies.every((reply) => reply.length === bulk(value).length));
    });

    it('closes a client that takes nothing for too long', async (t) => {
      const limits = { client_output_bytes: 100_000, client_stall_ms: 300 };
      const { port, proxy } = await start(t, { listen: { tls: toClients(server) }, limits });
      const client = RawClient.over(await secure(t, port));
      const value = 'y'.repeat(4_000_000);
      await client.text('SET', 'slow', value);
      client.pause();
      client.send(Buffer.concat(Array.from({ length: 10 }, () => encodeCommand(['GET', 'slow']))));
      await waitFor('it is closed', () => proxy.counters.clientsStalled === 1);
    });

    it('keeps scripts in a store in the cluster', async (t) => {
      const store = { type: 'cluster', prefix: 'tls-store:' } as const;
      const { port } = await start(t, { scripting: { store } });
      const client = await RawClient.connect(port);
      t.after(() => client.close());
      const body = 'return 7 -- of a TLS store';
      assert.equal(await client.text('SCRIPT', 'LOAD', body), bulk(shaOf(body)));
      const counts = await Promise.all(
        cluster.masters.map((node) =>
          node
            .client()
            .exists(`tls-store:script:${shaOf(body)}`)
            .catch(() => 0),
        ),
      );
      assert.deepEqual(
        counts.filter((count) => count === 1),
        [1],
      );
    });

    it('refuses TLS 1.1', async (t) => {
      const { port } = await start(t, { listen: { tls: toClients(server) } });
      const old = { minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'ALL:@SECLEVEL=0' } as const;
      await refusedTo(port, old);
    });
  });

  describe('certificates of clients', () => {
    it('are asked for, and held against ca_file', async (t) => {
      const { port, told } = await start(t, { listen: { tls: toClients(server, true) } });
      const { cert, key } = material(authority.sign('client'));
      const client = RawClient.over(await secure(t, port, { cert, key }));
      assert.equal(await client.text('PING'), '+PONG\r\n');
      await refusedTo(port);
      await waitFor('the log tells', () => told('client refused').length === 1);
      assert.match(String(told('client refused')[0]?.['reason']), /certificate/);
      const strange = material(stranger.sign('client'));
      await refusedTo(port, { cert: strange.cert, key: strange.key });
      await waitFor('the log tells', () => told('client refused').length === 2);
      assert.equal(told('client refused')[1]?.['reason'], 'its certificate is not from listen.tls.ca_file');
    });
  });

  describe('the wrong protocol', () => {
    it('plain text to a TLS port is closed, and told once', async (t) => {
      const { port, proxy, told } = await start(t, { listen: { tls: toClients(server) } });
      for (const text of ['*1\r\n$4\r\nPING\r\n', 'PING\r\n', 'GET / HTTP/1.1\r\n\r\n', 'PING\r\n']) {
        const socket = connectPlain(port, '127.0.0.1', () => socket.write(text));
        socket.on('error', () => {}).resume();
        await once(socket, 'close');
      }
      const [line, ...more] = told('client refused');
      assert.equal(line?.['reason'], 'it does not speak TLS');
      assert.match(String(line?.['client']), /^127\.0\.0\.1:\d+$/);
      assert.deepEqual(more, []);
      assert.equal(proxy.counters.clients, 0);
    });

    it('a look at the port, as of a load balancer, is no news', async (t) => {
      const { port, lines } = await start(t, { listen: { tls: toClients(server) } });
      const before = lines.length;
      const socket = connectPlain(port, '127.0.0.1', () => socket.end());
      socket.resume();
      await once(socket, 'close');
      assert.equal(lines.length, before);
    });

    it('TLS to a plain port is refused, and told once', async (t) => {
      const { port, told } = await start(t);
      for (let i = 0; i < 3; i++) {
        const socket = connect({ host: '127.0.0.1', port });
        await assert.rejects(once(socket, 'secureConnect'), { code: 'ERR_SSL_WRONG_VERSION_NUMBER' });
      }
      const [line, ...more] = told('client refused');
      assert.equal(line?.['reason'], 'it speaks TLS');
      assert.deepEqual(more, []);
    });
  });

  describe('nodes that cannot be trusted', () => {
    async function fakeNode(t: TestContext, files: Files | undefined): Promise<string> {
      const node = files === undefined ? createServer() : createTlsServer(material(files));
      node.on('connection', (socket) => socket.on('error', () => {}));
      node.on('connection', (socket) => t.after(() => socket.destroy()));
      if (files === undefined) node.on('connection', (socket) => socket.once('data', () => socket.end('-ERR no\r\n')));
      node.listen(0, '127.0.0.1');
      await once(node, 'listening');
      t.after(() => node.close());
      return `127.0.0.1:${(node.address() as AddressInfo).port}`;
    }

    const cases: [what: string, files: () => Files | undefined, problem: RegExp][] = [
      ['another authority', () => stranger.sign('node'), /TLS: (self-signed|unable to)/],
      ['an expired certificate', () => authority.sign('expired', { days: -1 }), /TLS: certificate has expired/],
      [
        'a certificate for another name',
        () => authority.sign('elsewhere', { names: 'DNS:redis.internal' }),
        /TLS: Hostname\/IP does not match certificate's altnames: IP: 127\.0\.0\.1/,
      ],
      ['no TLS', () => undefined, /TLS: the node does not speak TLS on this port/],
    ];
    for (const [what, files, problem] of cases) {
      it(`says so: ${what}`, async (t) => {
        const nodes = [await fakeNode(t, files())];
        const { port, told } = await start(t, { cluster: { nodes } });
        assert.match(String(told('no node of the cluster answers')[0]?.['problem']), problem);
        const client = await RawClient.connect(port);
        t.after(() => client.close());
        assert.match(await client.text('GET', 'k'), /^-CLUSTERDOWN evalgate: .*the command did not run/);
      });
    }

    it('says so: they ask for a certificate', async (t) => {
      const tls = { enabled: true, ca_file: server.caFile };
      const { told } = await start(t, { cluster: { tls } });
      assert.match(String(told('no node of the cluster answers')[0]?.['problem']), /TLS: .*certificate/);
    });

    it('takes server_name for the name of all nodes', async (t) => {
      const named = authority.sign('named', { names: 'DNS:redis.internal' });
      const other = await LocalCluster.start({ masters: 1, replicas: 0, tls: named });
      t.after(() => other.stop());
      const tls = { ...toNodes(), server_name: 'redis.internal' };
      const { port } = await start(t, { cluster: { nodes: other.seeds, tls } });
      const client = await RawClient.connect(port);
      t.after(() => client.close());
      assert.equal(await client.text('SET', 'k', 'v'), '+OK\r\n');
    });

    it('answers honestly when new connections are refused', async (t) => {
      const { port, reload, told } = await start(t);
      const client = await RawClient.connect(port);
      t.after(() => client.close());
      assert.equal(await client.text('SET', 'k', 'v'), '+OK\r\n');
      assert.equal((await reload({ cluster: { tls: toNodes({ caFile: stranger.caFile }) } })).kind, 'changed');
      assert.equal(await client.text('SET', 'k', 'w'), '+OK\r\n', 'open connections are still good');
      for (const node of cluster.masters) await node.client().call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
      await waitFor('the log tells', () => told('node connection lost').length > 0);
      await waitFor('requests are refused', async () => /TLS: (self-signed|unable)/.test(await client.text('DBSIZE')));
      assert.match(await client.text('SET', 'k', 'x'), /^-CLUSTERDOWN evalgate: no primary .*the command did not run/);
      await reload({});
      await waitFor('it is trusted again', async () => (await client.text('SET', 'k', 'y')) === '+OK\r\n');
    });
  });

  describe('files', () => {
    function names(socket: TLSSocket): string {
      return String(socket.getPeerCertificate().subject?.CN);
    }

    it('are read again: new clients see the new certificate, the others stay', async (t) => {
      const [one, two] = [authority.sign('one'), authority.sign('two')];
      const live = {
        ...one,
        certFile: join(authority.folder, 'live.crt'),
        keyFile: join(authority.folder, 'live.key'),
      };
      const put = (files: Files) => {
        copyFileSync(files.certFile, live.certFile);
        copyFileSync(files.keyFile, live.keyFile);
      };
      put(one);
      const sections = { listen: { tls: toClients(live) } };
      const { port, reload, proxy } = await start(t, sections);
      const first = await secure(t, port);
      assert.equal(names(first), 'one');
      assert.deepEqual(await reload(sections), { kind: 'unchanged' });

      copyFileSync(two.certFile, live.certFile);
      const refused = await reload(sections);
      assert.ok(refused.kind === 'refused');
      assert.match(refused.problems.join(), /listen\.tls\.key_file ".*live\.key" must be the key of cert_file/);
      assert.equal(names(await secure(t, port)), 'one');

      put(two);
      const outcome = await proxy.reload();
      assert.ok(outcome.kind === 'changed');
      assert.deepEqual(
        outcome.changes.map(({ key }) => key),
        [`listen.tls.cert_file ${live.certFile}`, `listen.tls.key_file ${live.keyFile}`],
      );
      assert.deepEqual([outcome.changes[1]?.from, outcome.changes[1]?.to], ['***', '***']);
      assert.equal(names(await secure(t, port)), 'two');
      assert.equal(await RawClient.over(first).text('PING'), '+PONG\r\n');
    });

    it('are watched: a renewed certificate is used by itself, as a process', async (t) => {
      const [one, two] = [authority.sign('first'), authority.sign('second')];
      const live = {
        ...one,
        certFile: join(authority.folder, 'seen.crt'),
        keyFile: join(authority.folder, 'seen.key'),
      };
      copyFileSync(one.certFile, live.certFile);
      copyFileSync(one.keyFile, live.keyFile);
      const file = join(authority.folder, 'watched.yaml');
      const sections = { listen: { port: 0, tls: toClients(live) }, cluster: { nodes: cluster.seeds, tls: toNodes() } };
      writeFileSync(file, JSON.stringify(sections));
      const program = new Program('serve', '--config', file);
      t.after(() => program.stop());
      const port = await program.listening();
      assert.equal(names(await secure(t, port)), 'first');
      copyFileSync(two.certFile, live.certFile);
      copyFileSync(two.keyFile, live.keyFile);
      await program.written(/"key":"listen\.tls\.cert_file [^"]*seen\.crt","from":"sha256 /);
      assert.equal(names(await secure(t, port)), 'second');
    });

    it('TLS comes and goes by a reload', async (t) => {
      const { port, reload } = await start(t);
      const plain = await RawClient.connect(port);
      t.after(() => plain.close());
      await reload({ listen: { tls: toClients(server) } });
      const tls = RawClient.over(await secure(t, port));
      assert.equal(await tls.text('PING'), '+PONG\r\n');
      await reload({});
      const again = await RawClient.connect(port);
      t.after(() => again.close());
      for (const client of [plain, tls, again]) assert.equal(await client.text('PING'), '+PONG\r\n');
    });

    it('that cannot be used stop the start, with their paths', async (t) => {
      const garbage = join(authority.folder, 'garbage.pem');
      writeFileSync(garbage, 'hello');
      const broken = join(authority.folder, 'broken.pem');
      writeFileSync(broken, '-----BEGIN CERTIFICATE-----\naGVsbG8=\n-----END CERTIFICATE-----\n');
      const cases: [Files, RegExp][] = [
        [
          { ...server, certFile: '/nowhere/tls.crt' },
          /listen\.tls\.cert_file "\/nowhere\/tls\.crt" cannot be used: there is no such file/,
        ],
        [{ ...server, certFile: garbage }, /cert_file ".*garbage\.pem" cannot be used: it holds no certificate in PEM/],
        [{ ...server, keyFile: garbage }, /key_file ".*garbage\.pem" cannot be used: it holds no private key in PEM/],
        [{ ...server, caFile: broken }, /ca_file ".*broken\.pem" cannot be used: /],
        [{ ...server, keyFile: stranger.sign('x').keyFile }, /key_file ".*x\.key" must be the key of cert_file/],
      ];
      for (const [files, text] of cases) {
        await assert.rejects(start(t, { listen: { tls: toClients(files) } }), (error) => {
          assert.ok(error instanceof OperatorError);
          assert.match(error.message, text);
          return true;
        });
      }
      const both = start(t, {
        listen: { tls: toClients({ ...server, keyFile: garbage }) },
        cluster: { tls: toNodes({ caFile: '/nowhere/ca' }) },
      });
      await assert.rejects(both, (error) => error instanceof OperatorError && error.problems.length === 2);
    });

    it('that may not be read stop the start', {
      skip: process.getuid?.() === 0 && 'root reads everything',
    }, async (t) => {
      const { keyFile } = authority.sign('locked');
      chmodSync(keyFile, 0);
      await assert.rejects(start(t, { listen: { tls: toClients({ ...server, keyFile }) } }), /may not be read/);
    });

    it('of listen.tls that have expired are told', async (t) => {
      const { told } = await start(t, { listen: { tls: toClients(authority.sign('old', { days: -1 })) } });
      assert.match(String(told('a certificate is not valid')[0]?.['problem']), /^expired on /);
    });
  });
});
