import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { OperatorError } from '../../src/base/operator-error.ts';
import { type Config, type ConfigInput, configFrom } from '../../src/control/config.ts';
import type { Change } from '../../src/control/config-diff.ts';
import { createLogger } from '../../src/control/log.ts';
import { type Prepared, Reloader } from '../../src/control/reload.ts';

function config(more: Partial<ConfigInput> = {}): Config {
  return configFrom({ cluster: { nodes: ['127.0.0.1:7000'] }, ...more });
}

/** A reloader over a variable instead of a proxy. */
class Stand {
  current = config();
  next: Config | OperatorError = this.current;
  fileChanges: Change[] = [];
  commits = 0;
  running = 0;
  readonly lines: Record<string, unknown>[] = [];
  /** Instead of a quick and successful preparation. */
  prepareBy: (() => Promise<void>) | undefined;
  isStopping = false;
  readonly reloader = new Reloader({
    log: createLogger({ level: 'info', format: 'json' }, { write: (line) => this.lines.push(JSON.parse(line)) }),
    read: () => {
      if (this.next instanceof OperatorError) throw this.next;
      return this.next;
    },
    current: () => this.current,
    isStopping: () => this.isStopping,
    prepare: (next) => this.#prepare(next),
  });

  async #prepare(next: Config): Promise<Prepared> {
    this.running++;
    assert.equal(this.running, 1, 'one at a time');
    await this.prepareBy?.();
    this.running--;
    return {
      fileChanges: this.fileChanges,
      commit: () => {
        this.commits++;
        this.current = next;
      },
    };
  }

  get told(): unknown[] {
    return this.lines.map(({ msg, key, from, to, problem }) => problem ?? (key ? `${key}: ${from} → ${to}` : msg));
  }
}

describe('Reloader', () => {
  it('switches, and tells every change from and to', async () => {
    const stand = new Stand();
    stand.next = config({ limits: { redirects: 3 }, log: { level: 'warn' } });
    const outcome = await stand.reloader.reload();
    assert.equal(outcome.kind, 'changed');
    assert.equal(stand.current, stand.next);
    assert.deepEqual(stand.told, ['limits.redirects: 16 → 3', 'log.level: info → warn', 'config reloaded']);
  });

  it('says that nothing has changed', async () => {
    const stand = new Stand();
    stand.next = config();
    assert.deepEqual(await stand.reloader.reload(), { kind: 'unchanged' });
    assert.deepEqual(stand.told, ['config reloaded: nothing has changed']);
  });

  it('switches when only a file has changed that the config names', async () => {
    const stand = new Stand();
    stand.fileChanges = [{ key: 'scripting.preload a.lua', from: 'not loaded', to: 'sha' }];
    assert.equal((await stand.reloader.reload()).kind, 'changed');
    assert.equal(stand.commits, 1);
  });

  it('refuses all when one key needs a restart, and names every such key', async () => {
    const stand = new Stand();
    const before = stand.current;
    stand.next = config({ limits: { redirects: 3 }, listen: { port: 1, host: '::1' }, log: { format: 'pretty' } });
    const problems = [
      'listen.host cannot change without a restart: 127.0.0.1 → ::1',
      'listen.port cannot change without a restart: 6380 → 1',
      'log.format cannot change without a restart: json → pretty',
    ];
    assert.deepEqual(await stand.reloader.reload(), { kind: 'refused', problems });
    assert.equal(stand.current, before);
    assert.deepEqual(stand.told, problems);
  });

  it('refuses what cannot be read, one line a problem', async () => {
    const stand = new Stand();
    stand.next = new OperatorError('EVALGATE_CONFIG', 'Cannot load: a; b', { problems: ['a', 'b'] });
    assert.deepEqual(await stand.reloader.reload(), { kind: 'refused', problems: ['a', 'b'] });
    assert.deepEqual(stand.told, ['a', 'b']);
  });

  it('refuses what the preparation refuses, and a defect in it', async () => {
    const stand = new Stand();
    stand.prepareBy = () => Promise.reject(new OperatorError('EVALGATE_PRELOAD', 'bad script'));
    assert.deepEqual(await stand.reloader.reload(), { kind: 'refused', problems: ['bad script'] });
    stand.running = 0;
    stand.prepareBy = () => Promise.reject(new TypeError('oops'));
    assert.deepEqual(await stand.reloader.reload(), { kind: 'refused', problems: ['TypeError: oops'] });
    assert.equal(stand.commits, 0);
  });

  it('runs one at a time; those who ask meanwhile share the next', async () => {
    const stand = new Stand();
    const gates: (() => void)[] = [];
    stand.prepareBy = () => new Promise((resolve) => gates.push(resolve));
    const first = stand.reloader.reload();
    while (gates.length < 1) await Promise.resolve();
    const second = stand.reloader.reload();
    const third = stand.reloader.reload();
    stand.next = config({ limits: { redirects: 5 } });
    gates[0]?.();
    await first;
    while (gates.length < 2) await Promise.resolve();
    gates[1]?.();
    assert.equal(await second, await third);
    assert.equal(stand.current.limits.redirects, 5);
    assert.equal(stand.commits, 2);
  });

  it('refuses without a config file', async () => {
    const stand = new Stand();
    const reloader = new Reloader({
      log: createLogger({ level: 'silent', format: 'json' }),
      read: undefined,
      current: () => stand.current,
      isStopping: () => false,
      prepare: () => assert.fail('there is nothing to prepare'),
    });
    assert.deepEqual(await reloader.reload(), {
      kind: 'refused',
      problems: ['evalgate was not started with a config file'],
    });
  });

  it('changes nothing once evalgate stops, also when that begins while it prepares', async () => {
    const stand = new Stand();
    stand.next = config({ limits: { redirects: 3 } });
    stand.prepareBy = async () => {
      stand.isStopping = true;
    };
    const stops = { kind: 'refused', problems: ['evalgate stops'] };
    assert.deepEqual([await stand.reloader.reload(), await stand.reloader.reload()], [stops, stops]);
    assert.equal(stand.commits, 0);
  });
});
