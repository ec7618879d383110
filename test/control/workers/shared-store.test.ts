/** The store of workers, with the primary and another worker at the ends of channels in this process. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { MemoryStore } from '../../../src/control/stores/memory-store.ts';
import type { Announcement, ScriptStore, StoredScript } from '../../../src/control/stores/script-store.ts';
import type { PrimaryAsks, WorkerAsks } from '../../../src/control/workers/calls.ts';
import { type Handlers, Peer } from '../../../src/control/workers/peer.ts';
import { Relay } from '../../../src/control/workers/relay.ts';
import { RemoteStore, SharedStore } from '../../../src/control/workers/shared-store.ts';
import type { WorkerHandle } from '../../../src/control/workers/worker-handle.ts';
import { linkedChannels } from '../../support/linked-channels.ts';
import { MapStore, Place, storeContract, stored } from '../../support/store-contract.ts';

/** A worker whose only part is its store. */
class StoreWorker {
  readonly store: SharedStore;
  readonly heard: Announcement[] = [];
  /** What its registry would hold. */
  readonly held = new Map<string, StoredScript>();
  /** Awaited before it takes note of an announcement. */
  delay: Promise<void> = Promise.resolve();

  constructor(relay: Relay, serving: WorkerHandle[], configured?: ScriptStore) {
    const [here, there] = linkedChannels();
    const handle = {
      clientCount: 0,
      ask: (call: never, argument: never) => primary.ask(call, argument),
    } as unknown as WorkerHandle;
    const primary = new Peer<WorkerAsks, PrimaryAsks>(there, {
      ...relay.handlersFor(handle),
    } as unknown as Handlers<WorkerAsks>);
    const worker = new Peer<PrimaryAsks, WorkerAsks>(here, {
      announced: async (announcement: Announcement) => {
        await this.delay;
        this.store.onAnnounced(announcement);
        return undefined;
      },
      find: (sha: string) => this.held.get(sha),
    } as unknown as Handlers<PrimaryAsks>);
    this.store = new SharedStore(configured ?? new RemoteStore(worker), worker);
    serving.push(handle);
  }

  async open(): Promise<void> {
    await this.store.open((announcement) => this.heard.push(announcement));
  }
}

function crew(count: number, configured: (index: number) => ScriptStore | undefined = () => undefined): StoreWorker[] {
  const serving: WorkerHandle[] = [];
  const relay = new Relay(() => serving, new MemoryStore(1_000_000));
  return Array.from({ length: count }, (_, i) => new StoreWorker(relay, serving, configured(i)));
}

describe('SharedStore over the memory of the primary', () => {
  storeContract(async () => {
    const [worker] = crew(1);
    assert.ok(worker);
    return worker.store;
  });

  it('shows every worker what one has put, in pieces of any number', async () => {
    const [a, b] = crew(2);
    assert.ok(a && b);
    const scripts = Array.from({ length: 250 }, (_, i) => stored(`return ${i}`));
    await a.store.put(scripts);
    const seen: StoredScript[] = [];
    for await (const piece of b.store.all()) seen.push(...piece);
    assert.equal(seen.length, 250);
    assert.deepEqual(await b.store.find(scripts[7]?.sha ?? stored('').sha), scripts[7]);
  });

  it('rejects what does not fit', async () => {
    const relay = new Relay(() => [], new MemoryStore(4096));
    const worker = new StoreWorker(relay, []);
    await assert.rejects(worker.store.put([stored('x'.repeat(5000))]), /registry_max_bytes/);
    await worker.store.put([stored('y'.repeat(5000), 'eval')]);
    assert.equal(await worker.store.find(stored('y'.repeat(5000)).sha), undefined);
  });

  it('does not miss what had to go for others', async () => {
    const relay = new Relay(() => [], new MemoryStore(4096));
    const { store } = new StoreWorker(relay, []);
    const scripts = Array.from({ length: 20 }, (_, i) => stored(`return ${i} --${'x'.repeat(100)}`, 'eval'));
    await store.put(scripts);
    assert.equal(await store.find(scripts[0]?.sha ?? stored('').sha), undefined, 'the first had to go');
    assert.deepEqual(await store.missing(scripts), []);
  });
});

describe('SharedStore', () => {
  it('finds what only the registry of another worker has', async () => {
    const [a, b, c] = crew(3);
    assert.ok(a && b && c);
    const script = stored('return 1', 'eval');
    c.held.set(script.sha, script);
    assert.deepEqual(await a.store.find(script.sha), script);
    assert.equal(await c.store.find(script.sha), undefined, 'it does not ask itself');
  });

  it('finds it there although the store does not answer, and rejects when nobody has it', async () => {
    const place = new Place();
    place.failure = new Error('the store is down');
    const [a, b] = crew(2, () => new MapStore(place));
    assert.ok(a && b);
    const script = stored('return 1');
    b.held.set(script.sha, script);
    assert.deepEqual(await a.store.find(script.sha), script);
    await assert.rejects(a.store.find(stored('return 2').sha), /the store is down/);
  });

  it('announces to the others, who have taken note when it settles, and to the channel of the store', async () => {
    const place = new Place();
    const stranger = new MapStore(place);
    const told: Announcement[] = [];
    await stranger.open((announcement) => told.push(announcement));
    const [a, b, c] = crew(3, () => new MapStore(place));
    assert.ok(a && b && c);
    for (const worker of [a, b, c]) await worker.open();
    place.listeners.delete([...place.listeners].at(-1) ?? (() => {}));
    let release = (): void => {};
    b.delay = new Promise((resolve) => {
      release = resolve;
    });
    let isSettled = false;
    const announcement: Announcement = { kind: 'flushed', epoch: 7 };
    const announced = a.store.announce(announcement).then(() => {
      isSettled = true;
    });
    while (c.heard.length === 0) await new Promise((resolve) => setImmediate(resolve));
    assert.equal(isSettled, false);
    release();
    await announced;
    assert.ok(b.heard.some((one) => one.kind === 'flushed' && one.epoch === 7));
    assert.deepEqual(told, [announcement]);
  });
});
