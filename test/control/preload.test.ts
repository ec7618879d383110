import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { pino } from 'pino';
import { OperatorError } from '../../src/base/operator-error.ts';
import { EMPTY_TOPOLOGY } from '../../src/cluster/topology.ts';
import { SHIPPED_TABLE } from '../../src/command/table.ts';
import { ControlClients } from '../../src/control/control-clients.ts';
import { luaFilesAt } from '../../src/control/lua-files.ts';
import { preload } from '../../src/control/preload.ts';
import type { Policy } from '../../src/plan/policy.ts';
import { CheckCounters, ScriptChecks } from '../../src/plan/script-checks.ts';
import { ScriptRegistry } from '../../src/script/registry.ts';
import { shaOf } from '../../src/script/sha.ts';

function folderOf(t: TestContext, files: Readonly<Record<string, string>>): string {
  const folder = mkdtempSync(join(tmpdir(), 'evalgate-preload-'));
  t.after(() => rmSync(folder, { recursive: true }));
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), text);
  }
  return folder;
}

const FILES = { 'a.lua': '', 'b.txt': '', 'x/b.lua': '', 'x/y/c.lua': '', 'x/y/d+e.lua': '', 'z[1].lua': '' };

describe('luaFilesAt', () => {
  const cases: [pattern: string, files: string[]][] = [
    ['', ['a.lua', 'x/b.lua', 'x/y/c.lua', 'x/y/d+e.lua', 'z[1].lua']],
    ['x', ['x/b.lua', 'x/y/c.lua', 'x/y/d+e.lua']],
    ['a.lua', ['a.lua']],
    ['b.txt', ['b.txt']],
    ['z[1].lua', ['z[1].lua']],
    ['*.lua', ['a.lua', 'z[1].lua']],
    ['?.lua', ['a.lua']],
    ['**/*.lua', ['a.lua', 'x/b.lua', 'x/y/c.lua', 'x/y/d+e.lua', 'z[1].lua']],
    ['x/**', ['x/b.lua', 'x/y/c.lua', 'x/y/d+e.lua']],
    ['*/b.lua', ['x/b.lua']],
    ['**/y/*+*', ['x/y/d+e.lua']],
  ];
  for (const [pattern, files] of cases) {
    it(`${pattern === '' ? 'a folder' : pattern}`, (t) => {
      const folder = folderOf(t, FILES);
      assert.deepEqual(
        luaFilesAt(join(folder, pattern)),
        files.map((name) => join(folder, name)),
      );
    });
  }

  it('finds relative paths', (t) => {
    const folder = folderOf(t, FILES);
    const cwd = process.cwd();
    t.after(() => process.chdir(cwd));
    process.chdir(folder);
    assert.deepEqual(luaFilesAt('*.lua'), ['a.lua', 'z[1].lua']);
    assert.deepEqual(luaFilesAt('x/*.lua'), ['x/b.lua']);
    assert.deepEqual(luaFilesAt('./x/y/?.lua'), ['x/y/c.lua']);
  });

  const wrong: [pattern: string, reason: RegExp][] = [
    ['none.lua', /Cannot preload ".*none\.lua": there is no such file$/],
    ['none/*.lua', /Cannot preload ".*none\/\*\.lua": no file matches$/],
    ['*.js', /no file matches$/],
    ['empty', /Cannot preload ".*empty": there is no \*\.lua in it$/],
  ];
  for (const [pattern, reason] of wrong) {
    it(`says what is wrong with ${pattern}`, (t) => {
      const folder = folderOf(t, { 'a.lua': '', 'empty/x.txt': '' });
      assert.throws(() => luaFilesAt(join(folder, pattern)), reason);
    });
  }
});

describe('preload', () => {
  const POLICY: Policy = {
    keylessScripts: 'reject',
    checks: 'refuse',
    checkPolicy: { profile: 'tair', unpack: 'reject', alias: 'reject', maxBytes: 262_144 },
    exempt: new Set(),
  };
  const GOOD = "return redis.call('GET', KEYS[1])\r\n";
  const BAD = "local a = 1\n  return redis.call('GET', unpack(KEYS))";

  async function run(paths: string[], policy: Partial<Policy> = {}, maxBytes = 1e6) {
    const lines: Record<string, unknown>[] = [];
    const log = pino({ level: 'info' }, { write: (line: string) => lines.push(JSON.parse(line)) });
    const events = { onRefusal: () => {}, onNotAnalysed: () => {} };
    const checks = new ScriptChecks({
      policy: { ...POLICY, ...policy },
      table: SHIPPED_TABLE,
      events,
      counters: new CheckCounters(),
    });
    const registry = new ScriptRegistry({ maxBytes, onForgotten: () => {} });
    const clients = new ControlClients({ username: undefined, password: undefined });
    await preload({ paths, checks, registry, clients, topology: EMPTY_TOPOLOGY, log });
    return { registry, lines };
  }

  it('registers every file once, bytes untouched, as of LOAD origin, and logs its sha, with no cluster there', async (t) => {
    const folder = folderOf(t, { 'good.lua': GOOD });
    const { registry, lines } = await run([folder, join(folder, '*.lua')]);
    const script = registry.findBySha(shaOf(Buffer.from(GOOD)));
    assert.equal(script?.origin, 'load');
    assert.equal(script?.body.toString(), GOOD);
    assert.deepEqual(
      lines.map(({ msg, file, sha }) => [msg, file, sha]),
      [['script preloaded', join(folder, 'good.lua'), script?.sha]],
    );
  });

  it('refuses with file, line, column, rule and text, all files at once', async (t) => {
    const folder = folderOf(t, { 'good.lua': GOOD, 'bad.lua': BAD, 'worse.lua': BAD });
    await assert.rejects(run([folder]), (error) => {
      assert.ok(error instanceof OperatorError);
      assert.equal(error.code, 'EVALGATE_PRELOAD');
      const [one, two] = error.message.replace('Cannot preload scripts: ', '').split('; ');
      assert.match(one ?? '', new RegExp(`^${join(folder, 'bad.lua')}:2:\\d+: [a-z-]+: .+`));
      assert.match(two ?? '', new RegExp(`^${join(folder, 'worse.lua')}:2:\\d+: [a-z-]+: .+`));
      return true;
    });
  });

  it('goes by the policy in force', async (t) => {
    const folder = folderOf(t, { 'bad.lua': BAD });
    for (const policy of [
      { checks: 'observe' },
      { checks: 'off' },
      { exempt: new Set([shaOf(Buffer.from(BAD))]) },
    ] as const) {
      assert.equal((await run([folder], policy)).registry.count, 1);
    }
  });

  it('stops when the registry is full', async (t) => {
    const folder = folderOf(t, { 'good.lua': GOOD });
    await assert.rejects(
      run([folder], {}, 100),
      /good\.lua: script registry is full \(scripting\.registry_max_bytes\)$/,
    );
  });
});
