import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { DirectoryStore } from '../../../src/control/stores/directory.ts';
import { storeContract, stored } from '../../support/store-contract.ts';

interface Opened {
  readonly store: DirectoryStore;
  readonly folder: string;
  readonly damaged: string[];
}

async function open(t: TestContext): Promise<Opened> {
  const parent = mkdtempSync(join(tmpdir(), 'evalgate-store-'));
  t.after(() => rmSync(parent, { recursive: true, force: true }));
  const folder = join(parent, 'deep/scripts');
  const damaged: string[] = [];
  const store = new DirectoryStore(folder, (entry, reason) => damaged.push(`${entry}: ${reason}`));
  await store.open();
  return { store, folder, damaged };
}

describe('DirectoryStore', () => {
  storeContract(async (t) => (await open(t)).store);

  it('holds bodies in files named by their sha, and leaves no temporary files', async (t) => {
    const { store, folder } = await open(t);
    const script = stored('return 1\n', 'eval', 3);
    await store.put([script, script]);
    await store.keepEpoch(3);
    assert.deepEqual(readdirSync(folder).sort(), [`${script.sha}.lua`, `${script.sha}.stamp`, 'epoch'].sort());
    assert.equal(readFileSync(join(folder, `${script.sha}.lua`), 'utf8'), 'return 1\n');
    assert.equal(readFileSync(join(folder, `${script.sha}.stamp`), 'utf8'), 'eval 3\n');
  });

  it('skips a damaged file, tells of it, and takes the script anew', async (t) => {
    const { store, folder, damaged } = await open(t);
    const [good, bad] = [stored('return 1'), stored('return 2')];
    await store.put([good, bad]);
    writeFileSync(join(folder, `${bad.sha}.lua`), 'return');
    assert.equal(await store.find(bad.sha), undefined);
    assert.match(damaged[0] ?? '', new RegExp(`${bad.sha}\\.lua: its content has the sha [0-9a-f]{40}$`));
    const all: unknown[] = [];
    for await (const piece of store.all()) all.push(...piece);
    assert.deepEqual(all, [good]);
    await store.put([bad]);
    assert.deepEqual(await store.find(bad.sha), bad);
  });

  it('takes a body that somebody put there, or whose stamp is damaged, as loaded in the epoch in force', async (t) => {
    const { store, folder } = await open(t);
    await store.keepEpoch(9);
    const script = stored('return 3', 'load', 9);
    writeFileSync(join(folder, `${script.sha}.lua`), script.body);
    assert.deepEqual(await store.find(script.sha), script);
    writeFileSync(join(folder, `${script.sha}.stamp`), 'eval');
    assert.deepEqual(await store.find(script.sha), script);
  });

  it('removes what a crash left behind, but not what is being written', async (t) => {
    const { store, folder } = await open(t);
    for (const name of ['.old.tmp', '.new.tmp']) writeFileSync(join(folder, name), '');
    utimesSync(join(folder, '.old.tmp'), 1, 1);
    await store.open();
    assert.deepEqual(readdirSync(folder), ['.new.tmp']);
  });

  it('never finds a flushed script with another stamp, at whatever moment of its removal', async (t) => {
    const { store } = await open(t);
    const other = await open(t);
    const reader = new DirectoryStore(other.folder, () => {});
    for (let epoch = 1; epoch < 150; epoch++) {
      await other.store.put([stored('return 1', 'load', epoch)]);
      await other.store.keepEpoch(epoch + 1);
      const sha = stored('return 1').sha;
      const looking = Array.from({ length: 8 }, async (_, i) => {
        for (let turn = 0; turn < i; turn++) await store.epoch();
        return await reader.find(sha);
      });
      await other.store.removeOlder(epoch + 1);
      for (const found of await Promise.all(looking)) assert.equal(found?.epoch ?? epoch, epoch);
    }
  });

  it('ignores files that are not its own', async (t) => {
    const { store, folder } = await open(t);
    mkdirSync(join(folder, 'sub'));
    writeFileSync(join(folder, 'readme.lua'), 'x');
    await store.removeOlder(100);
    for await (const piece of store.all()) assert.deepEqual(piece, []);
    assert.deepEqual(readdirSync(folder).sort(), ['readme.lua', 'sub']);
  });

  it('makes the folder again when it is gone, and rejects when it cannot', async (t) => {
    const { store, folder } = await open(t);
    rmSync(folder, { recursive: true });
    assert.equal(await store.epoch(), 0);
    await store.put([stored('return 1')]);
    rmSync(folder, { recursive: true });
    writeFileSync(folder, 'in the way');
    await assert.rejects(store.epoch());
    await assert.rejects(store.put([stored('return 1')]));
    await assert.rejects(store.find(stored('return 1').sha));
  });
});
