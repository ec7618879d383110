/**
 * A script that runs for seconds, and everybody else meanwhile (C3a): only those already behind it on its connection
 * wait for it, and every BUSY is the node's own.
 */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { RawClient } from '../support/client.ts';
import { slotOfKey, tagInSlot } from '../support/cluster.ts';
import { Gateway } from '../support/gateway.ts';
import { SPIN_LUA } from '../support/spin.ts';

const RUN_MS = 3000;
const THRESHOLD_MS = 1000;
const SPIN = `${SPIN_LUA}
  spin(tonumber(ARGV[1]))
  return redis.call('GET', KEYS[1])`;

/** Asks for a key of another shard for so long, longer than it takes to see that a connection is occupied. */
async function askFor(durationMs: number, client: RawClient, key: string): Promise<number> {
  const endsAt = performance.now() + durationMs;
  let count = 0;
  for (; performance.now() < endsAt; count++) assert.equal(await client.text('GET', key), '$4\r\nhere\r\n');
  return count;
}

describe('slow script', () => {
  let gateway: Gateway;

  before(async () => {
    gateway = await Gateway.start({ replicas: 0, config: { 'lua-time-limit': String(THRESHOLD_MS) } });
  });
  after(() => gateway.stop());

  it('C3a: others get BUSY on another connection, other shards do not notice, the script gets its reply', async () => {
    const busy = `${tagInSlot(10)}k`;
    const idle = `${tagInSlot(16_000)}k`;
    assert.notEqual(slotOfKey(busy), slotOfKey(idle));
    const [slow, other, elsewhere] = await Promise.all(
      Array.from({ length: 3 }, () => RawClient.connect(gateway.port)),
    );
    assert.ok(slow && other && elsewhere);
    await other.pipeline([
      ['SET', busy, 'done'],
      ['SET', idle, 'here'],
    ]);
    const startedAt = performance.now();
    const result = slow.text('EVAL', SPIN, '1', busy, String(RUN_MS));
    const answers = await askFor(200, elsewhere, idle);
    const refused = await other.text('GET', busy);
    const refusedAfter = performance.now() - startedAt;
    assert.match(refused, /^-BUSY /);
    assert.equal(await elsewhere.text('GET', idle), '$4\r\nhere\r\n');
    assert.equal(await result, '$4\r\ndone\r\n');
    assert.equal(await other.text('GET', busy), '$4\r\ndone\r\n');
    assert.ok(refusedAfter < RUN_MS - 500, `BUSY came after ${refusedAfter} ms: behind the script, not beside it`);
    assert.ok(answers > 20, `the other shard answered only ${answers} times in 200 ms`);
    for (const client of [slow, other, elsewhere]) client.close();
  });

  it('SCRIPT KILL ends a script while the other shards work', async () => {
    const busy = `${tagInSlot(10)}k`;
    const [slow, killer] = await Promise.all([RawClient.connect(gateway.port), RawClient.connect(gateway.port)]);
    assert.ok(slow && killer);
    const result = slow.text('EVAL', SPIN, '1', busy, '60000');
    await askFor(50, killer, `${tagInSlot(16_000)}k`);
    while ((await killer.text('GET', busy)).startsWith('$'));
    assert.equal(await killer.text('SCRIPT', 'KILL'), '+OK\r\n');
    assert.match(await result, /^-ERR Error running script.*|^-ERR .*killed by user/i);
    assert.match(await killer.text('SCRIPT', 'KILL'), /^-NOTBUSY /);
    slow.close();
    killer.close();
  });
});
