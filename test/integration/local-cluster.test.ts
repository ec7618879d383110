/** LocalCluster with real servers: it forms, changes, and leaves nothing behind, however the process ends. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { dirname } from 'node:path';
import { createInterface } from 'node:readline';
import { describe, it } from 'node:test';
import { OperatorError } from '../../src/base/operator-error.ts';
import { LocalCluster } from '../../src/control/local-cluster.ts';
import { isListening } from '../../src/control/ports.ts';
import {
  beginSlotMove,
  endSlotMove,
  failOver,
  freeze,
  isMaster,
  moveKeys,
  moveSlots,
  ownerOf,
  slotOfKey,
  tagInSlot,
  thaw,
  waitFor,
  waitUntilAgreed,
  waitUntilReplaced,
} from '../support/cluster.ts';
import { hasCommand } from '../support/versions.ts';

const MODULE = new URL('../../src/control/local-cluster.js', import.meta.url).href;

describe('LocalCluster', () => {
  it('forms, loses, gains and moves, and leaves nothing behind', async (t) => {
    const cluster = await LocalCluster.start({ config: { 'slowlog-max-len': '77' } });
    t.after(() => cluster.stop());
    assert.equal(cluster.masters.length, 3);
    assert.equal(cluster.replicas.length, 3);
    const [first, second] = cluster.masters;
    assert.ok(first && second);

    await t.test('takes extra config', async () => {
      assert.deepEqual(await first.client().config('GET', 'slowlog-max-len'), ['slowlog-max-len', '77']);
    });

    await t.test('all nodes agree, every slot has its owner', async () => {
      await waitUntilAgreed(cluster);
      assert.equal(await ownerOf(cluster, 0), first);
      assert.equal(await ownerOf(cluster, 16383), cluster.masters[2]);
    });

    await t.test('moves a slot with keys, step by step', async () => {
      const slot = 100;
      const tag = tagInSlot(slot);
      assert.equal(slotOfKey(`${tag}:1`), slot);
      for (let i = 0; i < 3; i++) await first.client().set(`${tag}:${i}`, i);
      const move = { slot, from: first, to: second };
      await beginSlotMove(move);
      assert.equal(await moveKeys(move, 1), 1);
      await assert.rejects(first.client().get(`${tag}:none`), /^ReplyError: ASK 100 /);
      while ((await moveKeys(move)) > 0);
      await endSlotMove(move, cluster);
      assert.equal(await second.client().get(`${tag}:2`), '2');
      await waitUntilAgreed(cluster);
      assert.equal(await ownerOf(cluster, slot), second);
      await moveSlots(cluster, [slot], { from: second, to: first });
      await waitUntilAgreed(cluster);
      assert.equal(await ownerOf(cluster, slot), first);
    });

    await t.test('fails over by hand', async () => {
      const replica = cluster.replicas.find(({ shardIndex }) => shardIndex === second.shardIndex);
      assert.ok(replica);
      await failOver(cluster, replica);
      assert.equal(await ownerOf(cluster, 8000), replica);
      assert.equal(await isMaster(second), false);
    });

    await t.test('fails over when a master is killed, and takes it back as a replica', async () => {
      await cluster.stopNode(first, 'SIGKILL');
      assert.equal(first.isRunning, false);
      await waitUntilReplaced(cluster, first);
      assert.notEqual(await ownerOf(cluster, 0), first);
      await cluster.restartNode(first);
      await waitFor('it is a replica', async () => !(await isMaster(first)));
    });

    await t.test('freezes and thaws', async () => {
      const third = cluster.masters[2];
      assert.ok(third);
      freeze(third);
      const answer = third.client().ping();
      thaw(third);
      assert.equal(await answer, 'PONG');
    });

    await t.test('adds an empty master', async () => {
      const added = await cluster.addNode();
      assert.equal(await isMaster(added), true);
      assert.equal(cluster.nodes.length, 7);
    });

    await t.test('knows its shards: SPUBLISH and CLUSTER SHARDS', async (t) => {
      if (!(await hasCommand(second, 'spublish'))) return t.skip('the server is older than 7.0');
      for (const node of cluster.nodes.filter(({ isRunning }) => isRunning)) {
        // An empty master redirects; it must not end.
        await node
          .client()
          .spublish(tagInSlot(8000), 'heard by nobody')
          .catch(() => {});
        assert.equal(await node.client().ping(), 'PONG');
      }
      const shards = (await second.client().call('CLUSTER', 'SHARDS')) as unknown[];
      assert.equal(shards.length, 4);
    });

    await t.test('leaves nothing behind', async () => {
      const nodes = cluster.nodes;
      await cluster.stop();
      await cluster.stop();
      for (const node of nodes) {
        assert.equal(await isListening(node.port), false);
        assert.equal(existsSync(node.folder), false);
      }
      assert.equal(existsSync(dirname(nodes[0]?.folder ?? '')), false);
    });
  });

  const ends: [name: string, code: string][] = [
    ['process.exit', 'process.exit(0)'],
    ['an uncaught exception', 'throw new Error("on purpose")'],
    ['SIGINT', 'process.kill(process.pid, "SIGINT"); await new Promise(() => setInterval(() => {}, 1000))'],
    ['SIGKILL', 'process.kill(process.pid, "SIGKILL")'],
  ];
  it('leaves nothing behind when its process ends otherwise', { concurrency: true }, async (t) => {
    await Promise.all(
      ends.map(([name, code]) =>
        t.test(name, async () => {
          const script = `
            const { LocalCluster } = await import('${MODULE}');
            const cluster = await LocalCluster.start({ masters: 1, replicas: 0 });
            console.log(JSON.stringify(cluster.nodes.map(({ port, folder }) => ({ port, folder }))));
            ${code};`;
          const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
            stdio: ['ignore', 'pipe', 'ignore'],
          });
          const [line] = (await once(createInterface({ input: child.stdout }), 'line')) as [string];
          const [{ port, folder }] = JSON.parse(line) as [{ port: number; folder: string }];
          await waitFor('the folder is gone', () => !existsSync(dirname(folder)));
          // Killed before the folder went, but a process takes its time to end.
          await waitFor('its server is gone', async () => !(await isListening(port)));
        }),
      ),
    );
  });

  it('says what to install when there is no server binary', async () => {
    const path = process.env['PATH'];
    process.env['PATH'] = '/nowhere';
    try {
      await assert.rejects(LocalCluster.start(), (error) => {
        assert.ok(error instanceof OperatorError);
        assert.equal(error.code, 'EVALGATE_NO_SERVER_BINARY');
        assert.match(error.message, /redis-server.*install/);
        return true;
      });
    } finally {
      process.env['PATH'] = path;
    }
  });

  it('tells the end of the log when a node does not start', async () => {
    await assert.rejects(
      LocalCluster.start({ masters: 1, replicas: 0, config: { 'no-such-option': '1' } }),
      /Cannot start local node 127\.0\.0\.1:\d+: the server ended/,
    );
  });
});
