/**
 * A client that writes values into its scripts, over the wire: 100,000 bodies, each another (C6). Memory stays bounded,
 * what came by SCRIPT LOAD stays, one warning says it, and the store is spared.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { LocalCluster } from '../../src/control/local-cluster.ts';
import { RawClient } from '../support/client.ts';
import { tagInSlot } from '../support/cluster.ts';
import { bulk, Stand, shaOf } from '../support/stand.ts';

const COUNT = 100_000;
/** Until then the process grows to its working size. */
const WARM_UP = 30_000;
const PIPELINE = 500;
const REGISTRY_BYTES = 1_000_000;
/** Bodies and objects of what comes after the warm-up would be more than 80 MB. */
const MAX_GROWTH_BYTES = 50_000_000;
const KEYS = [100, 6000, 12_000].map((slot) => `${tagInSlot(slot)}k`);

function bodyOf(i: number): string {
  return `local key = KEYS[1]\nlocal user = 'user:${i}'\nreturn redis.call('SET', key, ${i * 7}) -- ${'x'.repeat(500)}`;
}

describe('C6: a flood of scripts', () => {
  it('100,000 different bodies: memory, loaded scripts, the warning, the store', { timeout: 60_000 }, async (t) => {
    const folder = mkdtempSync(join(tmpdir(), 'evalgate-flood-'));
    const cluster = await LocalCluster.start({ replicas: 0 });
    const store = { type: 'directory', path: folder } as const;
    const stand = await Stand.start(cluster, { registry_max_bytes: REGISTRY_BYTES, store });
    const flooder = await RawClient.connect(stand.proxy.address.port);
    t.after(async () => {
      flooder.close();
      await stand.stop();
      await cluster.stop();
      rmSync(folder, { recursive: true });
    });
    const kept = Array.from({ length: 20 }, (_, i) => `return redis.call('GET', KEYS[1]) -- ${i}`);
    for (const body of kept) assert.equal(await stand.text('SCRIPT', 'LOAD', body), bulk(shaOf(body)));
    const stored = readdirSync(folder).sort();

    const flood = async (from: number, to: number) => {
      for (let i = from; i < to; i += PIPELINE) {
        const calls = Array.from({ length: PIPELINE }, (_, n) => ['EVAL', bodyOf(i + n), 1, KEYS[(i + n) % 3] ?? '']);
        const replies = await flooder.pipeline(calls);
        assert.ok(replies.every((reply) => String(reply) === '+OK\r\n'));
        // The nodes of this version keep them all.
        if (i % 20_000 === 0) for (const node of cluster.nodes) await node.client().script('FLUSH');
      }
    };
    await flood(0, WARM_UP);
    const before = process.memoryUsage.rss();
    await flood(WARM_UP, COUNT);
    const growth = process.memoryUsage.rss() - before;

    assert.ok(growth < MAX_GROWTH_BYTES, `grew by ${growth} bytes`);
    const { registry } = stand.proxy;
    assert.ok(registry.bytes <= REGISTRY_BYTES, `the registry holds ${registry.bytes} bytes`);
    for (const body of kept) {
      assert.equal(registry.findBySha(shaOf(body))?.origin, 'load');
      for (const key of KEYS) assert.match(await stand.text('EVALSHA', shaOf(body), 1, key), /^\$\d+\r\n\d+\r\n$/);
    }

    const warnings = stand.lines.filter(({ msg }) => msg === 'many scripts differ only in their constants');
    assert.equal(warnings.length, 1);
    const { shas, line, source } = warnings[0] as { shas: string[]; line: number; source: string };
    const known = new Set(Array.from({ length: 1000 }, (_, i) => shaOf(bodyOf(i))));
    assert.equal(new Set(shas).size, 2);
    assert.ok(
      shas.every((sha) => known.has(sha)),
      `shas of the flood: ${shas}`,
    );
    assert.equal(line, 2);
    assert.equal(source, "local user = '…'");

    assert.deepEqual(readdirSync(folder).sort(), stored, 'the store holds what was loaded, and nothing else');
  });
});
