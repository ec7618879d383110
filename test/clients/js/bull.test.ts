/** Bull 4. Its keys need a hash tag in `prefix`; its scripts go by `local rcall = redis.call`: profile `safe`. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import Bull from 'bull';
import { waitFor } from '../../support/cluster.ts';
import { Gateway } from '../../support/gateway.ts';
import { loseScripts } from './support/lost-scripts.ts';

describe('Bull', () => {
  let gateway: Gateway;
  let queue: Bull.Queue;

  before(async () => {
    gateway = await Gateway.start(
      { masters: 3, replicas: 0, nodeTimeoutMs: 15_000 },
      { scripting: { script_check_profile: 'safe' } },
    );
    queue = new Bull('video transcoding', { redis: { port: gateway.port }, prefix: '{bull}' });
    await queue.isReady();
  });
  after(async () => {
    await queue.close();
    await gateway.stop();
  });

  it('jobs, results, progress, delays, retries, repeats, global events', async () => {
    const seen: string[] = [];
    queue.on('global:completed', (id, result) => seen.push(`${id} ${result}`));
    queue.on('global:progress', (id, progress) => seen.push(`${id} at ${progress}`));
    queue.process(5, async (job) => {
      await job.progress(42);
      if (job.data.fails > job.attemptsMade) throw new Error('again');
      return { n: job.data.n };
    });
    const plain = await queue.add({ n: 1 });
    assert.deepEqual(await plain.finished(), { n: 1 });
    await loseScripts(gateway.cluster);
    const startedAt = Date.now();
    const delayed = await queue.add({ n: 2 }, { delay: 300 });
    const flaky = await queue.add({ n: 3, fails: 2 }, { attempts: 3, backoff: 20 });
    const bulk = await queue.addBulk(Array.from({ length: 20 }, (_, n) => ({ data: { n } })));
    assert.deepEqual(
      await Promise.all(bulk.map((job) => job.finished())),
      bulk.map((_, n) => ({ n })),
    );
    assert.deepEqual(await flaky.finished(), { n: 3 });
    assert.deepEqual(await delayed.finished(), { n: 2 });
    assert.ok(Date.now() - startedAt >= 290);
    await waitFor('global events', () => seen.includes(`${plain.id} {"n":1}`) && seen.includes(`${plain.id} at 42`));
    await queue.add({ n: 9 }, { repeat: { every: 100, limit: 2 } });
    await waitFor('both repeats', () => seen.filter((line) => line.endsWith(' {"n":9}')).length === 2);
    await queue.pause();
    const held = await queue.add({ n: 10 });
    assert.equal(await held.getState(), 'paused');
    await queue.resume();
    assert.deepEqual(await held.finished(), { n: 10 });
    assert.equal((await queue.getJobCounts()).failed, 0);
  });
});
