/**
 * `scripting.max_run_ms`: what has only read and runs for too long is killed, if it is ours for certain; everything else
 * goes on.
 */
import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, describe, it } from 'node:test';
import { LocalCluster, type LocalNode } from '../../src/control/local-cluster.ts';
import { type Argument, encodeCommand, RawClient } from '../support/client.ts';
import { tagInSlot, waitFor } from '../support/cluster.ts';
import { SPIN_LUA } from '../support/spin.ts';
import { Stand, shaOf } from '../support/stand.ts';

const [K1, K2] = [100, 6000].map((slot) => `${tagInSlot(slot)}k`) as [string, string];
const THRESHOLD_MS = 50;
const MAX_RUN_MS = 300;
const KILLED = /^-ERR (Error running script .*)?Script killed by user with (SCRIPT|FUNCTION) KILL/;
const KILLED_LINE = 'script killed: it ran for longer than scripting.max_run_ms';
const LEFT_LINE = 'a script runs for longer than scripting.max_run_ms and is left alone';
/** Runs for ARGV[1] milliseconds. */
const RUN = `${SPIN_LUA}
  spin(tonumber(ARGV[1]))
  return redis.call('GET', KEYS[1])`;
const SPIN = 'while true do end';
const LIBRARY = `#!lua name=slow
${SPIN_LUA}
redis.register_function('spin', function(keys, args)
  for i = 1, 3 do spin(tonumber(args[1]) / 3) end
  return 'done'
end)`;

