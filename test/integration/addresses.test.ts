/**
 * Nodes that announce themselves in every way a cluster can: host names, nothing at all, and addresses that only
 * `nat_map` makes reachable. Redirects name nodes in the same way.
 */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { RawClient } from '../support/client.ts';
import { beginSlotMove, endSlotMove, moveKeys, tagInSlot } from '../support/cluster.ts';
import { Gateway } from '../support/gateway.ts';
import { BEFORE_7 } from '../support/versions.ts';

interface Announcement {
  readonly name: string;
  readonly config: Readonly<Record<string, string>>;
  /** Host of the nodes as evalgate must name it. */
  readonly host: string;
}

const ANNOUNCEMENTS: readonly Announcement[] = [
  {
    name: 'host names',
    config: { 'cluster-announce-hostname': 'localhost', 'cluster-preferred-endpoint-type': 'hostname' },
    host: 'localhost',
  },
  {
    name: 'no address: the host that was asked',
    config: { 'cluster-preferred-endpoint-type': 'unknown-endpoint' },
    host: '127.0.0.1',
  },
];

/** Keys everywhere, then one that is moved: by MOVED, and by ASK. */
async function useEverySlotRange(gateway: Gateway): Promise<void> {
  const client = await RawClient.connect(gateway.port);
  const keys = [1, 6000, 12_000].map((slot) => `${tagInSlot(slot)}k`);
  for (const key of keys) assert.equal(await client.text('SET', key, key), '+OK\r\n');
  const [from, to] = gateway.cluster.masters;
  assert.ok(from && to);
  const move = { slot: 1, from, to };
  await beginSlotMove(move);
  await moveKeys(move);
  assert.equal(await client.text('APPEND', keys[0] ?? '', ''), `:${keys[0]?.length}\r\n`);
  await endSlotMove(move, gateway.cluster);
  assert.equal(
    await client.text('EVAL', "return redis.call('STRLEN', KEYS[1])", '1', keys[0] ?? ''),
    `:${keys[0]?.length}\r\n`,
  );
  assert.equal(await client.text('DBSIZE'), ':3\r\n');
  client.close();
}

function hostsOf(gateway: Gateway): string[] {
  return [...new Set(gateway.proxy.topology.shards.map(({ primary }) => primary.host))];
}

describe('node addresses', () => {
  for (const { name, config, host } of ANNOUNCEMENTS) {
    it(`are understood as ${name}, also in redirects`, { skip: BEFORE_7 }, async () => {
      const gateway = await Gateway.start({ replicas: 0, config });
      try {
        assert.deepEqual(hostsOf(gateway), [host]);
        await useEverySlotRange(gateway);
      } finally {
        await gateway.stop();
      }
    });
  }

  it('go through nat_map, also in redirects', async () => {
    const gateway = await Gateway.start({ replicas: 0 }, ({ nodes }) => ({
      cluster: { nat_map: Object.fromEntries(nodes.map(({ address, port }) => [address, `localhost:${port}`])) },
    }));
    try {
      assert.deepEqual(hostsOf(gateway), ['localhost']);
      await useEverySlotRange(gateway);
    } finally {
      await gateway.stop();
    }
  });
});
