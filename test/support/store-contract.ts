/**
 * What every script store must do (src/control/stores/script-store.ts), run against each of them; and one that lives in
 * a map, can be told to fail, and can be shared by several keepers as the cluster is.
 */
import assert from 'node:assert/strict';
import { it, type TestContext } from 'node:test';
import {
  type Announcement,
  outranks,
  type ScriptStore,
  type StoredScript,
} from '../../src/control/stores/script-store.ts';
import type { Origin } from '../../src/script/script.ts';
import { type Sha, shaOf } from '../../src/script/sha.ts';

/** What stores in the same place have in common. */
export class Place {
  epoch = 0;
  readonly entries = new Map<Sha, StoredScript>();
  readonly listeners = new Set<(announcement: Announcement) => void>();
  /** Everything that was asked, in order. */
  readonly asked: string[] = [];
  /** Undefined: it answers. */
  failure: Error | undefined;
  isChannelCut = false;
  /** Awaited by every question; for a place that is slow. */
  delay: Promise<void> = Promise.resolve();
}

export class MapStore implements ScriptStore {
  readonly name = 'map';
  readonly #place: Place;
  #listener: ((announcement: Announcement) => void) | undefined;

  constructor(place: Place) {
    this.#place = place;
  }

  async #ask(what: string): Promise<Place> {
    this.#place.asked.push(what);
    await this.#place.delay;
    if (this.#place.failure !== undefined) throw this.#place.failure;
    return this.#place;
  }

  async open(onAnnouncement: (announcement: Announcement) => void): Promise<void> {
    this.#listener = onAnnouncement;
    this.#place.listeners.add(onAnnouncement);
    await this.#ask('open');
  }

  async epoch(): Promise<number> {
    return (await this.#ask('epoch')).epoch;
  }

  async keepEpoch(epoch: number): Promise<void> {
    const place = await this.#ask('keepEpoch');
    place.epoch = Math.max(place.epoch, epoch);
  }

  async put(scripts: readonly StoredScript[]): Promise<void> {
    const { entries } = await this.#ask(`put ${scripts.length}`);
    for (const script of scripts) {
      const held = entries.get(script.sha);
      if (held === undefined || !outranks(held, script)) entries.set(script.sha, script);
    }
  }

  async find(sha: Sha): Promise<StoredScript | undefined> {
    return (await this.#ask('find')).entries.get(sha);
  }

  async *all(): AsyncGenerator<readonly StoredScript[]> {
    yield [...(await this.#ask('all')).entries.values()];
  }

  async missing(scripts: readonly Pick<StoredScript, 'sha' | 'epoch'>[]): Promise<readonly Sha[]> {
    const { entries } = await this.#ask('missing');
    return scripts.filter(({ sha, epoch }) => (entries.get(sha)?.epoch ?? -1) < epoch).map(({ sha }) => sha);
  }

  async removeOlder(epoch: number): Promise<void> {
    const { entries } = await this.#ask('removeOlder');
    for (const entry of entries.values()) if (entry.epoch < epoch) entries.delete(entry.sha);
  }

  async announce(announcement: Announcement): Promise<void> {
    const place = await this.#ask(`announce ${announcement.kind}`);
    if (!place.isChannelCut) for (const listener of place.listeners) listener(announcement);
  }

  close(): void {
    if (this.#listener !== undefined) this.#place.listeners.delete(this.#listener);
  }
}

export function stored(body: string | Buffer, origin: Origin = 'load', epoch = 1): StoredScript {
  const bytes = Buffer.from(body as string);
  return { sha: shaOf(bytes), body: bytes, origin, epoch };
}

const BINARY = Buffer.from([...Array(256).keys()]);

/** Runs the contract; `make` gives an empty store each time. */
export function storeContract(make: (t: TestContext) => Promise<ScriptStore>): void {
  const opened = async (t: TestContext): Promise<ScriptStore> => {
    const store = await make(t);
    await store.open(() => {});
    return store;
  };
  const everything = async (store: ScriptStore): Promise<StoredScript[]> => {
    const all: StoredScript[] = [];
    for await (const piece of store.all()) all.push(...piece);
    return all.sort((a, b) => (a.sha < b.sha ? -1 : 1));
  };

  it('gives back what it was given, byte for byte', async (t) => {
    const store = await opened(t);
    const scripts = [stored(BINARY, 'load', 7), stored('', 'eval', 7), stored('return 1\r\n', 'eval', 1732108790000)];
    await store.put(scripts);
    for (const script of scripts) assert.deepEqual(await store.find(script.sha), script);
    assert.deepEqual(
      await everything(store),
      [...scripts].sort((a, b) => (a.sha < b.sha ? -1 : 1)),
    );
    assert.equal(await store.find(stored('other').sha), undefined);
  });

  it('has no epoch at first, and one that never falls', async (t) => {
    const store = await opened(t);
    assert.equal(await store.epoch(), 0);
    await store.keepEpoch(1732108790000);
    assert.equal(await store.epoch(), 1732108790000);
    await store.keepEpoch(5);
    assert.equal(await store.epoch(), 1732108790000);
  });

  const puts: [name: string, first: [Origin, number], second: [Origin, number], held: [Origin, number]][] = [
    ['a later epoch replaces', ['load', 1], ['eval', 2], ['eval', 2]],
    ['an earlier one does not', ['eval', 2], ['load', 1], ['eval', 2]],
    ['LOAD replaces EVAL', ['eval', 1], ['load', 1], ['load', 1]],
    ['EVAL does not replace LOAD', ['load', 1], ['eval', 1], ['load', 1]],
  ];
  for (const [name, first, second, held] of puts) {
    it(`put: ${name}`, async (t) => {
      const store = await opened(t);
      const script = (which: [Origin, number]) => stored('return 1', ...which);
      await store.put([script(first)]);
      await store.put([script(second)]);
      assert.deepEqual(await store.find(script(held).sha), script(held));
    });
  }

  it('says what is missing, or there with a lower stamp only', async (t) => {
    const store = await opened(t);
    const [a, b, c] = [stored('a', 'load', 5), stored('b', 'load', 5), stored('c', 'eval', 5)];
    await store.put([a, b]);
    assert.deepEqual(await store.missing([a, { ...b, epoch: 6 }, c]), [b.sha, c.sha]);
    assert.deepEqual(await store.missing([]), []);
  });

  it('removes what is older, nothing else', async (t) => {
    const store = await opened(t);
    const scripts = Array.from({ length: 200 }, (_, i) => stored(`return ${i}`, i % 2 ? 'load' : 'eval', i));
    await store.put(scripts);
    await store.removeOlder(150);
    assert.deepEqual(
      (await everything(store)).map(({ epoch }) => epoch).sort((a, b) => a - b),
      Array.from({ length: 50 }, (_, i) => 150 + i),
    );
  });
}
