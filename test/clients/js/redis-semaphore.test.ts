/** redis-semaphore: SCRIPT LOAD lazily, EVALSHA. MultiSemaphore uses unpack, which the profile `tair` refuses. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { Redis } from 'ioredis';
import { MultiSemaphore, Mutex, RedlockMutex, Semaphore } from 'redis-semaphore';
import type { ProxyServer } from '../../../src/control/proxy.ts';
import { Gateway, startProxy } from '../../support/gateway.ts';
import { loseScripts } from './support/lost-scripts.ts';

const ONCE = { acquireAttemptsLimit: 1 };

describe('redis-semaphore', () => {
  let gateway: Gateway;
  let safe: ProxyServer;
  let client: Redis;
  let tairClient: Redis;

  before(async () => {
    gateway = await Gateway.start({ masters: 3, replicas: 0, nodeTimeoutMs: 15_000 });
    safe = await startProxy(gateway.cluster, { scripting: { script_check_profile: 'safe' } });
    client = new Redis({ port: safe.address.port });
    tairClient = new Redis({ port: gateway.port });
  });
  after(async () => {
    client.disconnect();
    tairClient.disconnect();
    await safe.stop();
    await gateway.stop();
  });

  it('Mutex, with the default config: acquire, refresh, release, nodes that forget', async () => {
    const mutex = new Mutex(tairClient, 'lockingResource', { lockTimeout: 400, refreshInterval: 50 });
    await mutex.acquire();
    assert.equal(await new Mutex(tairClient, 'lockingResource', ONCE).tryAcquire(), false);
    await loseScripts(gateway.cluster);
    await new Promise((resolve) => setTimeout(resolve, 600));
    assert.equal(mutex.isAcquired, true, 'it is refreshed');
    await mutex.release();
    assert.equal(await new Mutex(tairClient, 'lockingResource', ONCE).tryAcquire(), true);
  });

  it('Semaphore: at most so many', async () => {
    const semaphores = Array.from({ length: 4 }, () => new Semaphore(tairClient, 'resource', 3, ONCE));
    const taken = await Promise.all(semaphores.map((semaphore) => semaphore.tryAcquire()));
    assert.equal(taken.filter(Boolean).length, 3);
    await loseScripts(gateway.cluster);
    await Promise.all(semaphores.map((semaphore) => semaphore.release()));
    assert.equal(await client.zcard('semaphore:resource'), 0);
  });

  it('MultiSemaphore, with the profile safe: several permits', async () => {
    const first = new MultiSemaphore(client, 'permits', 5, 3, ONCE);
    const second = new MultiSemaphore(client, 'permits', 5, 3, ONCE);
    assert.equal(await first.tryAcquire(), true);
    assert.equal(await second.tryAcquire(), false);
    await first.release();
    assert.equal(await second.tryAcquire(), true);
    await second.release();
  });

  it('RedlockMutex', async () => {
    const mutex = new RedlockMutex([client], 'distributed', { lockTimeout: 2000 });
    await mutex.acquire();
    assert.equal(await new RedlockMutex([client], 'distributed', ONCE).tryAcquire(), false);
    await mutex.release();
  });

  it('MultiSemaphore, with the profile tair: refused, and the error says why', async () => {
    await assert.rejects(new MultiSemaphore(tairClient, 'refused', 3, 2).acquire(), /unpack is not supported/);
  });
});
