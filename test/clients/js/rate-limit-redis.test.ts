/** rate-limit-redis, the store of express-rate-limit: SCRIPT LOAD when it is made, EVALSHA, SCRIPT LOAD after NOSCRIPT. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { Redis } from 'ioredis';
import { type RedisReply, RedisStore } from 'rate-limit-redis';
import { Gateway } from '../../support/gateway.ts';
import { loseScripts } from './support/lost-scripts.ts';

describe('rate-limit-redis', () => {
  let gateway: Gateway;
  let client: Redis;

  before(async () => {
    gateway = await Gateway.start({ masters: 3, replicas: 0, nodeTimeoutMs: 15_000 });
    client = new Redis({ port: gateway.port });
  });
  after(async () => {
    client.disconnect();
    await gateway.stop();
  });

  it('counts hits, gives them back, resets, for addresses in many slots, with nodes that forget', async () => {
    const store = new RedisStore({
      sendCommand: (command: string, ...args: string[]) => client.call(command, ...args) as Promise<RedisReply>,
    });
    await store.init({ windowMs: 10_000 } as Parameters<typeof store.init>[0]);
    for (let i = 0; i < 20; i++) {
      const address = `10.0.0.${i}`;
      assert.equal((await store.increment(address)).totalHits, 1);
      if (i % 5 === 0) await loseScripts(gateway.cluster);
      const { totalHits, resetTime } = await store.increment(address);
      assert.equal(totalHits, 2);
      assert.ok(resetTime !== undefined && resetTime.getTime() > Date.now() + 5000);
      await store.decrement(address);
      assert.equal((await store.get(address))?.totalHits, 1);
      await store.resetKey(address);
      assert.equal((await store.increment(address)).totalHits, 1);
    }
  });
});
