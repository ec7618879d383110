import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { askAll } from '../../../src/control/admin/facts.ts';
import { type Family, metricsText } from '../../../src/control/admin/metrics.ts';
import { NO_COUNTS, noLatency, type SampleFacts } from '../../../src/control/admin/state-facts.ts';
import { PrimaryFacts } from '../../../src/control/workers/primary-facts.ts';

const sample = (requests: number): SampleFacts => ({
  counts: { ...NO_COUNTS, requests },
  latency: noLatency().fill(requests),
  clients: 3,
  lagMs: 9,
});

const families = (requests: number, nodes: readonly string[]): Family[] => [
  { name: 'a_total', type: 'counter', help: 'A', values: [{ labels: {}, value: requests }] },
  { name: 'now', type: 'gauge', help: 'Now', values: [{ labels: {}, value: 5 }] },
  {
    name: 'node_seconds',
    type: 'histogram',
    help: 'Node',
    values: nodes.map((node) => ({ metricName: 'node_seconds_count', labels: { node }, value: requests })),
  },
];

describe('PrimaryFacts', () => {
  it('goes on counting what workers had counted that are gone, but not what they had', async () => {
    const facts = new PrimaryFacts(() => undefined);
    facts.onGone(sample(10), families(10, ['n1']));
    facts.onGone(sample(5), families(5, ['n1']));
    const told = await facts.tell('sample');
    assert.equal(told.counts.requests, 15);
    assert.equal(told.latency[0], 15);
    assert.deepEqual([told.clients, told.lagMs], [0, 0]);
    const text = await metricsText(await askAll([facts], 'metrics', undefined));
    assert.match(text, /^a_total 15$/m);
    assert.match(text, /^node_seconds_count\{node="n1"\} 15$/m);
    assert.doesNotMatch(text, /^now /m);
  });

  it('forgets nodes that the last one that is gone did not know', async () => {
    const facts = new PrimaryFacts(() => undefined);
    facts.onGone(sample(1), families(1, ['old', 'kept']));
    facts.onGone(sample(1), families(1, ['kept', 'new']));
    const text = await metricsText(await askAll([facts], 'metrics', undefined));
    assert.deepEqual([...text.matchAll(/node="(\w+)"\} (\d)/g)].map(([, node, value]) => `${node} ${value}`).sort(), [
      'kept 2',
      'new 1',
    ]);
  });

  it('minds a worker that was never asked', async () => {
    const facts = new PrimaryFacts(() => undefined);
    facts.onGone(undefined, []);
    assert.equal((await facts.tell('sample')).counts.requests, 0);
  });

  it('tells its own problem, and nothing of clients and scripts', async () => {
    const facts = new PrimaryFacts(() => 'no worker serves');
    assert.equal(await facts.tell('problem'), 'no worker serves');
    assert.equal((await facts.tell('state')).problem, 'no worker serves');
    assert.ok((await facts.tell('state')).memoryBytes > 1e6);
    assert.deepEqual(await facts.tell('clients'), { total: 0, clients: [] });
    assert.deepEqual(await facts.tell('scripts'), { total: 0, scripts: [] });
    assert.equal(await facts.tell('script'), undefined);
  });
});
