/**
 * What is shipped around the program says what the program does: manifests, the image, the service, alerts and the
 * dashboard. None of their own tools is needed here; what they would send, ask or start is done to a real evalgate.
 */
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { parse, parseAllDocuments } from 'yaml';
import { type Config, loadConfig } from '../../src/control/config.ts';
import { adminPort, ask } from '../support/admin.ts';
import { RawClient } from '../support/client.ts';
import { Gateway } from '../support/gateway.ts';

const ROOT = join(import.meta.dirname, '../../..');
const MAIN = join(import.meta.dirname, '../../src/main.js');
const REFUSED_SCRIPT = "return redis.call(ARGV[1], 'k')";
const MB = 1024 * 1024;

// The shapes are what is tested: they are looked at, not believed.
// biome-ignore lint/suspicious/noExplicitAny: see above
type Tree = any;

function textOf(path: string): string {
  return readFileSync(join(ROOT, path), 'utf8');
}

/** A program of the machine; undefined where it is not installed. */
function run(command: string, ...args: string[]): { status: number | null; output: string } | undefined {
  const { status, stdout, stderr, error } = spawnSync(command, args, { cwd: ROOT, encoding: 'utf8' });
  return error === undefined ? { status, output: `${stdout}${stderr}` } : undefined;
}

