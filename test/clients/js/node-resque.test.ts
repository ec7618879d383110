/** node-resque over ioredis. Its keys need a hash tag in `namespace`; its script passes the default checks. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import resque from 'node-resque';
import { waitFor } from '../../support/cluster.ts';
import { Gateway } from '../../support/gateway.ts';
import { loseScripts } from './support/lost-scripts.ts';

const { Plugins, Queue, Scheduler, Worker } = resque;

describe('node-resque', () => {
  let gateway: Gateway;

  before(async () => {
    gateway = await Gateway.start({ masters: 3, replicas: 0, nodeTimeoutMs: 15_000 });
  });
  after(() => gateway.stop());

  it('queue, worker, scheduler, the lock plugin', async () => {
    const connection = { pkg: 'ioredis', host: '127.0.0.1', port: gateway.port, namespace: '{resque}' };
    const results: number[] = [];
    const errors: unknown[] = [];
    const jobs = {
      add: {
        plugins: [Plugins.JobLock],
        pluginOptions: { JobLock: { reEnqueue: true } },
        perform: async (a: number, b: number) => a + b,
      },
      subtract: { perform: async (a: number, b: number) => a - b },
    };
    const worker = new Worker({ connection, queues: ['math', 'otherQueue'], timeout: 50 }, jobs);
    const scheduler = new Scheduler({ connection, timeout: 100 });
    const queue = new Queue({ connection }, jobs);
    for (const one of [worker, scheduler, queue]) one.on('error', (error: unknown) => errors.push(error));
    worker.on('success', (_queue, _job, result) => results.push(result));
    worker.on('failure', (_queue, _job, failure) => errors.push(failure));
    await Promise.all([worker.connect(), scheduler.connect(), queue.connect()]);
    await queue.enqueue('math', 'add', [1, 2]);
    await queue.enqueue('math', 'add', [1, 2]);
    await queue.enqueueIn(200, 'otherQueue', 'subtract', [20, 5]);
    assert.equal(await queue.length('math'), 2);
    await worker.start();
    await scheduler.start();
    await loseScripts(gateway.cluster);
    await waitFor('three results', () => results.length >= 3);
    assert.deepEqual(
      results.sort((a, b) => a - b),
      [3, 3, 15],
    );
    assert.deepEqual(Object.keys(await queue.workers()), [worker.name]);
    await Promise.all([worker.end(), scheduler.end(), queue.end()]);
    assert.deepEqual(errors, []);
  });
});
