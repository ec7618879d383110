import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { ConfigWatch } from '../../src/control/config-watch.ts';
import { waitFor } from '../support/cluster.ts';

const EVERY_MS = 10;
/** Many looks: enough for a change that should not be told to be told. */
const SOON_MS = 20 * EVERY_MS;

function watched(t: TestContext, file = 'evalgate.yaml') {
  const folder = mkdtempSync(join(tmpdir(), 'evalgate-watch-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const path = join(folder, file);
  const seen = { changes: 0 };
  const start = () => {
    const watch = new ConfigWatch({
      onChange: () => {
        seen.changes++;
      },
      everyMs: EVERY_MS,
    });
    t.after(() => watch.stop());
    watch.cover([path]);
    return watch;
  };
  const tells = (count: number) => waitFor(`${count} changes`, () => seen.changes === count);
  return { folder, path, seen, start, tells };
}

describe('ConfigWatch', () => {
  it('tells a change of the content once, and none of the times', async (t) => {
    const { path, seen, start, tells } = watched(t);
    writeFileSync(path, 'a');
    start();
    utimesSync(path, 1, 1);
    await pause(SOON_MS);
    assert.equal(seen.changes, 0);
    writeFileSync(path, 'b');
    await tells(1);
    await pause(SOON_MS);
    assert.equal(seen.changes, 1);
  });

  it('sees a symbolic link swapped two folders up, as Kubernetes does it', async (t) => {
    const { folder, path, start, tells } = watched(t);
    for (const version of ['one', 'two']) {
      mkdirSync(join(folder, version));
      writeFileSync(join(folder, version, 'evalgate.yaml'), version);
      utimesSync(join(folder, version, 'evalgate.yaml'), 1, 1);
    }
    symlinkSync('one', join(folder, '..data'));
    symlinkSync('..data/evalgate.yaml', path);
    start();
    symlinkSync('two', join(folder, '..data_tmp'));
    renameSync(join(folder, '..data_tmp'), join(folder, '..data'));
    await tells(1);
  });

  it('tells that a file is gone, and that it is back', async (t) => {
    const { path, start, tells } = watched(t);
    writeFileSync(path, 'a');
    start();
    rmSync(path);
    await tells(1);
    writeFileSync(path, 'a');
    await tells(2);
  });

  it('knows a path that it is to cover from that moment on', async (t) => {
    const { folder, path, start, tells } = watched(t);
    const other = join(folder, 'tls.crt');
    for (const file of [path, other]) writeFileSync(file, 'a');
    const watch = start();
    watch.cover([path, other]);
    writeFileSync(other, 'b');
    await tells(1);
    watch.cover([path]);
    writeFileSync(other, 'c');
    writeFileSync(path, 'b');
    await tells(2);
  });

  it('says nothing after stop', async (t) => {
    const { path, seen, start } = watched(t);
    writeFileSync(path, 'a');
    const watch = start();
    watch.stop();
    writeFileSync(path, 'b');
    await pause(SOON_MS);
    assert.equal(seen.changes, 0);
  });
});