describe('max_run_ms', () => {
  let cluster: LocalCluster;
  let node: LocalNode;
  let stand: Stand;
  let others: RawClient[];

  before(async () => {
    const config = { 'lua-time-limit': String(THRESHOLD_MS) };
    cluster = await LocalCluster.start({ replicas: 0, nodeTimeoutMs: 30_000, config });
    [node] = cluster.masters as [LocalNode];
  });
  after(() => cluster.stop());
  beforeEach(async () => {
    others = [];
    stand = await Stand.start(cluster, { max_run_ms: MAX_RUN_MS });
    await stand.text('FUNCTION', 'LOAD', 'REPLACE', LIBRARY);
    await stand.text('SET', K1, 'done');
  });
  afterEach(async () => {
    for (const other of others) other.close();
    await stand.stop();
  });

  async function start(port: number, ...call: Argument[]): Promise<RawClient> {
    const runner = await RawClient.connect(port);
    others.push(runner);
    runner.send(encodeCommand(call));
    return runner;
  }

  /** Through evalgate, or past it. */
  const ours = (...call: Argument[]) => start(stand.proxy.address.port, ...call);
  const theirs = (...call: Argument[]) => start(node.port, ...call);

  async function waitUntilBusy(): Promise<void> {
    await waitFor('it is busy', async () => String(await node.client().ping().catch(String)).includes('BUSY'));
  }

  function lines(msg: string): Record<string, unknown>[] {
    return stand.lines.filter((line) => line['msg'] === msg);
  }

  for (const [form, first] of [
    ['EVAL', SPIN],
    ['EVALSHA', shaOf(SPIN)],
    ['EVAL_RO', SPIN],
  ] as const) {
    it(`kills ${form}: its client gets the error of the node, the log says what and where`, async () => {
      await stand.text('SCRIPT', 'LOAD', SPIN);
      const runner = await ours(form, first, 2, K1, `${K1}2`, 'a secret');
      assert.match(String(await runner.reply()), KILLED);
      await waitFor('the log says so', () => lines(KILLED_LINE).length === 1);
      const [line = {}] = lines(KILLED_LINE);
      const { node: address, sha, keys, ran_ms: ranMs, max_run_ms: maxRunMs } = line;
      assert.deepEqual([address, sha, keys, maxRunMs], [node.address, shaOf(SPIN), 2, MAX_RUN_MS]);
      assert.ok(typeof ranMs === 'number' && ranMs >= MAX_RUN_MS, `it ran for ${ranMs} ms`);
      assert.ok(!JSON.stringify(stand.lines).includes('secret'));
      assert.equal(await runner.text('GET', K1), '$4\r\ndone\r\n');
    });
  }

  it('kills a function, whose name the log says', async () => {
    const runner = await ours('FCALL', 'spin', 1, K1, 60_000);
    assert.match(String(await runner.reply()), KILLED);
    await waitFor('the log says so', () => lines(KILLED_LINE).length === 1);
    const [line = {}] = lines(KILLED_LINE);
    assert.deepEqual([line['node'], line['function'], line['keys']], [node.address, 'spin', 1]);
  });

  it('kills it while others are behind it, and answers them', async () => {
    const runner = await RawClient.connect(stand.proxy.address.port);
    others.push(runner);
    const replies = await runner.pipeline([
      ['SET', K1, 'one'],
      ['EVAL', SPIN, 1, K1],
      ['GET', K1],
      ['GET', K2],
    ]);
    assert.match(String(replies[1]), KILLED);
    assert.equal(String(replies[2]), '$3\r\none\r\n');
  });

  it('leaves alone what ends in time', async () => {
    assert.equal(await stand.text('EVAL', RUN, 1, K1, MAX_RUN_MS / 2), '$4\r\ndone\r\n');
    assert.equal(lines(KILLED_LINE).length, 0);
  });

  it("never kills another's script, though calls of ours are refused or wait beside it", async () => {
    const running = await theirs('EVAL', RUN, 1, K1, 4 * MAX_RUN_MS);
    const replies = [];
    for (let i = 0; i < 4; i++) replies.push(await (await ours('EVAL', RUN, 1, K1, 1)).reply());
    await waitUntilBusy();
    replies.push(await (await ours('EVAL', RUN, 1, K1, 1)).reply());
    assert.equal(String(await running.reply()), '$4\r\ndone\r\n');
    // Those that came before the threshold wait for it, and then are refused as well.
    for (const reply of replies) assert.match(String(reply), /^(-BUSY |\$4\r\ndone)/);
    assert.match(String(replies.at(-1)), /^-BUSY /);
    assert.equal(lines(KILLED_LINE).length, 0);
  });

  it("never kills another's script when the node's threshold is beyond max_run_ms and ours waits for longer", async (t) => {
    await node.client().config('SET', 'lua-time-limit', '60000');
    t.after(() => node.client().config('SET', 'lua-time-limit', String(THRESHOLD_MS)));
    const running = await theirs('EVAL', RUN, 1, K1, 4 * MAX_RUN_MS);
    const waiting = await ours('EVAL', RUN, 1, K1, 1);
    assert.equal(String(await running.reply()), '$4\r\ndone\r\n');
    assert.equal(String(await waiting.reply()), '$4\r\ndone\r\n');
    assert.equal(lines(KILLED_LINE).length, 0);
  });

  it("never kills another's function, and does not mistake it for ours", async () => {
    const running = await theirs('FCALL', 'spin', 1, K1, 4 * MAX_RUN_MS);
    await waitUntilBusy();
    assert.match(String(await (await ours('FCALL', 'spin', 1, K1, 1)).reply()), /^-BUSY /);
    assert.equal(String(await running.reply()), '$4\r\ndone\r\n');
    assert.equal(lines(KILLED_LINE).length, 0);
  });

  it('does not take a client that does not read for a script that runs', async () => {
    const big = `${tagInSlot(100)}big`;
    await stand.text('SET', big, Buffer.alloc(8 << 20, 'x'));
    const lazy = await RawClient.connect(stand.proxy.address.port);
    others.push(lazy);
    lazy.pause();
    for (let i = 0; i < 40; i++) lazy.send(encodeCommand(['EVAL', "return redis.call('GET', KEYS[1])", 1, big]));
    const running = await theirs('EVAL', RUN, 1, K1, 4 * MAX_RUN_MS);
    assert.equal(String(await running.reply()), '$4\r\ndone\r\n');
    assert.equal(lines(KILLED_LINE).length, 0);
    await stand.text('DEL', big);
  });

  it('kills nothing when it is off', async (t) => {
    const off = await Stand.start(cluster, {});
    t.after(() => off.stop());
    assert.equal(await off.text('EVAL', RUN, 1, K1, 4 * MAX_RUN_MS), '$4\r\ndone\r\n');
  });

  // The last one: its master does not survive it.
  it('leaves alone what has written, and says so once', async () => {
    const body = "redis.call('SET', KEYS[1], 1) while true do end";
    const runner = await ours('EVAL', body, 1, K1);
    await waitFor('the log says so', () => lines(LEFT_LINE).length === 1);
    const answered = stand.proxy.counters.requests;
    for (let i = 0; i < 5; i++) assert.match(await stand.text('GET', K1), /^-BUSY /);
    assert.ok(stand.proxy.counters.requests > answered);
    await new Promise((resolve) => setTimeout(resolve, 2 * MAX_RUN_MS));
    const [line = {}] = lines(LEFT_LINE);
    assert.match(String(line['reason']), /^UNKILLABLE /);
    assert.equal(line['sha'], shaOf(body));
    assert.equal(lines(LEFT_LINE).length, 1);
    assert.equal(lines(KILLED_LINE).length, 0);
    assert.equal(runner.unreadCount, 0);
    await cluster.stopNode(node, 'SIGKILL');
  });
});
