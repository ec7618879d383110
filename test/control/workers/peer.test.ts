import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type Handlers, Peer } from '../../../src/control/workers/peer.ts';
import { linkedChannels } from '../../support/linked-channels.ts';

type Here = {
  readonly double: { readonly argument: number; readonly answer: number };
  readonly fail: { readonly argument: undefined; readonly answer: undefined };
  readonly never: { readonly argument: undefined; readonly answer: undefined };
  readonly reverse: { readonly argument: Buffer; readonly answer: Buffer };
};

const HANDLERS: Handlers<Here> = {
  double: (value) => value * 2,
  fail: async () => {
    throw new Error('no way');
  },
  never: () => new Promise<undefined>(() => {}),
  reverse: (bytes) => bytes.reverse(),
};

function pair() {
  const [a, b] = linkedChannels();
  return { channel: a, asking: new Peer<Here, Here>(a, HANDLERS), asked: new Peer<Here, Here>(b, HANDLERS) };
}

describe('Peer', () => {
  it('answers questions in both directions at the same time, each with its own answer', async () => {
    const { asking, asked } = pair();
    const answers = await Promise.all(Array.from({ length: 50 }, (_, i) => (i % 2 ? asking : asked).ask('double', i)));
    assert.deepEqual(
      answers,
      Array.from({ length: 50 }, (_, i) => i * 2),
    );
  });

  it('carries bytes as bytes', async () => {
    const answer = await pair().asking.ask('reverse', Buffer.from([0, 1, 255]));
    assert.ok(Buffer.isBuffer(answer));
    assert.deepEqual([...answer], [255, 1, 0]);
  });

  it('rejects with the text of what was thrown there', async () => {
    await assert.rejects(pair().asking.ask('fail', undefined), /^Error: no way$/);
  });

  it('rejects a question that is not known there', async () => {
    const [a, b] = linkedChannels();
    const asking = new Peer<Here, Here>(a, HANDLERS);
    new Peer(b, {});
    await assert.rejects(asking.ask('double', 1), /nobody answers double here/);
  });

  it('rejects when no answer comes in time, and does not mind one that comes later', async () => {
    await assert.rejects(pair().asking.ask('never', undefined, { timeoutMs: 10 }), /no answer within 10 ms/);
  });

  it('waits for an answer without limit when it is told to', async () => {
    const { asking } = pair();
    const waiting = asking.ask('never', undefined, { timeoutMs: Number.POSITIVE_INFINITY });
    const first = await Promise.race([waiting.catch(() => 'rejected'), asking.ask('double', 2)]);
    assert.equal(first, 4);
    asking.close('it is gone');
    await assert.rejects(waiting, /it is gone/);
  });

  it('hands along what goes with a question', async () => {
    const [a, b] = linkedChannels();
    const came: unknown[] = [];
    new Peer<Here, Here>(b, {
      ...HANDLERS,
      double: (value, handle) => {
        came.push(handle);
        return value;
      },
    });
    const connection = { close: () => {} };
    await new Peer<Here, Here>(a, HANDLERS).ask('double', 1, { handle: connection });
    assert.deepEqual(came, [connection]);
  });

  it('rejects at once what waits, and all that is asked later, when the other end is gone', async () => {
    const { asking } = pair();
    const waiting = asking.ask('never', undefined);
    asking.close('it is gone');
    await assert.rejects(waiting, /it is gone/);
    await assert.rejects(asking.ask('double', 1), /it is gone/);
  });

  it('rejects what cannot be handed over', async () => {
    const { asking, channel } = pair();
    channel.isCut = true;
    await assert.rejects(asking.ask('double', 1), /the channel is cut/);
  });
});
