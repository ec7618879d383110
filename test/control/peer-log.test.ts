import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createLogger } from '../../src/control/log.ts';
import { PeerLog } from '../../src/control/peer-log.ts';

describe('PeerLog', () => {
  it('tells a reason once in ten seconds, and then how many went untold', () => {
    const lines: Record<string, unknown>[] = [];
    let nowMs = 0;
    const log = createLogger({ level: 'info', format: 'json' }, { write: (line) => lines.push(JSON.parse(line)) });
    const peers = new PeerLog(log, () => nowMs);
    for (let i = 0; i < 5; i++) peers.onRefused(`10.0.0.1:${i}`, 'no TLS');
    peers.onRefused('10.0.0.2:1', 'no certificate');
    nowMs = 10_000;
    peers.onRefused('10.0.0.3:1', 'no TLS');
    assert.deepEqual(
      lines.map(({ client, reason, before }) => ({ client, reason, before })),
      [
        { client: '10.0.0.1:0', reason: 'no TLS', before: undefined },
        { client: '10.0.0.2:1', reason: 'no certificate', before: undefined },
        { client: '10.0.0.3:1', reason: 'no TLS', before: 4 },
      ],
    );
  });
});
