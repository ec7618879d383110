/** Bottleneck over ioredis. Its `id` needs a hash tag, and its scripts use unpack: profile `safe`. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import Bottleneck from 'bottleneck';
import { Redis } from 'ioredis';
import { Gateway } from '../../support/gateway.ts';
import { loseScripts } from './support/lost-scripts.ts';

describe('Bottleneck', () => {
  let gateway: Gateway;
  const limiters: Bottleneck[] = [];

  before(async () => {
    gateway = await Gateway.start(
      { masters: 3, replicas: 0, nodeTimeoutMs: 15_000 },
      { scripting: { script_check_profile: 'safe' } },
    );
  });
  after(async () => {
    for (const limiter of limiters) await limiter.disconnect();
    await gateway.stop();
  });

  async function limiterOf(id: string, options: Bottleneck.ConstructorOptions): Promise<Bottleneck> {
    const limiter = new Bottleneck({
      ...options,
      id,
      datastore: 'ioredis',
      clearDatastore: false,
      clientOptions: { host: '127.0.0.1', port: gateway.port },
      Redis,
    });
    limiters.push(limiter);
    await limiter.ready();
    return limiter;
  }

  it('two limiters share one concurrency', async () => {
    const options = { maxConcurrent: 2, minTime: 10 };
    const both = [await limiterOf('{my-app}', options), await limiterOf('{my-app}', options)];
    let running = 0;
    let most = 0;
    const job = async () => {
      most = Math.max(most, ++running);
      await new Promise((resolve) => setTimeout(resolve, 20));
      running--;
      return 'done';
    };
    await loseScripts(gateway.cluster);
    const jobs = Array.from({ length: 12 }, (_, i) => both[i % 2]?.schedule({ expiration: 5000 }, job));
    assert.deepEqual(await Promise.all(jobs), Array(12).fill('done'));
    assert.equal(most, 2);
    assert.equal(await both[0]?.done(), 12);
  });

  it('a reservoir is shared, and can be filled up', async () => {
    const options = { reservoir: 3 };
    const [one, other] = [await limiterOf('{reservoir}', options), await limiterOf('{reservoir}', options)];
    await Promise.all([one, one, other].map((limiter) => limiter.schedule(async () => {})));
    assert.equal(await other.currentReservoir(), 0);
    const waiting = other.schedule(async () => 'at last');
    assert.equal(await one.incrementReservoir(1), 1);
    assert.equal(await waiting, 'at last');
  });
});
