import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { configFrom } from '../../src/control/config.ts';
import { createLogger } from '../../src/control/log.ts';
import { TopologySource } from '../../src/control/topology-source.ts';

const SEED = { host: '10.0.0.1', port: 7000 };
const ROWS = [
  [0, 8000, ['10.0.0.1', 7000, 'a']],
  [8001, 16_383, ['10.0.0.2', 7000, 'b']],
];
const FAILED_OVER = [
  [0, 8000, ['10.0.0.1', 7000, 'a']],
  [8001, 16_383, ['10.0.0.3', 7000, 'c']],
];

/** A source over nodes that answer as `reply` says. */
function sourceOver(t: TestContext, reply: (address: string, command: string) => Promise<unknown>): TopologySource {
  const source = new TopologySource({
    seeds: [SEED],
    natMap: new Map(),
    refreshIntervalMs: 60_000,
    clients: {
      call: ({ address }, ...words) => reply(address, words.join(' ')),
      retain: () => {},
    },
    log: createLogger(configFrom({ cluster: { nodes: ['10.0.0.1:7000'] }, log: { level: 'fatal' } }).log),
    onChange: () => {},
    onRefreshed: () => {},
  });
  t.after(() => source.stop());
  return source;
}

describe('TopologySource', () => {
  it('hears of the successor of a primary that answers no ping without waiting for that ping', async (t) => {
    let rows = ROWS;
    const source = sourceOver(t, async (_, command) => {
      if (command === 'PING') return await new Promise(() => {});
      return command === 'CLUSTER SLOTS' ? rows : '';
    });
    await source.refresh(undefined);
    const frozen = source.current.bySlot[9000]?.primary;
    assert.ok(frozen);
    source.suspect(frozen);
    await source.refresh(undefined);
    rows = FAILED_OVER;
    await source.refresh(undefined);
    assert.equal(source.current.bySlot[9000]?.primary.address, '10.0.0.3:7000');
  });

  it('knows masters without slots, and does without them where nobody tells', async (t) => {
    let isTold = true;
    const source = sourceOver(t, async (_, command) => {
      if (command === 'CLUSTER SLOTS') return ROWS;
      if (isTold) return 'new 10.0.0.9:7000@17000 master - 0 0 0 connected\n';
      throw new Error('NOPERM');
    });
    await source.refresh(undefined);
    const ask = { kind: 'ask', slot: 1, host: '10.0.0.9', port: 7000 } as const;
    const answering = source.current.shards[0]?.primary;
    assert.ok(answering);
    assert.equal(source.locate(ask, answering)?.id, 'new');
    isTold = false;
    await source.refresh(undefined);
    assert.equal(source.locate(ask, answering), undefined);
    assert.equal(source.current.shards.length, 2);
  });
});
