/** rate-limiter-flexible over ioredis (a command of its own) and node-redis (EVAL), with plain keys in many slots. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { Redis } from 'ioredis';
import { BurstyRateLimiter, RateLimiterQueue, RateLimiterRedis, RateLimiterRes } from 'rate-limiter-flexible';
import { createClient } from 'redis';
import { Gateway } from '../../support/gateway.ts';
import { loseScripts } from './support/lost-scripts.ts';

describe('rate-limiter-flexible', () => {
  let gateway: Gateway;
  let ioClient: Redis;
  let nodeClient: { destroy(): void };
  const clients: { name: string; options: object }[] = [];

  before(async () => {
    gateway = await Gateway.start({ masters: 3, replicas: 0, nodeTimeoutMs: 15_000 });
    ioClient = new Redis({ port: gateway.port, enableOfflineQueue: true });
    nodeClient = await createClient({ url: `redis://127.0.0.1:${gateway.port}` }).connect();
    clients.push({ name: 'ioredis', options: { storeClient: ioClient } });
    clients.push({ name: 'node-redis', options: { storeClient: nodeClient, useRedisPackage: true } });
  });
  after(async () => {
    ioClient.disconnect();
    nodeClient.destroy();
    await gateway.stop();
  });

  it('consume, until it is too much, for users in many slots, with nodes that forget', async () => {
    for (const { name, options } of clients) {
      const limiter = new RateLimiterRedis({
        storeClient: undefined,
        ...options,
        keyPrefix: name,
        points: 3,
        duration: 10,
      });
      for (let user = 0; user < 20; user++) {
        assert.equal((await limiter.consume(`user${user}`, 2)).remainingPoints, 1);
        if (user % 5 === 0) await loseScripts(gateway.cluster);
        const refusal = await limiter.consume(`user${user}`, 2).catch((error: unknown) => error);
        assert.ok(refusal instanceof RateLimiterRes, `${name}: ${refusal}`);
        assert.ok(refusal.msBeforeNext > 5000);
      }
    }
  });

  it('block, penalty, reward, get, set, delete', async () => {
    for (const { name, options } of clients) {
      const limiter = new RateLimiterRedis({
        storeClient: undefined,
        ...options,
        keyPrefix: `${name}:more`,
        points: 2,
        duration: 10,
        blockDuration: 20,
      });
      await limiter.penalty('u', 2);
      assert.equal((await limiter.reward('u', 1)).consumedPoints, 1);
      assert.equal((await limiter.get('u'))?.consumedPoints, 1);
      await assert.rejects(limiter.consume('u', 5), ({ msBeforeNext }: RateLimiterRes) => msBeforeNext > 10_000);
      assert.equal(await limiter.delete('u'), true);
      assert.equal(await limiter.get('u'), null);
      await limiter.block('u', 5);
      await assert.rejects(limiter.consume('u'));
    }
  });

  it('BurstyRateLimiter and RateLimiterQueue', async () => {
    const bursty = new BurstyRateLimiter(
      new RateLimiterRedis({ storeClient: ioClient, keyPrefix: 'main', points: 1, duration: 10 }),
      new RateLimiterRedis({ storeClient: ioClient, keyPrefix: 'burst', points: 2, duration: 10 }),
    );
    for (let i = 0; i < 3; i++) await bursty.consume('u');
    await assert.rejects(bursty.consume('u'));
    const queue = new RateLimiterQueue(
      new RateLimiterRedis({ storeClient: ioClient, keyPrefix: 'queued', points: 2, duration: 1 }),
    );
    const startedAt = Date.now();
    await Promise.all(Array.from({ length: 3 }, () => queue.removeTokens(1)));
    assert.ok(Date.now() - startedAt >= 500, 'the third waits for the next second');
  });
});
