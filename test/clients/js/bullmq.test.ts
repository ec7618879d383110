/**
 * BullMQ. Its keys need a hash tag in `prefix`, as its own documentation says for clusters; its scripts go by
 * `local rcall = redis.call`, so they need the profile `safe`.
 */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { FlowProducer, type Job, Queue, QueueEvents, UnrecoverableError, Worker } from 'bullmq';
import { Redis } from 'ioredis';
import { LocalCluster } from '../../../src/control/local-cluster.ts';
import type { ProxyServer } from '../../../src/control/proxy.ts';
import { waitFor } from '../../support/cluster.ts';
import { startProxy } from '../../support/gateway.ts';
import { loseScripts } from './support/lost-scripts.ts';

describe('BullMQ', () => {
  let cluster: LocalCluster;
  let proxy: ProxyServer;
  const refusals: string[] = [];
  const opened: { close(): Promise<void> }[] = [];

  before(async () => {
    const sink = { write: (line: string) => refusals.push(line) };
    cluster = await LocalCluster.start({ masters: 3, replicas: 0, nodeTimeoutMs: 15_000 });
    proxy = await startProxy(cluster, { scripting: { script_check_profile: 'safe' }, log: { level: 'warn' } }, sink);
  });
  after(async () => {
    for (const one of opened.reverse()) await one.close();
    await proxy.stop();
    await cluster.stop();
    assert.deepEqual(refusals, [], 'nothing is refused or warned of');
  });

  /** Each queue has a tag of its own, and thereby a node of its own. */
  const optionsFor = (name: string) => ({
    connection: { port: proxy.address.port, maxRetriesPerRequest: null },
    prefix: `{${name}}`,
  });
  function open<T extends { close(): Promise<void> }>(one: T): T {
    opened.push(one);
    return one;
  }
  function queueOf(name: string): Queue {
    return open(new Queue(name, optionsFor(name)));
  }
  function workerOf(name: string, work: (job: Job) => unknown, more: object = {}): Worker {
    const process = async (job: Job) => await work(job);
    return open(new Worker(name, process, { ...optionsFor(name), drainDelay: 1, ...more }));
  }
  async function eventsOf(name: string): Promise<QueueEvents> {
    const events = open(new QueueEvents(name, optionsFor(name)));
    await events.waitUntilReady();
    return events;
  }

  it('jobs in bulk are worked off, with results, while the nodes forget the scripts', async () => {
    const queue = queueOf('paint');
    const events = await eventsOf('paint');
    workerOf('paint', (job) => job.data.n * 2, { concurrency: 4 });
    const first = await queue.add('one', { n: 21 });
    assert.equal(await first.waitUntilFinished(events, 10_000), 42);
    await loseScripts(cluster);
    const jobs = await queue.addBulk(Array.from({ length: 50 }, (_, n) => ({ name: 'many', data: { n } })));
    const results = await Promise.all(jobs.map((job) => job.waitUntilFinished(events, 10_000)));
    assert.deepEqual(
      results,
      jobs.map((_, n) => n * 2),
    );
    assert.deepEqual(await queue.getJobCounts('completed', 'failed', 'waiting', 'active'), {
      completed: 51,
      failed: 0,
      waiting: 0,
      active: 0,
    });
  });

  it('delayed jobs, priorities, retries with backoff, failures, progress and logs', async () => {
    const queue = queueOf('more');
    const events = await eventsOf('more');
    const order: string[] = [];
    const progress: unknown[] = [];
    events.on('progress', ({ data }) => progress.push(data));
    const startedAt = Date.now();
    const delayed = await queue.add('delayed', {}, { delay: 300 });
    const low = await queue.add('low', {}, { priority: 10 });
    const high = await queue.add('high', {}, { priority: 1 });
    const flaky = await queue.add('flaky', {}, { attempts: 3, backoff: { type: 'fixed', delay: 50 } });
    const broken = await queue.add('broken', {}, { attempts: 3 });
    workerOf('more', async (job) => {
      order.push(job.name);
      await job.updateProgress(50);
      await job.log('a line');
      if (job.name === 'broken') throw new UnrecoverableError('broken for good');
      if (job.name === 'flaky' && job.attemptsMade < 2) throw new Error('again');
      return Date.now();
    });
    const doneAt = Number(await delayed.waitUntilFinished(events, 10_000));
    assert.ok(doneAt - startedAt >= 290, 'not before its time');
    await Promise.all([low, high, flaky].map((job) => job.waitUntilFinished(events, 10_000)));
    await assert.rejects(broken.waitUntilFinished(events, 10_000), /broken for good/);
    assert.ok(order.indexOf('high') < order.indexOf('low'));
    assert.equal(order.filter((name) => name === 'flaky').length, 3);
    assert.deepEqual((await queue.getJobLogs(String(high.id))).logs, ['a line']);
    await waitFor('the progress events', () => progress.length >= 5);
    assert.equal(await broken.getState(), 'failed');
    await broken.retry();
    await assert.rejects(broken.waitUntilFinished(events, 10_000), /broken for good/);
  });

  it('job schedulers repeat', async () => {
    const queue = queueOf('repeated');
    let runs = 0;
    await queue.upsertJobScheduler('every', { every: 100 }, { name: 'tick' });
    workerOf('repeated', () => ++runs);
    await waitFor('three runs', () => runs >= 3);
    assert.equal((await queue.getJobSchedulers()).length, 1);
    assert.equal(await queue.removeJobScheduler('every'), true);
  });

  it('a rate limit holds', async () => {
    const queue = queueOf('limited');
    const at: number[] = [];
    await queue.addBulk(Array.from({ length: 5 }, (_, n) => ({ name: 'limited', data: { n } })));
    workerOf('limited', () => at.push(Date.now()), { limiter: { max: 2, duration: 300 } });
    await waitFor('five jobs', () => at.length === 5);
    assert.ok(Number(at[4]) - Number(at[0]) >= 550, `two in 300 ms: ${at.map((time) => time - Number(at[0]))}`);
  });

  it('flows: children before their parent', async () => {
    const flow = open(new FlowProducer(optionsFor('flow')));
    const order: string[] = [];
    const events = open(new QueueEvents('top', optionsFor('flow')));
    await events.waitUntilReady();
    for (const name of ['top', 'children']) {
      const work = async (job: Job) => {
        order.push(job.name);
        return Object.values(await job.getChildrenValues()).length;
      };
      open(new Worker(name, work, { ...optionsFor('flow'), drainDelay: 1 }));
    }
    const { job } = await flow.add({
      name: 'root',
      queueName: 'top',
      children: [
        { name: 'child', queueName: 'children', children: [{ name: 'grandchild', queueName: 'children' }] },
        { name: 'child', queueName: 'children' },
      ],
    });
    assert.equal(await job.waitUntilFinished(events, 10_000), 2);
    assert.equal(order.at(-1), 'root');
    assert.ok(order.indexOf('grandchild') < order.lastIndexOf('child'));
  });

  it('pause, resume, drain, obliterate', async () => {
    const queue = queueOf('held');
    const events = await eventsOf('held');
    await queue.pause();
    const job = await queue.add('held', {});
    workerOf('held', () => 'done');
    assert.equal(await queue.isPaused(), true);
    await queue.resume();
    assert.equal(await job.waitUntilFinished(events, 10_000), 'done');
    await queue.pause();
    await queue.add('never', {});
    await queue.drain();
    assert.equal(await queue.count(), 0);
    await queue.obliterate();
    assert.equal(await queue.getCompletedCount(), 0);
  });

  it('a worker whose connections were lost works on', async () => {
    const queue = queueOf('lost');
    const events = await eventsOf('lost');
    const worker = workerOf('lost', () => 'done');
    // Until its own errors are listened to, a lost connection is one that ends the process.
    worker.on('error', () => {});
    queue.on('error', () => {});
    events.on('error', () => {});
    await (await queue.add('before', {})).waitUntilFinished(events, 10_000);
    const admin = new Redis({ port: proxy.address.port });
    await admin.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes').finally(() => admin.disconnect());
    const job = await queue.add('after', {});
    await waitFor('the job is done', async () => (await job.getState()) === 'completed');
  });

  it('with the profile tair its scripts are refused, and the error says why', async () => {
    const tair = await startProxy(cluster);
    const queue = new Queue('refused', { connection: { port: tair.address.port }, prefix: '{refused}' });
    await assert.rejects(queue.add('job', {}), /expect '\('/);
    await queue.close();
    await tair.stop();
  });
});
