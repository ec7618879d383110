import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { MovingSlots } from '../../src/cluster/moving-slots.ts';
import { EMPTY_TOPOLOGY, topologyFromSlots } from '../../src/cluster/topology.ts';
import { configFrom } from '../../src/control/config.ts';
import { createLogger } from '../../src/control/log.ts';
import { ReplicaWatch } from '../../src/control/replica-watch.ts';
import { NodeFacts } from '../../src/upstream/node-facts.ts';
import type { Upstream } from '../../src/upstream/upstream.ts';
import { TestTurn } from '../support/upstream.ts';

const PRIMARY = 'p 10.0.0.1:7000@17000 myself,master - 0 0 1 connected 0-16383';
const TOPOLOGY = topologyFromSlots([[0, 16_383, ['10.0.0.1', 7000, 'p'], ['10.0.0.2', 7000, 'r']]], {
  askedHost: '10.0.0.1',
  natMap: new Map(),
});

class ReplyError extends Error {
  override readonly name = 'ReplyError';
}

function setUp(t: TestContext) {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const facts = new NodeFacts();
  const movingSlots = new MovingSlots();
  const moved: string[] = [];
  const asked: string[] = [];
  const replies = { nodes: async () => PRIMARY, info: async (): Promise<string> => infoOf('slave', 'up') };
  const turn = new TestTurn();
  const watch = new ReplicaWatch({
    upstream: { factsOf: () => facts } as unknown as Upstream,
    clients: {
      call: async ({ address }, ...words) => {
        asked.push(`${address} ${words.join(' ')}`);
        return words[0] === 'INFO' ? await replies.info() : await replies.nodes();
      },
    },
    movingSlots,
    turn,
    topology: () => TOPOLOGY,
    log: createLogger(configFrom({ cluster: { nodes: ['10.0.0.1:7000'] }, log: { level: 'fatal' } }).log),
    onMoved: ({ address }) => moved.push(address),
  });
  t.after(() => watch.stop());
  const look = async () => {
    t.mock.timers.tick(200);
    await nextTurn();
  };
  return { facts, movingSlots, moved, asked, replies, turn, watch, look };
}

function infoOf(role: string, link: string): string {
  return `# Replication\r\nrole:${role}\r\nmaster_link_status:${link}\r\nmaster_last_io_seconds_ago:1\r\n`;
}

describe('ReplicaWatch', () => {
  it('takes a replica for good when it says so, and asks nobody else', async (t) => {
    const { facts, asked, replies, look } = setUp(t);
    assert.equal(facts.isInSync, false, 'not before it was asked');
    await look();
    assert.equal(facts.isInSync, true);
    assert.deepEqual(asked.sort(), ['10.0.0.1:7000 CLUSTER NODES', '10.0.0.2:7000 INFO replication']);
    for (const info of [infoOf('slave', 'down'), infoOf('master', 'up'), '']) {
      replies.info = async () => info;
      await look();
      assert.equal(facts.isInSync, false, info);
      replies.info = async () => infoOf('slave', 'up');
      await look();
      assert.equal(facts.isInSync, true);
    }
  });

  it('keeps its opinion of a replica that is BUSY, and has none of one that says anything else', async (t) => {
    const { facts, replies, look } = setUp(t);
    await look();
    replies.info = () => Promise.reject(new ReplyError('BUSY Redis is busy running a script.'));
    await look();
    assert.equal(facts.isInSync, true);
    replies.info = () => Promise.reject(new ReplyError('LOADING Redis is loading the dataset in memory'));
    await look();
    assert.equal(facts.isInSync, false);
  });

  it('asks a node that does not answer more rarely', async (t) => {
    const { facts, asked, replies, look } = setUp(t);
    await look();
    replies.info = () => Promise.reject(new Error('connect ECONNREFUSED'));
    await look();
    assert.equal(facts.isInSync, false);
    const before = asked.filter((line) => line.includes('INFO')).length;
    await look();
    assert.equal(asked.filter((line) => line.includes('INFO')).length, before);
  });

  it('notes slots that move, and tells when one moves no more', async (t) => {
    const { movingSlots, moved, replies, look } = setUp(t);
    replies.nodes = async () => `${PRIMARY} [5->-x] [6->-x]`;
    await look();
    assert.deepEqual(
      [5, 6, 7].map((slot) => movingSlots.has(slot, 1000)),
      [true, true, false],
    );
    assert.deepEqual(moved, []);
    replies.nodes = async () => `${PRIMARY} [6->-x]`;
    await look();
    assert.deepEqual(moved, ['10.0.0.1:7000']);
  });

  it('asks for the topology when a primary knows a replica that is not part of it, once a second', async (t) => {
    const { moved, replies, turn, look } = setUp(t);
    const [known, joined] = ['r 10.0.0.2:7000@17000 slave p 0 0 1 connected', 'n 10.0.0.3:7000@17000 slave'];
    const quiet = [
      known,
      `${joined},fail p 0 0 1 connected`,
      `${joined},handshake - 0 0 0 connected`,
      `${joined} x 0 0 1`,
    ];
    replies.nodes = async () => [PRIMARY, ...quiet].join('\n');
    await look();
    assert.deepEqual(moved, []);
    replies.nodes = async () => `${PRIMARY}\n${known}\n${joined} p 0 0 1 connected\n`;
    for (let i = 0; i < 3; i++) await look();
    assert.deepEqual(moved, ['10.0.0.1:7000']);
    turn.nowMs += 1000;
    await look();
    assert.equal(moved.length, 2);
  });

  it('looks at once at a new topology', async (t) => {
    const { facts, watch } = setUp(t);
    watch.onTopology(EMPTY_TOPOLOGY, TOPOLOGY);
    await nextTurn();
    assert.equal(facts.isInSync, true);
  });
});
