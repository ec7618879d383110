/** Bee-Queue over the old node-redis 3. Its keys need a hash tag in `prefix`, and two scripts use unpack: profile `safe`. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { after, before, describe, it } from 'node:test';
import BeeQueue from 'bee-queue';
import { Gateway } from '../../support/gateway.ts';
import { loseScripts } from './support/lost-scripts.ts';

describe('Bee-Queue', () => {
  let gateway: Gateway;
  let queue: BeeQueue<{ x: number; y: number }>;

  before(async () => {
    gateway = await Gateway.start(
      { masters: 3, replicas: 0, nodeTimeoutMs: 15_000 },
      { scripting: { script_check_profile: 'safe' } },
    );
    queue = new BeeQueue('addition', {
      prefix: '{bq}',
      redis: { port: gateway.port },
      activateDelayedJobs: true,
      nearTermWindow: 1000,
    });
    await queue.ready();
  });
  after(async () => {
    await queue.close();
    await gateway.stop();
  });

  it('jobs, progress, retries, delays, stalled checks, health', { timeout: 30_000 }, async () => {
    queue.process(3, async (job) => {
      job.reportProgress(50);
      return job.data.x + job.data.y;
    });
    const job = queue.createJob({ x: 2, y: 3 }).retries(2);
    const progressed = once(job, 'progress', { signal: AbortSignal.timeout(10_000) });
    const succeeded = once(job, 'succeeded', { signal: AbortSignal.timeout(10_000) });
    await job.save();
    assert.deepEqual(await progressed, [50]);
    assert.deepEqual(await succeeded, [5]);
    await loseScripts(gateway.cluster);
    const jobs = Array.from({ length: 20 }, (_, n) => queue.createJob({ x: n, y: 1 }));
    const done = jobs.map((each) => once(each, 'succeeded', { signal: AbortSignal.timeout(10_000) }));
    assert.equal((await queue.saveAll(jobs)).size, 0, 'no errors');
    assert.deepEqual(
      (await Promise.all(done)).map(([sum]) => sum),
      jobs.map((_, n) => n + 1),
    );
    const delayed = queue.createJob({ x: 1, y: 1 }).delayUntil(Date.now() + 200);
    const later = once(delayed, 'succeeded', { signal: AbortSignal.timeout(10_000) });
    await delayed.save();
    assert.deepEqual(await later, [2]);
    await queue.checkStalledJobs();
    const { succeeded: count, failed } = await queue.checkHealth();
    assert.deepEqual({ count, failed }, { count: 22, failed: 0 });
    assert.equal((await queue.getJob(String(job.id))).status, 'succeeded');
    await queue.removeJob(String(job.id));
  });
});
