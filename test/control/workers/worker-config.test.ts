import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { configFrom } from '../../../src/control/config.ts';
import { configForWorker } from '../../../src/control/workers/worker-config.ts';

describe('configForWorker', () => {
  it('shares out what is held for all clients together, and keeps all else', () => {
    const config = configFrom({
      cluster: { nodes: ['127.0.0.1:7000'], dedicated_per_node: 10 },
      limits: { buffered_bytes: 9000, node_pending_bytes: 2000, waiting_requests: 7 },
      admin: { port: 1, token: 'secret' },
      workers: 3,
    });
    const mine = configForWorker(config, 3);
    assert.deepEqual(mine, {
      ...config,
      cluster: { ...config.cluster, dedicated_per_node: 4 },
      limits: { ...config.limits, buffered_bytes: 3000, node_pending_bytes: 1024, waiting_requests: 3 },
      admin: { host: '127.0.0.1' },
    });
  });

  it('keeps what is off off', () => {
    const config = configFrom({
      cluster: { nodes: ['127.0.0.1:7000'], dedicated_per_node: 0 },
      limits: { waiting_requests: 0 },
    });
    const mine = configForWorker(config, 2);
    assert.deepEqual([mine.cluster.dedicated_per_node, mine.limits.waiting_requests], [0, 0]);
  });
});
