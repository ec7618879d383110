import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { runCli } from '../../src/control/cli.ts';

const ROOT = join(import.meta.dirname, '../../..');
const folder = mkdtempSync(join(tmpdir(), 'evalgate-cli-'));
after(() => rmSync(folder, { recursive: true }));

const good = join(folder, 'good.yaml');
const bad = join(folder, 'bad.yaml');
writeFileSync(good, 'cluster: {nodes: ["127.0.0.1:7000"]}\n');
writeFileSync(bad, 'cluster: {nodes: ["127.0.0.1:7000"]}\nlisten: {port: 70000}\n');

async function run(...argv: string[]): Promise<{ code: number; out: string; err: string }> {
  let out = '';
  let err = '';
  const code = await runCli(argv, {
    out: (text) => {
      out += text;
    },
    err: (text) => {
      err += text;
    },
    environment: {},
    untilStopSignal: () => Promise.resolve(),
  });
  return { code, out, err };
}

describe('runCli', () => {
  it('tells its version', async () => {
    const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
    assert.deepEqual(await run('--version'), { code: 0, out: `${version}\n`, err: '' });
  });

  for (const argv of [
    ['--help'],
    ['-h'],
    ['serve', '--help'],
    ['dev', '--help'],
    ['check', '--help'],
    ['top', '--help'],
    ['serve', '--config', 'x', '-h'],
  ]) {
    it(`helps: ${argv.join(' ')}`, async () => {
      const { code, out, err } = await run(...argv);
      assert.equal(code, 0);
      assert.match(out, /Usage:/);
      assert.equal(err, '');
    });
  }

  it('names every command in its help', async () => {
    const { out } = await run('--help');
    for (const command of ['serve', 'dev', 'check', 'top'])
      assert.match(out, new RegExp(`^  evalgate ${command} `, 'm'));
  });

  const wrong: [argv: string[], err: string][] = [
    [[], 'evalgate: a command is missing; see evalgate --help\n'],
    [['fly'], 'evalgate: "fly" is not a command; see evalgate --help\n'],
    [['constructor'], 'evalgate: "constructor" is not a command; see evalgate --help\n'],
    [['serve'], 'evalgate serve: --config FILE is missing; see evalgate serve --help\n'],
    [['serve', '--config'], "evalgate serve: Option '--config <value>' argument missing; see evalgate serve --help\n"],
    [['serve', '--confg', 'x'], "evalgate serve: Unknown option '--confg'; see evalgate serve --help\n"],
    [['check'], 'evalgate check: a file or folder is missing; see evalgate check --help\n'],
    [
      ['top', '--url', 'nowhere'],
      'evalgate top: --url must be http://host:port: current value is "nowhere"; see evalgate top --help\n',
    ],
    [['top', 'now'], "evalgate top: Unexpected argument 'now'; see evalgate top --help\n"],
    [['dev', 'now'], "evalgate dev: Unexpected argument 'now'; see evalgate dev --help\n"],
    [
      ['dev', '--port', '70000'],
      'evalgate dev: --port must be 0 to 65535: current value is "70000"; see evalgate dev --help\n',
    ],
    [
      ['dev', '--masters', '0'],
      'evalgate dev: --masters must be 1 to 16: current value is "0"; see evalgate dev --help\n',
    ],
    [
      ['dev', '--replicas', 'x'],
      'evalgate dev: --replicas must be 0 to 4: current value is "x"; see evalgate dev --help\n',
    ],
  ];
  for (const [argv, err] of wrong) {
    it(`ends with 2 and one line: ${argv.join(' ')}`, async () => {
      assert.deepEqual(await run(...argv), { code: 2, out: '', err });
    });
  }

  it('checks a good config', async () => {
    assert.deepEqual(await run('serve', '--config', good, '--check-config'), {
      code: 0,
      out: `${good} is good\n`,
      err: '',
    });
  });

  it('ends with 1 and one line for a bad config', async () => {
    const err = `Cannot load config "${bad}": listen.port must be 0 to 65535: current value is 70000\n`;
    assert.deepEqual(await run('serve', '--config', bad, '--check-config'), { code: 1, out: '', err });
    assert.deepEqual(await run('serve', '--config', bad), { code: 1, out: '', err });
  });
});
