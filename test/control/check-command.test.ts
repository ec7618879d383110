import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { runCheck } from '../../src/control/check-command.ts';
import { UsageError } from '../../src/control/cli-options.ts';

const MAIN = join(import.meta.dirname, '../../src/main.js');
const NESTED = 'ERR bad lua script for redis cluster, nested redis.call/redis.pcall';
const BAD = "redis.call('SET', KEYS[1],\n  redis.call('GET', KEYS[2]))\nredis.call(x)";

interface Run {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

async function run(argv: readonly string[], stdin = ''): Promise<Run> {
  let out = '';
  let err = '';
  const code = await runCheck(argv, {
    out: (text) => {
      out += text;
    },
    err: (text) => {
      err += text;
    },
    environment: {},
    stdin: (async function* () {
      yield Buffer.from(stdin);
    })(),
  });
  return { code, out, err };
}

describe('evalgate check', () => {
  let folder: string;
  const at = (name: string) => join(folder, name);
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'evalgate-check-'));
    mkdirSync(at('deep/er'), { recursive: true });
    writeFileSync(at('deep/good.lua'), "return redis.call('GET', KEYS[1])");
    writeFileSync(at('deep/er/bad.lua'), BAD);
    writeFileSync(at('deep/er/notes.txt'), BAD);
    writeFileSync(at('key.lua'), "return redis.call('GET', KEYS[1] .. 'x', redis.call('GET', 'y'))");
    writeFileSync(at('broken.lua'), 'return return');
    writeFileSync(at('many.lua'), 'redis.call(x)\n'.repeat(100));
    const sha = createHash('sha1').update(BAD).digest('hex');
    const scripting = `{script_check_profile: tair_legacy, script_check_exempt: [${sha}]}`;
    writeFileSync(at('evalgate.yaml'), `cluster: {nodes: ['127.0.0.1:7000']}\nscripting: ${scripting}\n`);
  });
  after(() => rmSync(folder, { recursive: true }));

  it('ends with 0 when nothing is refused, and prints the sha', async () => {
    const { code, out } = await run([at('deep/good.lua')]);
    assert.equal(code, 0);
    assert.match(
      out,
      /good\.lua: sha d3c21d0c2b9ca22f82737626a27bcaf5d288f99f\n1 file checked: 0 errors, 0 warnings, 0 notes\n$/,
    );
  });

  it('ends with 1 and lists every finding of every file in a folder, sorted', async () => {
    const { code, out } = await run([at('deep')]);
    const bad = at('deep/er/bad.lua');
    assert.equal(code, 1);
    assert.ok(out.startsWith(`${bad}:2:3: error nested: ${NESTED}\n    put `));
    assert.ok(out.includes(`\n${bad}:3:1: error literal: ERR bad lua script`));
    assert.ok(out.indexOf(bad) < out.indexOf(at('deep/good.lua')));
    assert.ok(out.endsWith('2 files checked: 2 errors, 0 warnings, 0 notes\n'));
  });

  it('reads stdin for -', async () => {
    const { code, out } = await run(['-'], BAD);
    assert.equal(code, 1);
    assert.ok(out.startsWith(`-:2:3: error nested: ${NESTED}\n`));
  });

  it('gives JSON', async () => {
    const { code, out } = await run(['--format', 'json', at('deep')]);
    const { files, summary } = JSON.parse(out);
    assert.equal(code, 1);
    assert.deepEqual(summary, { files: 2, errors: 2, warnings: 0, notes: 0 });
    const [{ path, sha, findings }] = files;
    assert.deepEqual([path, sha], [at('deep/er/bad.lua'), createHash('sha1').update(BAD).digest('hex')]);
    assert.deepEqual(findings[0], {
      rule: 'nested',
      severity: 'error',
      text: NESTED,
      line: 2,
      column: 3,
      sourceLine: "  redis.call('GET', KEYS[2]))",
      advice: 'put the result of the inner call into a local first',
    });
  });

  it('gives annotations for GitHub', async () => {
    const { out } = await run(['--format=github', at('deep/er/bad.lua')]);
    const file = at('deep/er/bad.lua').replaceAll(':', '%3A');
    assert.ok(out.startsWith(`::error file=${file},line=2,col=3,title=evalgate nested::${NESTED}%0Aput `), out);
  });

  it('does not fail for warnings and notes', async () => {
    const { code, out } = await run(['--profile', 'safe', at('key.lua'), at('broken.lua')]);
    assert.equal(code, 0);
    assert.match(out, /key\.lua:1:8: note key-slot: .*builds a key from KEYS\[1\]/);
    assert.match(out, /key\.lua:1:42: warning key-slot: /);
    assert.match(out, /broken\.lua:1:1: warning not-analysed: not analysed: it does not parse/);
    assert.match(out, /2 files checked: 0 errors, 2 warnings, 1 note\n$/);
  });

  it('takes its switches from a config; the profile given on the command line counts before', async () => {
    const config = ['--config', at('evalgate.yaml')];
    const legacy = await run([...config, '-'], "return redis.call('GET', 'x')");
    assert.deepEqual([legacy.code, /error keys-array/.test(legacy.out)], [1, true]);
    assert.equal((await run([...config, '--profile', 'tair', '-'], "return redis.call('GET', 'x')")).code, 0);
    assert.equal((await run([...config, at('deep')])).code, 0, 'exempt');
  });

  it('ends with 2 and one line for what it cannot read', async () => {
    assert.deepEqual(await run([at('deep'), at('none.lua')]), {
      code: 2,
      out: '',
      err: `Cannot read "${at('none.lua')}": there is no such file\n`,
    });
    assert.equal((await run(['--config', at('none.yaml'), at('deep')])).code, 2);
  });

  it('refuses a wrong command line', async () => {
    for (const argv of [[], ['--profile', 'strict', 'x'], ['--format', 'xml', 'x'], ['--nope', 'x']]) {
      await assert.rejects(run(argv), UsageError, argv.join(' '));
    }
  });

  describe('as a process', () => {
    const start = (argv: readonly string[], input: string) => {
      const { status, stdout, stderr } = spawnSync(process.execPath, [MAIN, 'check', ...argv], {
        input,
        maxBuffer: 1e8,
      });
      return { status, out: String(stdout), err: String(stderr) };
    };

    it('reads its stdin, and ends with 0, 1 or 2', () => {
      const good = start(['-'], "return redis.call('GET', KEYS[1])");
      assert.deepEqual([good.status, good.err], [0, '']);
      assert.match(good.out, /^-: sha d3c21d0c2b9ca22f82737626a27bcaf5d288f99f\n1 file checked/);
      const bad = start(['--profile=safe', '-'], "return redis.call('NOPE')");
      assert.deepEqual([bad.status, bad.err], [1, '']);
      assert.match(bad.out, /^-:1:8: error unknown-command: .* unkown redis command NOPE\n/);
      assert.deepEqual(start([], ''), {
        status: 2,
        out: '',
        err: 'evalgate check: a file or folder is missing; see evalgate check --help\n',
      });
    });

    it('writes all it has to say into a pipe', () => {
      const paths = Array.from({ length: 50 }, () => at('many.lua'));
      const { status, out } = start(['--format', 'json', ...paths], '');
      assert.equal(status, 1);
      assert.ok(out.length > 1e6);
      assert.deepEqual(JSON.parse(out).summary, { files: 50, errors: 5000, warnings: 0, notes: 0 });
    });
  });
});
