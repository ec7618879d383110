/** `scripting.preload` with a real cluster: loaded on every node, callable by sha, and what stops the start. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { OperatorError } from '../../src/base/operator-error.ts';
import { LocalCluster } from '../../src/control/local-cluster.ts';
import { shaOf } from '../../src/script/sha.ts';
import { RawClient } from '../support/client.ts';
import { tagInSlot, waitFor, waitUntilAgreed } from '../support/cluster.ts';
import { startProxy } from '../support/gateway.ts';

const BODY = Buffer.from("return redis.call('INCR', KEYS[1])\r\n -- \xff\n", 'latin1');

describe('scripting.preload', () => {
  const folder = mkdtempSync(join(tmpdir(), 'evalgate-preload-'));
  const sha = shaOf(BODY);
  let cluster: LocalCluster;
  before(async () => {
    cluster = await LocalCluster.start();
    const [node] = cluster.masters;
    await waitFor('the replicas are known', async () => {
      const rows = (await node?.client().call('CLUSTER', 'SLOTS')) as unknown[][];
      return rows.every((row) => row.length === 4);
    });
    writeFileSync(join(folder, 'count.lua'), BODY);
  });
  after(async () => {
    rmSync(folder, { recursive: true });
    await cluster.stop();
  });

  async function nodesWith(): Promise<number> {
    const counts = await Promise.all(cluster.nodes.map((node) => node.client().script('EXISTS', sha)));
    return counts.flat().filter((count) => count === 1).length;
  }

  it('is on every master and replica before the first client, and stays callable when a node forgets it', async (t) => {
    const proxy = await startProxy(cluster, { scripting: { preload: [folder] }, listen: { drain_ms: 0 } });
    t.after(() => proxy.stop());
    assert.equal(await nodesWith(), 6);
    const client = await RawClient.connect(proxy.address.port);
    t.after(() => client.close());
    const key = `${tagInSlot(100)}k`;
    assert.equal(await client.text('EVALSHA', sha, 1, key), ':1\r\n');
    for (const node of cluster.nodes) await node.client().script('FLUSH');
    assert.equal(await client.text('EVALSHA', sha, 1, key), ':2\r\n');
  });

  it('does without the nodes that are not there', async (t) => {
    for (const node of cluster.nodes) await node.client().script('FLUSH');
    const [replica] = cluster.replicas;
    assert.ok(replica);
    await cluster.stopNode(replica);
    const proxy = await startProxy(cluster, {
      scripting: { preload: [join(folder, '*.lua')] },
      log: { level: 'fatal' },
    });
    t.after(() => proxy.stop());
    await cluster.restartNode(replica);
    assert.equal(await nodesWith(), 5);
    await waitUntilAgreed(cluster);
  });

  it('stops the start at a script that the cluster does not compile', async () => {
    const file = join(folder, 'broken.lua');
    writeFileSync(file, 'local a = 1\nreturn return');
    const scripting = { preload: [file], script_check_enable: 0 } as const;
    await assert.rejects(startProxy(cluster, { scripting }), (error) => {
      assert.ok(error instanceof OperatorError);
      assert.match(
        error.message,
        /^Cannot preload scripts: .*broken\.lua:2:1: does not compile: ERR Error compiling script/,
      );
      return true;
    });
  });
});
