import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { EMPTY_TOPOLOGY, formatAddress, type Topology, topologyFromSlots } from '../../src/cluster/topology.ts';

const ID = { a: 'a'.repeat(40), b: 'b'.repeat(40), c: 'c'.repeat(40), d: 'd'.repeat(40) };
const A = ['10.0.0.1', 7001, ID.a, []];
const B = ['10.0.0.2', 7002, ID.b, []];
const C = ['10.0.0.3', 7003, ID.c, []];
const D = ['10.0.0.4', 7004, ID.d, []];

function topology(reply: unknown, natMap: Record<string, { host: string; port: number }> = {}): Topology {
  return topologyFromSlots(reply, { askedHost: '192.168.0.9', natMap: new Map(Object.entries(natMap)) });
}

/** The primary's address of a slot. */
function ownerOf(reply: unknown, slot = 0): string | undefined {
  return topology(reply).bySlot[slot]?.primary.address;
}

describe('topologyFromSlots', () => {
  it('tells shards in the order of their slots, their nodes, and the owner of every slot', () => {
    const picture = topology([
      [8000, 16383, B, D],
      [0, 99, B, D],
      [100, 7999, A, C],
    ]);
    assert.deepEqual(
      picture.shards.map(({ primary, replicas, slotCount, firstSlot }) => [
        primary.address,
        replicas.map((node) => node.address),
        slotCount,
        firstSlot,
      ]),
      [
        ['10.0.0.2:7002', ['10.0.0.4:7004'], 8484, 0],
        ['10.0.0.1:7001', ['10.0.0.3:7003'], 7900, 100],
      ],
    );
    for (const [slot, id] of [
      [0, ID.b],
      [99, ID.b],
      [100, ID.a],
      [7999, ID.a],
      [8000, ID.b],
      [16383, ID.b],
    ] as const) {
      assert.equal(picture.bySlot[slot]?.primary.id, id);
    }
    assert.equal(picture.bySlot.length, 16384);
    assert.deepEqual([...picture.nodes.keys()].sort(), Object.values(ID));
    assert.equal(Object.isFrozen(picture), true);
  });

  it('leaves slots that nobody owns undefined', () => {
    const picture = topology([[10, 20, A]]);
    assert.equal(picture.bySlot[9], undefined);
    assert.equal(picture.bySlot[21], undefined);
    assert.equal(EMPTY_TOPOLOGY.bySlot[0], undefined);
    assert.deepEqual(EMPTY_TOPOLOGY.shards, []);
  });

  const addresses: [name: string, node: unknown[], address: string | undefined][] = [
    ['nil: the node that answered', [null, 7001, ID.a], '192.168.0.9:7001'],
    ['empty: the node that answered', ['', 7001, ID.a], '192.168.0.9:7001'],
    ['a question mark: unknown', ['?', 7001, ID.a], undefined],
    ['IPv6', ['2001:db8::1', 7001, ID.a], '[2001:db8::1]:7001'],
    ['a host name', ['node-1.example.com', 7001, ID.a, ['ip', '10.0.0.1']], 'node-1.example.com:7001'],
    ['no id', ['10.0.0.1', 7001], '10.0.0.1:7001'],
    ['port 0', ['10.0.0.1', 0, ID.a], undefined],
    ['a port beyond 65535', ['10.0.0.1', 70_000, ID.a], undefined],
    ['a negative port', ['10.0.0.1', -1, ID.a], undefined],
    ['a port with a fraction', ['10.0.0.1', 1.5, ID.a], undefined],
    ['a port as text', ['10.0.0.1', '7001', ID.a], undefined],
    ['a number for a host', [7, 7001, ID.a], '192.168.0.9:7001'],
  ];
  for (const [name, node, address] of addresses) {
    it(`reads an address: ${name}`, () => assert.equal(ownerOf([[0, 16383, node]]), address));
  }

  it('names a node by its id, and by its announced address where it has none', () => {
    const natMap = { '10.0.0.1:7001': { host: 'nat', port: 1 } };
    assert.deepEqual([...topology([[0, 1, ['10.0.0.1', 7001]]], natMap).nodes.keys()], ['10.0.0.1:7001']);
    assert.deepEqual([...topology([[0, 1, A]], natMap).nodes.keys()], [ID.a]);
  });

  it('goes by nat_map, for replicas too, and for what stands in for no address', () => {
    const picture = topology([[0, 16383, A, ['::1', 7002, ID.b], [null, 7003, ID.c]]], {
      '10.0.0.1:7001': { host: '127.0.0.1', port: 17001 },
      '[::1]:7002': { host: 'two', port: 17002 },
      '192.168.0.9:7003': { host: '::3', port: 17003 },
    });
    assert.deepEqual(
      [...picture.nodes.values()].map((node) => node.address),
      ['127.0.0.1:17001', 'two:17002', '[::3]:17003'],
    );
    assert.deepEqual(picture.nodes.get(ID.a), { id: ID.a, host: '127.0.0.1', port: 17001, address: '127.0.0.1:17001' });
  });

  it('leaves out a replica without an address, and keeps its shard', () => {
    const picture = topology([[0, 16383, A, ['?', 7002, ID.b], C, 'x']]);
    assert.deepEqual(
      picture.shards[0]?.replicas.map(({ id }) => id),
      [ID.c],
    );
  });

  const garbage: [name: string, reply: unknown][] = [
    ['nothing', undefined],
    ['nil', null],
    ['text', 'OK'],
    ['an error', new Error('x')],
    ['rows that are none', [1, 'x', null, undefined, {}]],
    ['an empty row', [[]]],
    [
      'slots out of range',
      [
        [-1, 5, A],
        [0, 16384, A],
        [1.5, 3, A],
        ['0', '5', A],
        [5, 4, A],
        [Number.NaN, 1, A],
      ],
    ],
    [
      'no node',
      [
        [0, 5],
        [0, 5, null],
        [0, 5, []],
        [0, 5, 'x'],
      ],
    ],
  ];
  for (const [name, reply] of garbage) {
    it(`is empty for ${name}`, () => {
      assert.deepEqual(topology(reply).shards, []);
      assert.equal(topology(reply).signature, EMPTY_TOPOLOGY.signature);
    });
  }

  it('keeps the good rows among garbage', () => {
    assert.equal(ownerOf([null, [0, 99999, B], [0, 16383, A]]), '10.0.0.1:7001');
  });

  it('has an equal signature for equal pictures, and only for them', () => {
    const base = [
      [0, 99, A, C, D],
      [200, 300, A, C, D],
      [100, 199, B],
    ];
    const same = [
      [
        [100, 199, B],
        [200, 300, A, D, C],
        [0, 99, A, C, D],
      ],
      [
        [0, 99, [...A, 'more']],
        [200, 300, A, C, D],
        [100, 199, B],
      ].map((row, i) => (i === 0 ? [...row, C, D] : row)),
    ];
    for (const reply of same) assert.equal(topology(reply).signature, topology(base).signature);
    const different = [
      [
        [0, 98, A, C, D],
        [200, 300, A, C, D],
        [99, 199, B],
      ],
      [
        [0, 99, A, C],
        [200, 300, A, C],
        [100, 199, B],
      ],
      [
        [0, 99, C, A, D],
        [200, 300, C, A, D],
        [100, 199, B],
      ],
      [
        [0, 99, ['10.0.0.1', 7009, ID.a], C, D],
        [200, 300, ['10.0.0.1', 7009, ID.a], C, D],
        [100, 199, B],
      ],
      [
        [0, 99, ['10.0.0.1', 7001, ID.b], C, D],
        [200, 300, ['10.0.0.1', 7001, ID.b], C, D],
        [100, 199, B],
      ],
    ];
    for (const reply of different) assert.notEqual(topology(reply).signature, topology(base).signature);
  });
});

describe('formatAddress', () => {
  it('puts brackets around IPv6 only', () => {
    assert.equal(formatAddress('10.0.0.1', 1), '10.0.0.1:1');
    assert.equal(formatAddress('::1', 1), '[::1]:1');
  });
});
