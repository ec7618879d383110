/**
 * StoreKeeper against a store in a map: what is written when, who waits for what, and whose scripts a flush takes.
 * Time is the test's: `tick` is one look at the store.
 */
import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { pino } from 'pino';
import { StoreCounters } from '../../../src/control/stores/store-counters.ts';
import { StoreKeeper } from '../../../src/control/stores/store-keeper.ts';
import { ScriptRegistry } from '../../../src/script/registry.ts';
import type { Script } from '../../../src/script/script.ts';
import { MapStore, Place, stored } from '../../support/store-contract.ts';

const NOW_MS = 1_732_108_790_000;

class Evalgate {
  readonly registry: ScriptRegistry;
  readonly keeper: StoreKeeper;
  readonly counters = new StoreCounters();
  readonly log: { level: number; msg: string }[] = [];
  nowMs = NOW_MS;

  constructor(place: Place, maxEvalBytesPerDay = 1e6) {
    const log = pino({ level: 'info' }, { write: (line: string) => this.log.push(JSON.parse(line)) });
    this.registry = new ScriptRegistry({
      maxBytes: 1e6,
      onForgotten: (script) => this.keeper.onForgotten(script),
      onReused: (script) => this.keeper.onReused(script),
    });
    const { registry, counters } = this;
    const now = () => this.nowMs;
    this.keeper = new StoreKeeper({ store: new MapStore(place), registry, log, counters, maxEvalBytesPerDay, now });
  }

  async load(body: string): Promise<Script> {
    const script = this.registry.load(Buffer.from(body));
    assert.ok(script);
    await this.keeper.keep(script);
    return script;
  }

  /** As two EVALs do, or more. */
  learn(body: string, uses = 2): Script {
    const script = this.registry.learn(Buffer.from(body));
    assert.ok(script);
    for (let i = 1; i < uses; i++) this.registry.touch(script);
    return script;
  }

  holds(body: string): boolean {
    return this.registry.findBySha(stored(body).sha) !== undefined;
  }

  get warnings(): string[] {
    return this.log.filter(({ level }) => level >= 40).map(({ msg }) => msg);
  }
}

async function settle(): Promise<void> {
  for (let i = 0; i < 20; i++) await nextTurn();
}

interface Stage {
  readonly place: Place;
  start(maxEvalBytesPerDay?: number): Promise<Evalgate>;
  /** One look at the store, by all; and batches are written. */
  tick(times?: number): Promise<void>;
}

function stage(t: TestContext): Stage {
  t.mock.timers.enable({ apis: ['setInterval', 'setTimeout'] });
  const place = new Place();
  const all: Evalgate[] = [];
  t.after(() => Promise.all(all.map(({ keeper }) => keeper.stop())));
  const tick = async (times = 1) => {
    for (let i = 0; i < times; i++) {
      for (const evalgate of all) evalgate.nowMs += 500;
      t.mock.timers.tick(500);
      await settle();
    }
  };
  const start = async (maxEvalBytesPerDay?: number) => {
    const evalgate = new Evalgate(place, maxEvalBytesPerDay);
    all.push(evalgate);
    await evalgate.keeper.open();
    return evalgate;
  };
  return { place, start, tick };
}

