/** Answers out of the facts of several processes. With one process behind they are tested over HTTP (admin.test.ts). */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { FactTeller } from '../../../src/control/admin/facts.ts';
import type { ScriptFacts } from '../../../src/control/admin/script-facts.ts';
import { scriptsView, scriptView } from '../../../src/control/admin/script-views.ts';
import type { ClientFacts, NodesFacts, Page } from '../../../src/control/admin/state-facts.ts';
import { noLatency } from '../../../src/control/admin/state-facts.ts';
import { clientsView, eventsView, pagesOf, slowLogView, topologyView } from '../../../src/control/admin/views.ts';

const COUNTS = 22;

function script(sha: string, more: Partial<ScriptFacts> = {}): ScriptFacts {
  const latency = new Array<number>(COUNTS).fill(0);
  return {
    sha,
    title: `title of ${sha}`,
    origin: 'eval',
    bytes: 10,
    calls: 0,
    errors: 0,
    latency,
    readOnly: null,
    finding: null,
    nodes: [],
    ...more,
  };
}

describe('scriptsView', () => {
  const latency = (bucket: number, count: number) => script('').latency.map((_, i) => (i === bucket ? count : 0));
  const here = [
    script('a', { calls: 3, errors: 1, nodes: ['n1'], latency: latency(2, 3) }),
    script('b', { calls: 4, latency: latency(0, 4) }),
  ];
  const there = [
    script('a', { calls: 2, nodes: ['n1', 'n2'], origin: 'load', readOnly: true, latency: latency(4, 2) }),
    script('c'),
  ];
  const all = [
    { total: 2, scripts: here },
    { total: 2, scripts: there },
  ];
  const order = { sort: 'calls', order: 'desc', limit: 10, offset: 0 } as const;

  it('tells each script once, with what all processes know of it', () => {
    const { total, matching, scripts } = scriptsView(all, order);
    assert.deepEqual([total, matching], [3, 3]);
    assert.deepEqual(
      scripts.map(({ sha, calls }) => [sha, calls]),
      [
        ['a', 5],
        ['b', 4],
        ['c', 0],
      ],
    );
    const [a] = scripts;
    assert.deepEqual([a?.errors, a?.origin, a?.readOnly, a?.nodes], [1, 'load', true, ['n1', 'n2']]);
    assert.ok((a?.p99Ms ?? 0) > 0.4 && (a?.p50Ms ?? 1) < 0.4, `p50 ${a?.p50Ms}, p99 ${a?.p99Ms}`);
  });

  it('sorts by what all know together, and gives pages of that', () => {
    const { scripts } = scriptsView(all, { ...order, limit: 1, offset: 1 });
    assert.deepEqual(
      scripts.map(({ sha }) => sha),
      ['b'],
    );
  });

  it('puts one script together in the same way; undefined when nobody has it', () => {
    const detail = { findings: [], hints: [], notAnalysed: null, source: 'return 1', isSourceCut: false };
    const parts = [undefined, { ...(here[0] as ScriptFacts), ...detail }, { ...(there[0] as ScriptFacts), ...detail }];
    const view = scriptView(parts);
    assert.deepEqual([view?.calls, view?.source, view?.nodes], [5, 'return 1', ['n1', 'n2']]);
    assert.equal(scriptView([undefined, undefined]), undefined);
  });
});

describe('topologyView', () => {
  it('adds up what goes on at a node, and shows the worst of what is said of it', () => {
    const node = (unanswered: number, answers: boolean) => ({
      address: 'n1:1',
      health: { answers, pingMs: answers ? 1 : null, problem: answers ? null : 'silent' },
      connections: 1,
      unanswered,
      latency: noLatency().fill(unanswered),
    });
    const shards = [
      { slots: [[0, 16383]] as const, slotCount: 16384, primary: { id: 'x', address: 'n1:1' }, replicas: [] },
    ];
    const starting: NodesFacts = { shards: [], nodes: [] };
    const { shards: shown, slotsCovered } = topologyView([
      starting,
      { shards, nodes: [node(2, true)] },
      { shards, nodes: [node(3, false)] },
    ]);
    assert.equal(slotsCovered, 16384);
    const primary = shown[0]?.primary;
    assert.deepEqual(
      [primary?.connections, primary?.unanswered, primary?.answers, primary?.problem],
      [2, 5, false, 'silent'],
    );
    assert.equal(primary?.requests, 5 * noLatency().length);
  });

  it('shows nothing when nobody knows anything', () => {
    assert.deepEqual(topologyView([]), { slotsCovered: 0, shards: [] });
  });
});

describe('clientsView', () => {
  class Clients implements FactTeller {
    readonly asked: Page[] = [];
    readonly #ids: readonly number[];
    constructor(...ids: readonly number[]) {
      this.#ids = ids;
    }
    // Only asked for clients.
    async tell(_: string, query: unknown): Promise<never> {
      const { limit, offset } = query as Page;
      this.asked.push({ limit, offset });
      const clients = this.#ids.slice(offset, offset + limit).map((id) => ({ id }) as ClientFacts);
      return { total: this.#ids.length, clients } as never;
    }
  }
  const gone: FactTeller = { tell: () => Promise.reject(new Error('it is gone')) };

  it('pages over the clients of all processes, and asks nobody for more than is shown', async () => {
    const [a, b, c] = [new Clients(1, 3, 5), new Clients(2, 4), new Clients(9)];
    const view = await clientsView([a, gone, b, c], { offset: 2, limit: 2 });
    assert.deepEqual([view.total, view.clients.map(({ id }) => id)], [6, [5, 2]]);
    assert.deepEqual(a.asked.at(-1), { offset: 2, limit: 1 });
    assert.deepEqual(c.asked, [{ offset: 0, limit: 0 }], 'only how many it has');
  });

  it('pagesOf cuts a part of many lists one behind the other', () => {
    assert.deepEqual(pagesOf([2, 0, 3], { offset: 1, limit: 3 }), [
      { offset: 1, limit: 1 },
      { offset: 0, limit: 0 },
      { offset: 0, limit: 2 },
    ]);
    assert.deepEqual(pagesOf([2], { offset: 5, limit: 3 }), [{ offset: 2, limit: 0 }]);
  });
});

describe('lists of several processes', () => {
  it('slow requests come newest first, as many as wanted, counted by all', () => {
    const slow = (id: number, unixMs: number) => ({
      id,
      unixMs,
      durationUs: 12_000,
      args: [Buffer.from('GET')],
      clientId: 1,
      clientAddress: 'a:1',
      clientName: undefined,
      node: 'n1:1',
      sha: undefined,
    });
    const view = slowLogView(
      [
        { total: 7, requests: [slow(2, 30), slow(0, 10)] },
        { total: 1, requests: [slow(1, 20)] },
      ],
      2,
    );
    assert.deepEqual([view.total, view.requests.map(({ id }) => id)], [8, [2, 1]]);
  });

  it('events come in the order in which they began', () => {
    const event = (id: number, firstUnixMs: number) =>
      ({ id, kind: 'healed', sha: 's', firstUnixMs, lastUnixMs: firstUnixMs, count: 1 }) as const;
    const { events } = eventsView([[event(4, 40), event(2, 20)], [event(3, 30)]], 2);
    assert.deepEqual(
      events.map(({ id }) => id),
      [4, 3],
    );
  });
});