describe('packages', () => {
  const folder = mkdtempSync(join(tmpdir(), 'evalgate-packages-'));
  let gateway: Gateway;

  before(async () => {
    gateway = await Gateway.start(
      { masters: 3, replicas: 0, nodeTimeoutMs: 15_000 },
      { admin: { port: 0, token: 'secret' }, scripting: { store: { type: 'cluster', prefix: 'evalgate:' } } },
    );
    const client = await RawClient.connect(gateway.port);
    await client.pipeline([
      ['SET', 'k', 'v'],
      ['EVAL', "return redis.call('GET', KEYS[1])", 1, 'k'],
      ['EVAL', REFUSED_SCRIPT, 1, 'k', 'GET'],
    ]);
    client.close();
  });
  after(async () => {
    await gateway.stop();
    rmSync(folder, { recursive: true });
  });

  /** The config as evalgate itself reads it. */
  function configOf(text: string, environment: Record<string, string>): Config {
    const file = join(folder, 'evalgate.yaml');
    writeFileSync(file, text);
    return loadConfig(file, environment);
  }

  for (const [name, host] of [
    ['sidecar', '127.0.0.1'],
    ['shared', '0.0.0.0'],
  ] as const) {
    describe(`deploy/kubernetes/${name}.yaml`, () => {
      const manifest = `deploy/kubernetes/${name}.yaml`;
      const parts: Tree[] = parseAllDocuments(textOf(manifest)).map((one) => {
        assert.deepEqual(one.errors, []);
        return one.toJS();
      });
      const part = (kind: string): Tree => {
        const found = parts.find((one) => one.kind === kind);
        assert.ok(found, `there is no ${kind}`);
        return found;
      };
      const pod: Tree = part('Deployment').spec.template.spec;
      const container: Tree = [...(pod.initContainers ?? []), ...pod.containers].find(
        (one: Tree) => one.name === 'evalgate',
      );
      const secrets: Record<string, string> = part('Secret').stringData;
      const configText: string = part('ConfigMap').data['evalgate.yaml'];
      const portOf = (port: string | number): number =>
        container.ports.find((one: Tree) => one.name === port)?.containerPort;

      it('has a config that evalgate takes, with the secrets that the Secret gives, and no others', () => {
        const config = configOf(configText, secrets);
        assert.equal(config.listen.host, host);
        assert.ok(config.admin.token, 'the admin port is bound to all addresses');
        const used = [...configText.matchAll(/\$\{(\w+)\}/g)].map(([, secret]) => secret);
        assert.deepEqual(used.sort(), Object.keys(secrets).sort());
        assert.equal(container.envFrom[0].secretRef.name, part('Secret').metadata.name);
      });

      it('mounts that config as a folder, where the arguments look for it', () => {
        const [mount] = container.volumeMounts;
        assert.deepEqual(container.args, ['serve', '--config', `${mount.mountPath}/evalgate.yaml`]);
        assert.deepEqual([mount.readOnly, mount.subPath], [true, undefined]);
        const volume = pod.volumes.find((one: Tree) => one.name === mount.name);
        assert.equal(volume.configMap.name, part('ConfigMap').metadata.name);
      });

      it('names ports that evalgate listens on', () => {
        const config = configOf(configText, secrets);
        assert.equal(portOf('admin'), config.admin.port);
        if (name === 'shared') assert.equal(portOf('redis'), config.listen.port);
        const served = parts.filter((one) => one.kind === 'Service').flatMap((one) => one.spec.ports);
        for (const { port, targetPort } of served) assert.equal(port, portOf(targetPort));
      });

      it('asks what answers 200 without a token when all is well', async () => {
        const probes = ['startupProbe', 'livenessProbe', 'readinessProbe'].flatMap((probe) => container[probe] ?? []);
        assert.ok(probes.length >= 2);
        for (const { httpGet } of probes) {
          assert.equal(httpGet.port, 'admin');
          assert.equal((await ask(adminPort(gateway.proxy), httpGet.path)).status, 200, httpGet.path);
        }
        // A cluster that is away must not restart evalgate.
        assert.equal(container.livenessProbe.httpGet.path, '/healthz');
      });

      it('leaves time to drain', () => {
        const [, seconds = '0'] = container.lifecycle?.preStop.exec.command ?? [];
        const drainS = configOf(configText, secrets).listen.drain_ms / 1000;
        assert.ok(pod.terminationGracePeriodSeconds > drainS + Number(seconds));
      });

      it('runs as nobody in particular, and asks for resources', () => {
        const { runAsNonRoot, readOnlyRootFilesystem, allowPrivilegeEscalation, capabilities } =
          container.securityContext;
        assert.deepEqual([runAsNonRoot, readOnlyRootFilesystem, allowPrivilegeEscalation], [true, true, false]);
        assert.deepEqual(capabilities.drop, ['ALL']);
        assert.ok(container.resources.requests.cpu && container.resources.requests.memory);
      });

      it('may buffer no more than its memory holds', () => {
        const { limits, scripting } = configOf(configText, secrets);
        const limit = /^(\d+)Mi$/.exec(container.resources.limits.memory);
        const bound = limits.buffered_bytes + limits.node_pending_bytes + scripting.registry_max_bytes;
        // 128 MB for the program itself: docs/deployment.md, sizing.
        assert.ok(Number(limit?.[1]) * MB >= bound + 128 * MB, container.resources.limits.memory);
      });

      it('selects the Pods that it makes', () => {
        const { labels } = part('Deployment').spec.template.metadata;
        const selectors = parts.flatMap(({ spec }) => spec?.selector ?? []);
        assert.ok(selectors.length >= 1);
        for (const selector of selectors) assert.deepEqual(selector.matchLabels ?? selector, labels);
      });
    });
  }

  describe('deploy/systemd/evalgate.service', () => {
    const unit = textOf('deploy/systemd/evalgate.service');
    const setting = (name: string) => new RegExp(`^${name}=(.*)$`, 'm').exec(unit)?.[1] ?? '';

    it('starts, checks and reloads as evalgate does', () => {
      const config = join(folder, 'service.yaml');
      writeFileSync(config, 'cluster: {nodes: ["127.0.0.1:7000"]}\n');
      const words = (name: string) =>
        setting(name).replace('/usr/bin/env evalgate ', '').replace('/etc/evalgate/evalgate.yaml', config).split(' ');
      const checked = run(process.execPath, MAIN, ...words('ExecStartPre'));
      assert.deepEqual(checked, { status: 0, output: `${config} is good\n` });
      assert.deepEqual([...words('ExecStart'), '--check-config'], words('ExecStartPre'));
      assert.match(setting('ExecReload'), /-HUP \$MAINPID$/);
      const { listen } = loadConfig(config, {});
      assert.ok(Number(setting('TimeoutStopSec')) * 1000 > listen.drain_ms);
    });

    it('is a unit that systemd takes', (test) => {
      const verified = run('systemd-analyze', 'verify', join(ROOT, 'deploy/systemd/evalgate.service'));
      if (verified === undefined) return test.skip('systemd-analyze is not installed');
      assert.deepEqual(verified, { status: 0, output: '' });
    });
  });

  describe('metrics', () => {
    /** Names of metrics, with the labels that their samples carry. */
    let scraped: Map<string, Set<string>>;

    before(async () => {
      const headers = { authorization: 'Bearer secret' };
      const { status, text } = await ask(adminPort(gateway.proxy), '/metrics', { headers });
      assert.equal(status, 200);
      scraped = new Map();
      for (const [, name = '', labels = ''] of text.matchAll(/^([a-z]\w*)(?:\{(.*)\})? /gm)) {
        const known = scraped.get(name) ?? new Set();
        for (const [, label = ''] of labels.matchAll(/(\w+)="/g)) known.add(label);
        scraped.set(name, known);
      }
    });

    /** What is wrong with the metrics and labels of a PromQL expression. `job` and `instance` come from Prometheus. */
    function problemsOf(expression: string): string[] {
      const metrics = [...expression.matchAll(/\b((?:evalgate|process|nodejs)_\w+)(?:\{([^}]*)\})?/g)];
      if (metrics.length === 0 && !/^up\b/.test(expression)) return [`names no metric: ${expression}`];
      const grouped = [...expression.matchAll(/by \(([^)]*)\)/g)].flatMap(([, list = '']) => list.split(/, */));
      return metrics.flatMap(([, name = '', matchers = '']) => {
        const labels = scraped.get(name);
        if (labels === undefined) return [`there is no ${name}`];
        const matched = [...matchers.matchAll(/(\w+)=/g)].map(([, label = '']) => label);
        return [...matched, ...grouped]
          .filter((label) => label !== 'job' && label !== 'instance' && !labels.has(label))
          .map((label) => `${name} has no label ${label}`);
      });
    }

    it('the alerts of Prometheus name what /metrics has', () => {
      const rules: Tree[] = parse(textOf('deploy/prometheus/evalgate.rules.yml')).groups.flatMap(
        (group: Tree) => group.rules,
      );
      assert.ok(rules.length > 5);
      for (const rule of rules) {
        assert.deepEqual(problemsOf(rule.expr), [], rule.alert);
        assert.match(rule.for, /^\d+[sm]$/);
        assert.ok(rule.labels.severity && rule.annotations.summary, rule.alert);
      }
    });

    it('the dashboard of Grafana names what /metrics has', () => {
      const dashboard: Tree = JSON.parse(textOf('deploy/grafana/evalgate.json'));
      const targets: Tree[] = dashboard.panels.flatMap((panel: Tree) => panel.targets ?? []);
      assert.ok(targets.length > 20);
      for (const { expr } of targets) assert.deepEqual(problemsOf(expr), []);
      const ids = dashboard.panels.map((panel: Tree) => panel.id);
      assert.equal(new Set(ids).size, ids.length, 'an id is there twice');
    });

    it('a name that is not there is found', () => {
      assert.deepEqual(problemsOf('rate(evalgate_nonsense_total[5m])'), ['there is no evalgate_nonsense_total']);
      assert.deepEqual(problemsOf('sum by (sha) (evalgate_clients)'), ['evalgate_clients has no label sha']);
    });
  });

  describe('Docker', () => {
    const dockerfile = textOf('Dockerfile');

    it('the image is made from files that are there and that .dockerignore lets in', () => {
      const copied = [...dockerfile.matchAll(/^COPY (?!--from)(.*)$/gm)].flatMap(([, words = '']) =>
        words.split(' ').slice(0, -1),
      );
      const admitted = textOf('.dockerignore').split('\n');
      assert.ok(copied.length > 5);
      assert.deepEqual(
        copied.filter((path) => !existsSync(join(ROOT, path)) || !admitted.includes(`!${path}`)),
        [],
      );
    });

    it('its config is good, serves the port that is exposed, and takes the node that compose gives', () => {
      const { services }: Tree = parse(textOf('docker-compose.yml'), { merge: true });
      const config = loadConfig(join(ROOT, 'config/docker.yaml'), services.evalgate.environment);
      assert.equal(config.listen.host, '0.0.0.0');
      assert.match(dockerfile, new RegExp(`^EXPOSE ${config.listen.port}$`, 'm'));
      assert.deepEqual(services.evalgate.ports, [`${config.listen.port}:${config.listen.port}`]);
      assert.ok(config.cluster.nodes.every((node) => Object.hasOwn(services, node.split(':')[0] ?? '')));
      for (const service of Object.values<Tree>(services))
        for (const name of Object.keys(service.depends_on ?? {})) assert.ok(Object.hasOwn(services, name), name);
    });

    it('its command is one of evalgate', () => {
      const command: string[] = JSON.parse(/^CMD (.*)$/m.exec(dockerfile)?.[1] ?? '');
      const [, shipped, inside] = /^COPY (config\S+) (\S+)$/m.exec(dockerfile) ?? [];
      assert.equal(command.at(-1), inside);
      const words = command.with(-1, join(ROOT, shipped ?? ''));
      const env = { ...process.env, REDIS_NODE: '10.0.0.1:7000' };
      const checked = spawnSync(process.execPath, [MAIN, ...words, '--check-config'], { env, encoding: 'utf8' });
      assert.deepEqual([checked.status, checked.stderr], [0, '']);
    });

    it('its health check tells a server from none', async () => {
      const command: string[] = JSON.parse(/^HEALTHCHECK .*? CMD (.*)$/m.exec(dockerfile)?.[1] ?? '');
      assert.match(command.join(' '), /^node -e .*\(6380, /);
      const exitCodeAt = async (port: number) => {
        const words = command.slice(1).map((word) => word.replace('6380', String(port)));
        // Not waited for in place: the server is in this process.
        const [code] = await once(spawn(process.execPath, words), 'close');
        return code;
      };
      assert.equal(await exitCodeAt(gateway.port), 0);
      assert.equal(await exitCodeAt(adminPort(gateway.proxy)), 1);
    });
  });
});