describe('StoreKeeper', () => {
  it('SCRIPT LOAD settles when the store has it, and the others are told', async (t) => {
    const { place, start } = stage(t);
    const [a, b] = [await start(), await start()];
    const { sha } = await a.load('return 1');
    assert.deepEqual(place.entries.get(sha), stored('return 1', 'load', 1));
    await settle();
    assert.equal(b.registry.findBySha(sha)?.origin, 'load');
    assert.equal(b.registry.findBySha(sha)?.epoch, 1);
  });

  it('writes what came by EVAL from the second use on, behind, in a batch', async (t) => {
    const { place, start, tick } = stage(t);
    const a = await start();
    for (let i = 0; i < 250; i++) a.learn(`return ${i}`, i % 2 ? 1 : 3);
    assert.equal(place.entries.size, 0);
    place.asked.length = 0;
    await tick();
    assert.equal(place.entries.size, 125);
    assert.deepEqual(
      place.asked.filter((asked) => asked.startsWith('put')),
      ['put 100', 'put 25'],
    );
    assert.ok([...place.entries.values()].every(({ origin }) => origin === 'eval'));
  });

  it('writes nothing of a flood, and a bounded part of a flood that comes twice', async (t) => {
    const { place, start, tick } = stage(t);
    const a = await start(1000);
    for (let i = 0; i < 20_000; i++) a.learn(`return ${i}`, 1);
    await tick(3);
    assert.equal(place.entries.size, 0);
    for (let i = 0; i < 1000; i++) a.learn(`return -${i}`, 2);
    await tick(3);
    const bytes = [...place.entries.values()].reduce((sum, { body }) => sum + body.length, 0);
    assert.ok(bytes > 900 && bytes <= 1000);
    assert.ok(a.counters.notSaved > 800);
  });

  it('forgets to write what the registry forgot meanwhile', async (t) => {
    const { place, start, tick } = stage(t);
    const a = await start();
    a.registry.forget(a.learn('does not compile'));
    await tick();
    assert.equal(place.entries.size, 0);
  });

  it('reads everything back at start, void entries excepted', async (t) => {
    const { place, start, tick } = stage(t);
    place.epoch = 5;
    for (const entry of [stored('void', 'load', 4), stored('load', 'load', 5), stored('eval', 'eval', 9)]) {
      place.entries.set(entry.sha, entry);
    }
    const a = await start();
    assert.deepEqual([a.holds('void'), a.holds('load'), a.holds('eval')], [false, true, true]);
    assert.equal(a.registry.findBySha(stored('eval').sha)?.origin, 'eval');
    await tick();
    assert.equal(place.entries.size, 2);
  });

  describe('look-ups', () => {
    it('a miss is not remembered', async (t) => {
      const { place, start } = stage(t);
      const a = await start();
      const entry = stored('return 1');
      await a.keeper.lookUp(entry.sha);
      assert.ok(!a.holds('return 1'));
      place.entries.set(entry.sha, entry);
      await a.keeper.lookUp(entry.sha.toUpperCase());
      assert.ok(a.holds('return 1'));
      assert.equal(a.counters.found, 1);
    });

    it('are joined only before they begin', async (t) => {
      const { place, start } = stage(t);
      const a = await start();
      const { sha } = stored('return 1');
      place.asked.length = 0;
      const all = Array.from({ length: 50 }, () => a.keeper.lookUp(sha));
      await Promise.all(all);
      assert.equal(place.asked.filter((asked) => asked === 'find').length, 2);
    });

    it('ask nobody for what is no sha', async (t) => {
      const { start } = stage(t);
      const a = await start();
      assert.equal(a.keeper.lookUp('x'.repeat(40)), undefined);
      assert.equal(a.keeper.lookUp('abc'), undefined);
    });

    it('take a second at most', async (t) => {
      const { place, start, tick } = stage(t);
      const a = await start();
      place.delay = new Promise(() => {});
      let isSettled = false;
      const asked = a.keeper.lookUp(stored('return 1').sha)?.then(() => {
        isSettled = true;
      });
      await tick(1);
      assert.equal(isSettled, false);
      await tick(1);
      await asked;
      place.delay = Promise.resolve();
    });
  });

  describe('a flush', () => {
    it('empties the registry at once, the store behind it, and the others when they hear of it', async (t) => {
      const { place, start } = stage(t);
      const [a, b] = [await start(), await start()];
      await a.load('return 1');
      await b.load('return 2');
      b.learn('return 3');
      const flushed = a.keeper.flush();
      assert.equal(a.registry.count, 0);
      await flushed;
      await settle();
      assert.equal(b.registry.count, 0);
      assert.equal(place.entries.size, 0);
      assert.equal(place.epoch, NOW_MS);
      assert.equal(b.counters.flushesHeard, 1);
    });

    it('is heard of at the next tick when the channel is cut', async (t) => {
      const { place, start, tick } = stage(t);
      const [a, b] = [await start(), await start()];
      await b.load('return 2');
      place.isChannelCut = true;
      await a.keeper.flush();
      assert.ok(b.holds('return 2'));
      await tick();
      assert.equal(b.registry.count, 0);
    });

    it('takes what is older, not what was loaded after it by one that has not heard of it', async (t) => {
      const { place, start, tick } = stage(t);
      const [a, b] = [await start(), await start()];
      await b.load('before');
      place.isChannelCut = true;
      await a.keeper.flush();
      await b.load('after');
      assert.deepEqual([b.holds('before'), b.holds('after')], [false, true]);
      await tick();
      assert.ok(b.holds('after'));
      await a.keeper.lookUp(stored('after').sha);
      assert.ok(a.holds('after'));
    });

    it('raises the epoch even where the clock stands still or is behind', async (t) => {
      const { place, start } = stage(t);
      const [a, b] = [await start(), await start()];
      b.nowMs = 1000;
      const epochs: number[] = [];
      for (const one of [a, a, b, b, a]) {
        await one.load('return 1');
        await one.keeper.flush();
        assert.equal(one.registry.count, 0);
        epochs.push(place.epoch);
      }
      assert.deepEqual(
        epochs,
        [0, 1, 2, 3, 4].map((more) => NOW_MS + more),
      );
    });

    it('that the store did not take is caught up with, and voids only what is older', async (t) => {
      const { place, start, tick } = stage(t);
      const a = await start();
      await a.load('before');
      place.failure = new Error('down');
      await a.keeper.flush();
      a.nowMs += 10;
      await a.load('after');
      assert.equal(place.entries.size, 1);
      place.failure = undefined;
      await tick(2);
      assert.deepEqual([...place.entries.keys()], [stored('after').sha]);
      const b = await start();
      assert.deepEqual([b.holds('before'), b.holds('after')], [false, true]);
    });

    it('during a SCRIPT LOAD leaves registry and store of one mind', async (t) => {
      const { place, start, tick } = stage(t);
      const a = await start();
      await Promise.all([a.load('return 1'), a.keeper.flush()]);
      await tick(2);
      assert.equal(place.entries.size, a.registry.count);
    });
  });

  describe('what vanished is no flush', () => {
    it('everything: epoch and scripts are written back', async (t) => {
      const { place, start, tick } = stage(t);
      const [a, b] = [await start(), await start()];
      await a.keeper.flush();
      await a.load('return 1');
      await b.load('return 2');
      a.learn('return 3');
      await tick();
      const before = [...place.entries.keys()].sort();
      assert.equal(before.length, 3);
      place.entries.clear();
      place.epoch = 0;
      await tick(2);
      assert.equal(place.epoch, NOW_MS);
      assert.deepEqual([...place.entries.keys()].sort(), before);
      assert.deepEqual([a.holds('return 1'), b.holds('return 2')], [true, true]);
    });

    it('some entries: within a round of the sweep', async (t) => {
      const { place, start, tick } = stage(t);
      const a = await start();
      for (let i = 0; i < 600; i++) await a.load(`return ${i}`);
      for (const sha of [...place.entries.keys()].slice(0, 300)) place.entries.delete(sha);
      await tick(25);
      assert.equal(place.entries.size, 600);
      assert.equal(a.counters.writtenBack, 300);
    });

    it('some entries, by a failover: at the next tick', async (t) => {
      const { place, start, tick } = stage(t);
      const a = await start();
      const { sha } = await a.load('return 1');
      await tick();
      place.entries.delete(sha);
      await tick();
      assert.equal(place.entries.has(sha), false, 'it is not looked for all the time');
      a.keeper.onTopology();
      await tick();
      assert.equal(place.entries.has(sha), true);
    });

    it('an epoch that a failover set back is raised again, by whoever knows it', async (t) => {
      const { place, start, tick } = stage(t);
      const [a, b] = [await start(), await start()];
      await a.keeper.flush();
      await settle();
      await a.keeper.stop();
      await b.load('return 1');
      place.epoch = 77;
      await tick();
      assert.equal(place.epoch, NOW_MS);
      assert.ok(b.holds('return 1'));
    });
  });

  describe('a store that is down', () => {
    it('costs no reply, one warning and a counter, and is caught up with', async (t) => {
      const { place, start, tick } = stage(t);
      const a = await start();
      place.failure = new Error('down');
      for (let i = 0; i < 5; i++) await a.load(`return ${i}`);
      a.learn('return -1');
      await tick(3);
      assert.ok(a.holds('return 1'));
      assert.equal(a.warnings.length, 1);
      assert.ok(a.counters.failures >= 5);
      place.failure = undefined;
      await tick(2);
      assert.equal(place.entries.size, 6);
      assert.match(a.log.at(-1)?.msg ?? '', /answers again/);
    });

    it('at start: what it holds is read when it is there, and what came meanwhile stays', async (t) => {
      const { place, start, tick } = stage(t);
      place.epoch = 5;
      place.entries.set(stored('old').sha, stored('old', 'load', 5));
      place.failure = new Error('down');
      const a = await start();
      await a.load('new');
      a.learn('evaled', 1);
      place.failure = undefined;
      await tick(2);
      assert.deepEqual([a.holds('old'), a.holds('new'), a.holds('evaled')], [true, true, true]);
      assert.equal(place.epoch, 5);
    });

    it('a flush by others meanwhile takes what was loaded before it, not after it', async (t) => {
      const { place, start, tick } = stage(t);
      const a = await start();
      place.failure = new Error('down');
      await a.load('before');
      a.nowMs += 1000;
      await a.load('after');
      place.epoch = NOW_MS + 500;
      place.failure = undefined;
      await tick(2);
      assert.deepEqual([a.holds('before'), a.holds('after')], [false, true]);
      assert.deepEqual([...place.entries.keys()], [stored('after').sha]);
    });
  });
});
