/** What becomes of an answer in the statistics, with a clock that is set by hand. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { SHIPPED_TABLE } from '../../src/command/table.ts';
import type { Plan } from '../../src/plan/plan.ts';
import { scriptFromBody } from '../../src/script/script.ts';
import type { ClientState } from '../../src/session/client-state.ts';
import type { SlowRequest } from '../../src/session/slow-log.ts';
import { Statistics } from '../../src/session/statistics.ts';
import type { Connection } from '../../src/upstream/connection.ts';
import { type Call, Exchange, IGNORE } from '../../src/upstream/exchange.ts';
import { Turn } from '../../src/upstream/turn.ts';
import { poolTo } from '../support/upstream.ts';

class HandTurn extends Turn {
  ms = 0;

  override get lastMs(): number {
    return this.ms;
  }
}

const CLIENT = { id: 7, address: 'client:1', name: undefined } as ClientState;

/** Statistics and a connection; `answer` tells of a request that was taken and became the head so long ago. */
function setUp() {
  const { pool } = poolTo(1);
  const connection: Connection = pool.open();
  const turn = new HandTurn();
  const slow: SlowRequest[] = [];
  const statistics = new Statistics(turn, { onSlow: (request) => slow.push(request), onHealed: () => {} });
  const answer = (
    name: string,
    times: { takenUs: number; headMs: number },
    more: { call?: Call; isError?: boolean } = {},
  ) => {
    const exchange = new Exchange(IGNORE, 0, SHIPPED_TABLE.findByName(name), 0);
    exchange.connection = connection;
    exchange.call = more.call;
    turn.lastUs = -2_000_000_000;
    turn.ms = 1_000_000;
    exchange.takenUs = (turn.lastUs - times.takenUs) | 0;
    exchange.sinceMs = turn.ms - times.headMs;
    statistics.onAnswer(exchange, CLIENT, more.isError ?? false);
  };
  // Nothing is sent over it.
  const stop = (): void => connection.destroy('lost', 'the test is over');
  return { statistics, pool, connection, slow, answer, stop };
}

function callOf(body: string): Call {
  const script = scriptFromBody(Buffer.from(body), 'eval');
  const forms = { form: 'eval', bytesForm: 'eval', isReadOnly: false } as const;
  return { ...forms, script, argc: 4, keyCount: 1, tail: 0, keysBytes: 0, mustSendBody: false };
}

describe('Statistics', () => {
  it('measures from the taking to the answer, also when the clock of microseconds wrapped around between', () => {
    const { statistics, pool, answer, stop } = setUp();
    for (let i = 0; i < 100; i++) answer('get', { takenUs: 700_000_000, headMs: 0 });
    for (const histogram of [statistics.latency, pool.facts.latency]) {
      assert.equal(histogram.sumUs, 100 * 700_000_000);
      assert.equal(
        histogram.counts.reduce((sum, count) => sum + count, 0),
        100,
      );
    }
    assert.equal(statistics.callLatency.sumUs, 0);
    stop();
  });

  it('notes calls on the script: how many, how many failed, how long', () => {
    const { statistics, answer, stop } = setUp();
    const call = callOf('return 1');
    for (let i = 0; i < 98; i++) answer('eval', { takenUs: 1000, headMs: 0 }, { call });
    for (let i = 0; i < 2; i++) answer('eval', { takenUs: 1_000_000, headMs: 0 }, { call, isError: true });
    const usage = call.script?.usage;
    assert.deepEqual([usage?.calls, usage?.errors], [100, 2]);
    const [p50, p99] = [usage?.quantileUs(0.5) ?? 0, usage?.quantileUs(0.99) ?? 0];
    assert.ok(p50 >= 800 && p50 < 1600, String(p50));
    assert.ok(p99 >= 819_200 && p99 < 1_638_400, String(p99));
    assert.equal(
      statistics.callLatency.counts.reduce((sum, count) => sum + count, 0),
      100,
    );
    stop();
  });

  it('takes for slow what was the head for 10 ms, not what only waited behind another', () => {
    const { statistics, slow, answer, stop } = setUp();
    answer('get', { takenUs: 500_000, headMs: 9 });
    assert.equal(slow.length, 0);
    answer('eval', { takenUs: 500_000, headMs: 10 }, { call: callOf('return 1') });
    assert.deepEqual(
      slow.map(({ id, durationUs, clientId, clientAddress, sha }) => [
        id,
        durationUs,
        clientId,
        clientAddress,
        sha?.length,
      ]),
      [[0, 10_000, 7, 'client:1', 40]],
    );
    assert.deepEqual(statistics.slowLog.newest(), slow);
    stop();
  });

  it('measures nothing that waits on purpose', () => {
    const { statistics, slow, answer, stop } = setUp();
    for (const name of ['blpop', 'wait']) answer(name, { takenUs: 5_000_000, headMs: 5000 });
    assert.deepEqual([slow.length, statistics.latency.sumUs], [0, 0]);
    stop();
  });

  it('takes nothing for slow that a lost connection never answered', () => {
    const { statistics, connection, slow, answer, stop } = setUp();
    connection.destroy('lost', 'gone');
    answer('get', { takenUs: 5_000_000, headMs: 5000 });
    assert.equal(slow.length, 0);
    assert.equal(statistics.latency.sumUs, 5_000_000);
    stop();
  });

  it('counts requests by kind; what is refused before the wire as refused, and what nobody knows as other', () => {
    const { statistics, stop } = setUp();
    const forward: Plan = { kind: 'forward', slot: 1, isReplicaRead: false };
    statistics.onRequest(forward, SHIPPED_TABLE.findByName('get'));
    statistics.onRequest(forward, undefined);
    statistics.onRequest({ kind: 'reply', bytes: Buffer.from('-ERR no\r\n') }, SHIPPED_TABLE.findByName('eval'));
    statistics.onRequest({ kind: 'reply', bytes: Buffer.from('$1\r\nx\r\n') }, SHIPPED_TABLE.findByName('script|load'));
    assert.deepEqual(
      (['read', 'other', 'refused', 'script', 'write'] as const).map((kind) => statistics.requestsOf(kind)),
      [1, 1, 1, 1, 0],
    );
    stop();
  });
});
