/**
 * The package that `npm pack` makes runs by itself: unpacked beside the dependencies of production, and those only.
 * They are linked from this clone, so that no registry is asked.
 */
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { ask } from '../support/admin.ts';
import { RawClient } from '../support/client.ts';
import { waitFor } from '../support/cluster.ts';
import { Gateway } from '../support/gateway.ts';

const ROOT = join(import.meta.dirname, '../../..');

interface Manifest {
  readonly version: string;
  readonly bin: { readonly evalgate: string };
}

/** Paths below a folder, of files only. */
function filesIn(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1));
}

describe('the npm package', () => {
  const folder = mkdtempSync(join(tmpdir(), 'evalgate-package-'));
  const home = join(folder, 'package');
  let manifest: Manifest;

  before(() => {
    // Its scripts would build, while the tests of this build run.
    const packed = spawnSync('npm', ['pack', '--silent', '--ignore-scripts', '--pack-destination', folder], {
      cwd: ROOT,
      encoding: 'utf8',
    });
    assert.equal(packed.status, 0, packed.stderr);
    const unpacked = spawnSync('tar', ['-xzf', join(folder, packed.stdout.trim()), '-C', folder]);
    assert.equal(unpacked.status, 0);
    manifest = JSON.parse(readFileSync(join(home, 'package.json'), 'utf8'));
    const { packages } = JSON.parse(readFileSync(join(ROOT, 'package-lock.json'), 'utf8')) as {
      packages: Record<string, { dev?: boolean }>;
    };
    for (const [path, { dev }] of Object.entries(packages)) {
      // What is nested comes with what holds it.
      if (path === '' || dev || path.lastIndexOf('node_modules/') > 0 || !existsSync(join(ROOT, path))) continue;
      mkdirSync(join(home, dirname(path)), { recursive: true });
      symlinkSync(join(ROOT, path), join(home, path));
    }
  });
  after(() => rmSync(folder, { recursive: true }));

  function evalgate(...argv: string[]) {
    const { status, stdout, stderr } = spawnSync(process.execPath, [join(home, manifest.bin.evalgate), ...argv], {
      encoding: 'utf8',
    });
    return [status, stdout, stderr];
  }

  function configFile(name: string, config: unknown): string {
    const file = join(folder, name);
    writeFileSync(file, JSON.stringify(config));
    return file;
  }

  it('holds what people read and what the program serves, and nothing of the tests', () => {
    for (const name of ['README.md', 'LICENSE', 'CHANGELOG.md', 'docs/deployment.md', 'config/evalgate.yaml'])
      assert.ok(existsSync(join(home, name)), name);
    const page = 'src/control/admin/page';
    assert.deepEqual(filesIn(join(home, 'dist', page)).sort(), filesIn(join(ROOT, page)).sort());
    const tests = filesIn(home).filter((name) => !name.startsWith('node_modules') && /\.test\.|^test\//.test(name));
    assert.deepEqual(tests, []);
  });

  it('its program begins as one that a shell can start', () => {
    assert.match(readFileSync(join(home, manifest.bin.evalgate), 'utf8'), /^#!\/usr\/bin\/env node\n/);
  });

  it('evalgate --version, serve --check-config and check', () => {
    assert.deepEqual(evalgate('--version'), [0, `${manifest.version}\n`, '']);
    const config = configFile('good.yaml', { cluster: { nodes: ['127.0.0.1:7000'] } });
    assert.deepEqual(evalgate('serve', '--config', config, '--check-config'), [0, `${config} is good\n`, '']);
    const script = join(folder, 'take.lua');
    writeFileSync(script, 'local get = redis.call return get("GET", KEYS[1])');
    assert.equal(evalgate('check', script)[0], 1);
  });

  it('evalgate serve serves clients, metrics and the page', async () => {
    const gateway = await Gateway.start({ masters: 3, replicas: 0 });
    const config = configFile('serve.yaml', {
      listen: { port: 0 },
      cluster: { nodes: gateway.cluster.seeds },
      admin: { port: 0 },
    });
    const child = spawn(process.execPath, [join(home, manifest.bin.evalgate), 'serve', '--config', config]);
    const ended = once(child, 'close');
    try {
      let out = '';
      child.stdout.setEncoding('utf8').on('data', (text) => {
        out += text;
      });
      const portOf = async (message: string) => {
        const line = new RegExp(`^.*"msg":"${message}".*$`, 'm');
        await waitFor(message, () => line.test(out));
        return (JSON.parse(line.exec(out)?.[0] ?? '') as { port: number }).port;
      };
      const client = await RawClient.connect(await portOf('listening'));
      assert.equal(String(await client.command('SET', 'k', 'v')), '+OK\r\n');
      client.close();
      const admin = await portOf('admin listening');
      for (const path of ['/', '/metrics', '/readyz']) assert.equal((await ask(admin, path)).status, 200, path);
      child.kill('SIGTERM');
      assert.equal((await ended)[0], 0);
    } finally {
      child.kill('SIGKILL');
      await gateway.stop();
    }
  });
});
