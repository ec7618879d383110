/**
 * What a client sees while one slot is on its way from one master to another: nothing. And in which order its requests
 * run meanwhile.
 */
import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, it } from 'node:test';
import { RawClient } from '../support/client.ts';
import { beginSlotMove, endSlotMove, moveKeys, type SlotMove, tagInSlot, waitUntilAgreed } from '../support/cluster.ts';
import { Gateway } from '../support/gateway.ts';

const COUNT = "return redis.call('INCRBY', KEYS[1], ARGV[1])";
const FUNCTION =
  "#!lua name=counting\nredis.register_function('count', function(keys, args) return redis.call('INCRBY', keys[1], args[1]) end)";
let nextSlot = 100;

describe('redirects', () => {
  let gateway: Gateway;
  let client: RawClient;
  let move: SlotMove;
  let tag: string;

  before(async () => {
    gateway = await Gateway.start({ replicas: 0 });
    client = await RawClient.connect(gateway.port);
    await client.command('FUNCTION', 'LOAD', FUNCTION);
  });
  after(async () => {
    client.close();
    await gateway.stop();
  });
  beforeEach(() => {
    const [from, to] = gateway.cluster.masters;
    assert.ok(from && to);
    nextSlot++;
    move = { slot: nextSlot, from, to };
    tag = tagInSlot(nextSlot);
  });

  it('MOVED is followed, in the order sent', async () => {
    await client.command('SET', `${tag}k`, '0');
    await beginSlotMove(move);
    while ((await moveKeys(move)) > 0);
    await endSlotMove(move, gateway.cluster);
    const replies = await client.pipeline(Array.from({ length: 50 }, (_, i) => ['APPEND', `${tag}k`, `.${i}`]));
    assert.ok(replies.every((reply) => reply[0] === 0x3a));
    const expected = `0${Array.from({ length: 50 }, (_, i) => `.${i}`).join('')}`;
    assert.equal(await client.text('GET', `${tag}k`), `$${expected.length}\r\n${expected}\r\n`);
  });

  it('ASK is followed for plain commands, scripts and functions, also where the node lacks the script', async () => {
    const sha = (await client.text('SCRIPT', 'LOAD', COUNT)).split('\r\n')[1] ?? '';
    await client.command('SET', `${tag}k`, '5');
    await beginSlotMove(move);
    await moveKeys(move);
    await move.to.client().call('SCRIPT', 'FLUSH');
    const replies = await client.pipeline([
      ['INCR', `${tag}k`],
      ['EVALSHA', sha, '1', `${tag}k`, '10'],
      ['EVAL', COUNT, '1', `${tag}k`, '100'],
      ['EVAL', `${COUNT} -- new here`, '1', `${tag}k`, '1000'],
      ['FCALL', 'count', '1', `${tag}k`, '10000'],
      ['EVALSHA', sha, '1', `${tag}k`, '0'],
    ]);
    assert.deepEqual(replies.map(String), [':6\r\n', ':16\r\n', ':116\r\n', ':1116\r\n', ':11116\r\n', ':11116\r\n']);
    await endSlotMove(move, gateway.cluster);
    assert.equal(await client.text('GET', `${tag}k`), '$5\r\n11116\r\n');
  });

  it('ASK is followed to a new node that owns no slot yet, however long its first slot takes', async () => {
    const sha = (await client.text('SCRIPT', 'LOAD', COUNT)).split('\r\n')[1] ?? '';
    await client.command('SET', `${tag}k`, '5');
    const toNew = { ...move, to: await gateway.cluster.addNode() };
    await waitUntilAgreed(gateway.cluster);
    await beginSlotMove(toNew);
    await moveKeys(toNew);
    const replies = await client.pipeline([
      ['INCR', `${tag}k`],
      ['EVALSHA', sha, '1', `${tag}k`, '10'],
    ]);
    assert.deepEqual(replies.map(String), [':6\r\n', ':16\r\n']);
    await endSlotMove(toNew, gateway.cluster);
    assert.equal(await client.text('GET', `${tag}k`), '$2\r\n16\r\n');
  });

  it('TRYAGAIN waits until the keys are together again', async () => {
    await client.command('MSET', `${tag}a`, '1', `${tag}b`, '2');
    await beginSlotMove(move);
    await moveKeys(move, 1);
    const waiting = client.pipeline([
      ['MGET', `${tag}a`, `${tag}b`],
      ['EVAL', "return redis.call('MGET', KEYS[1], KEYS[2])", '2', `${tag}a`, `${tag}b`],
    ]);
    const retriesBefore = gateway.proxy.counters.retries;
    while (gateway.proxy.counters.retries < retriesBefore + 3) await new Promise((resolve) => setImmediate(resolve));
    await moveKeys(move);
    await endSlotMove(move, gateway.cluster);
    const both = '*2\r\n$1\r\n1\r\n$1\r\n2\r\n';
    assert.deepEqual((await waiting).map(String), [both, both]);
  });

  it('a pipeline over slots that move and slots that do not keeps the order of its replies', async () => {
    const still = tagInSlot(9000);
    await client.pipeline([
      ['SET', `${tag}k`, 'moving'],
      ['SET', `${still}k`, 'still'],
    ]);
    await beginSlotMove(move);
    await moveKeys(move);
    const replies = await client.pipeline(
      Array.from({ length: 200 }, (_, i) => ['GET', `${i % 2 === 0 ? tag : still}k`]),
    );
    await endSlotMove(move, gateway.cluster);
    replies.forEach((reply, i) => {
      assert.equal(String(reply), i % 2 === 0 ? '$6\r\nmoving\r\n' : '$5\r\nstill\r\n');
    });
  });

  it('a multi-key command is split by slot while one of them moves', async () => {
    const still = tagInSlot(9001);
    await client.command('MSET', `${tag}k`, 'a', `${still}k`, 'b');
    await beginSlotMove(move);
    await moveKeys(move);
    const during = await client.text('MGET', `${still}k`, `${tag}k`, `${still}nil`);
    await endSlotMove(move, gateway.cluster);
    assert.equal(during, '*3\r\n$1\r\nb\r\n$1\r\na\r\n$-1\r\n');
    assert.equal(await client.text('DEL', `${still}k`, `${tag}k`), ':2\r\n');
  });
});
