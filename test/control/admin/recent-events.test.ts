import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ALONE } from '../../../src/base/numbering.ts';
import { RecentEvents } from '../../../src/control/admin/recent-events.ts';
import type { Refusal } from '../../../src/plan/script-checks.ts';
import { scriptFromBody } from '../../../src/script/script.ts';
import type { Sha } from '../../../src/script/sha.ts';
import type { SlowRequest } from '../../../src/session/slow-log.ts';

function refusal(sha: string, rule = 'literal', isObserved = false): Refusal {
  const place = { line: 2, column: 1, sourceLine: 'redis.call(x)', advice: 'do not' };
  return { sha: sha as Sha, isObserved, finding: { rule, severity: 'error', text: 'ERR no', ...place } };
}

function slow(sha: string | undefined, durationUs: number): SlowRequest {
  const client = { clientId: 1, clientAddress: 'c:1', clientName: undefined };
  return { id: 0, unixMs: 0, durationUs, args: [], node: 'n:1', sha, ...client };
}

function setUp() {
  const told: string[] = [];
  const next = {
    onRefusal: ({ sha }: Refusal) => told.push(`refused ${sha}`),
    onNotAnalysed: (sha: string) => told.push(`not analysed ${sha}`),
  };
  const clock = { ms: 1000 };
  return { events: new RecentEvents(next, ALONE, () => clock.ms), told, clock };
}

describe('RecentEvents', () => {
  it('counts the same thing within a minute on one entry, and begins a new one after that', () => {
    const { events, clock } = setUp();
    for (const ms of [1000, 2000, 60_999]) {
      clock.ms = ms;
      events.onRefusal(refusal('a'));
    }
    clock.ms = 61_000;
    events.onRefusal(refusal('a'));
    const [later, first] = events.newest();
    assert.deepEqual(
      [first, later].map((event) => [event?.id, event?.count, event?.firstUnixMs, event?.lastUnixMs]),
      [
        [1, 3, 1000, 60_999],
        [2, 1, 61_000, 61_000],
      ],
    );
    assert.deepEqual(first && [first.kind, first.rule, first.line, first.source, first.text], [
      'refused',
      'literal',
      2,
      'redis.call(x)',
      'ERR no',
    ]);
  });

  it('keeps apart what differs in kind, script, rule or node', () => {
    const { events } = setUp();
    events.onRefusal(refusal('a'));
    events.onRefusal(refusal('a', 'unpack'));
    events.onRefusal(refusal('b'));
    events.onRefusal(refusal('a', 'literal', true));
    const script = scriptFromBody(Buffer.from('return 1'), 'load');
    events.onHealed(script, 'n:1');
    events.onHealed(script, 'n:2');
    assert.deepEqual(
      events.newest().map(({ kind, rule, node }) => `${kind} ${rule ?? node}`),
      ['healed n:2', 'healed n:1', 'observed literal', 'refused literal', 'refused unpack', 'refused literal'],
    );
  });

  it('counts refusals by rule', () => {
    const { events } = setUp();
    for (const one of [refusal('a'), refusal('b'), refusal('a', 'unpack', true)]) events.onRefusal(one);
    assert.deepEqual(Object.fromEntries(events.refusals), {
      literal: { refused: 2, observed: 0 },
      unpack: { refused: 0, observed: 1 },
    });
  });

  it('holds the longest of a slow script, and no requests that are none', () => {
    const { events } = setUp();
    for (const us of [20_000, 50_000, 30_000]) events.onSlow(slow('a', us));
    events.onSlow(slow(undefined, 90_000));
    assert.deepEqual(
      events.newest().map(({ kind, count, ms }) => [kind, count, ms]),
      [['slow_script', 3, 50]],
    );
  });

  it('holds 200, and what went begins anew when it comes again', () => {
    const { events } = setUp();
    events.onRefusal(refusal('first'));
    for (let i = 0; i < 1000; i++) events.onRefusal(refusal(`sha${i}`));
    events.onRefusal(refusal('first'));
    assert.equal(events.newest().length, 200);
    assert.deepEqual(
      events.newest(2).map(({ sha, count }) => [sha, count]),
      [
        ['first', 1],
        ['sha999', 1],
      ],
    );
  });

  it('passes on what the log wants to hear', () => {
    const { events, told } = setUp();
    events.onRefusal(refusal('a'));
    events.onRefusal(refusal('a'));
    events.onNotAnalysed('b' as Sha, 'it is too large');
    assert.deepEqual(told, ['refused a', 'refused a', 'not analysed b']);
  });
});
