/** redlock: EVALSHA first, EVAL on NOSCRIPT. Its default keys are plain names, so any slot. */
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { after, before, describe, it } from 'node:test';
import { Redis } from 'ioredis';
import { Gateway } from '../../support/gateway.ts';
import { loseScripts } from './support/lost-scripts.ts';

interface Lock {
  extend(ttlMs: number): Promise<Lock>;
  unlock(): Promise<void>;
}
type Redlock = new (
  clients: readonly Redis[],
  options?: { readonly retryCount?: number; readonly retryDelay?: number },
) => { lock(resource: string | readonly string[], ttlMs: number): Promise<Lock> };

const RedlockClass = createRequire(import.meta.url)('redlock') as Redlock;

describe('redlock', () => {
  let gateway: Gateway;
  let client: Redis;
  const locksOf = (retryCount: number) => new RedlockClass([client], { retryCount, retryDelay: 20 });

  before(async () => {
    gateway = await Gateway.start({ masters: 3, replicas: 0, nodeTimeoutMs: 15_000 });
    client = new Redis({ port: gateway.port });
  });
  after(async () => {
    client.disconnect();
    await gateway.stop();
  });

  it('lock, extend, unlock, for resources in many slots, with nodes that forget', async () => {
    const redlock = locksOf(0);
    for (let i = 0; i < 20; i++) {
      let lock = await redlock.lock(`locks:account:${i}`, 5000);
      await assert.rejects(redlock.lock(`locks:account:${i}`, 5000), /LockError/);
      if (i % 5 === 0) await loseScripts(gateway.cluster);
      lock = await lock.extend(5000);
      await lock.unlock();
      await (await redlock.lock(`locks:account:${i}`, 100)).unlock();
    }
  });

  it('several resources of one hash tag; without one they are refused', async () => {
    const lock = await locksOf(0).lock(['{account}:1', '{account}:2'], 5000);
    await assert.rejects(locksOf(0).lock('{account}:2', 100), /LockError/);
    await lock.unlock();
    await assert.rejects(locksOf(0).lock(['account:1', 'account:2'], 100), /LockError/);
  });

  it('one holder at a time', async () => {
    let holders = 0;
    let turns = 0;
    const work = async () => {
      const lock = await locksOf(200).lock('contended', 5000);
      assert.equal(++holders, 1);
      await new Promise((resolve) => setTimeout(resolve, 5));
      holders--;
      turns++;
      await lock.unlock();
    };
    await Promise.all(Array.from({ length: 8 }, work));
    assert.equal(turns, 8);
  });
});
