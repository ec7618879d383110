import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { MovingSlots, migratingSlots } from '../../src/cluster/moving-slots.ts';
import { EMPTY_TOPOLOGY, topologyFromSlots } from '../../src/cluster/topology.ts';

const CONTEXT = { askedHost: '10.0.0.1', natMap: new Map() };
const [A, B, C] = ['a', 'b', 'c'].map((id, i) => [`10.0.0.${i + 1}`, 7000, id]);

function topologyOf(...rows: unknown[]) {
  return topologyFromSlots(rows, CONTEXT);
}

describe('MovingSlots', () => {
  it('holds a slot until a while after it was last seen moving', () => {
    const slots = new MovingSlots();
    assert.equal(slots.has(7, 0), false);
    slots.note(7, 1000);
    slots.note(7, 2000);
    assert.deepEqual(
      [slots.has(7, 6999), slots.has(8, 6999), slots.has(7, 7000), slots.has(7, 6999)],
      [true, false, false, false],
    );
  });

  it('takes slots that have another primary for moved, and only these', () => {
    const slots = new MovingSlots();
    const before = topologyOf([0, 9, A, C], [10, 19, B]);
    slots.noteChanges(EMPTY_TOPOLOGY, before, 0);
    assert.equal(slots.has(0, 0), false, 'what is seen for the first time has not moved');
    slots.noteChanges(before, topologyOf([0, 8, A], [9, 19, B, C]), 0);
    assert.deepEqual(
      [8, 9, 10, 20].map((slot) => slots.has(slot, 0)),
      [false, true, false, false],
    );
    slots.noteChanges(before, topologyOf([0, 9, C], [10, 18, B]), 0);
    assert.deepEqual(
      [0, 18, 19].map((slot) => slots.has(slot, 0)),
      [true, false, true],
    );
  });
});

describe('migratingSlots', () => {
  const OTHER = 'bbb 10.0.0.2:7000@17000 master - 0 0 2 connected 10-19 [11->-ccc]';
  const cases: [what: string, reply: unknown, slots: number[]][] = [
    ['no slot', 'aaa 10.0.0.1:7000@17000 myself,master - 0 0 1 connected 0-9', []],
    [
      'slots that go',
      'aaa 10.0.0.1:7000@17000 myself,master - 0 0 1 connected 0-9 [3->-bbb] [16383->-bbb]',
      [3, 16383],
    ],
    ['not slots that come', 'aaa 10.0.0.1:7000@17000 myself,master - 0 0 1 connected 0-9 [12-<-bbb]', []],
    ["not another node's", `${OTHER}\naaa 10.0.0.1:7000@17000,host myself,master - 0 0 1 connected 0-9\n`, []],
    [
      'lines that end in CRLF',
      `${OTHER}\r\naaa 10.0.0.1:7000@17000 myself,master - 0 0 1 connected 0-9 [3->-bbb]\r\n`,
      [3],
    ],
    ['nonsense', 'OK', []],
    ['nothing', null, []],
  ];
  for (const [what, reply, slots] of cases) {
    it(`reads ${what}`, () => assert.deepEqual(migratingSlots(reply), slots));
  }
});
