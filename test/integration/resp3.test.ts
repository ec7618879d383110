/**
 * RESP3: everything that evalgate encodes or merges itself is in the client's protocol, also when the client changes it
 * in the middle of a pipeline. What passes through untouched is conformance.test.ts's.
 */
import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, it } from 'node:test';
import { RawClient } from '../support/client.ts';
import { tagInSlot } from '../support/cluster.ts';
import { Gateway } from '../support/gateway.ts';

const [K1, K2, K3] = [100, 6000, 12_000].map((slot) => `${tagInSlot(slot)}k`) as [string, string, string];
const OK = '+OK\r\n';

function bulk(text: string): string {
  return `$${text.length}\r\n${text}\r\n`;
}

describe('RESP3', () => {
  let gateway: Gateway;
  let client: RawClient;
  const text = (line: string) => client.text(...line.split(' '));

  before(async () => {
    gateway = await Gateway.start({ replicas: 0, nodeTimeoutMs: 15_000 });
  });
  after(async () => {
    client.close();
    await gateway.stop();
  });
  beforeEach(async () => {
    client?.close();
    client = await RawClient.connect(gateway.port);
    await client.text('FLUSHALL');
    assert.match(await text('HELLO 3 SETNAME three'), /^%7\r\n/);
  });

  it('HELLO answers a map with the fields that RESP2 has too, and tells what is in force', async () => {
    const version = '\\d+\\.\\d+\\.\\d+';
    const rest = '\\$2\\r\\nid\\r\\n:\\d+\\r\\n.*\\$7\\r\\nmodules\\r\\n\\*0\\r\\n';
    const fields = (proto: number) =>
      `server.*(?:redis|valkey).*version\\r\\n\\$\\d+\\r\\n${version}\\r\\n.*proto\\r\\n:${proto}\\r\\n${rest}$`;
    assert.match(await text('HELLO'), new RegExp(`^%7\\r\\n.*${fields(3)}`, 's'));
    assert.match(await text('HELLO 2'), new RegExp(`^\\*14\\r\\n.*${fields(2)}`, 's'));
    assert.match(await text('HELLO'), /^\*14\r\n/);
    assert.equal(await text('CLIENT GETNAME'), bulk('three'));
  });

  it('merges the replies of all shards', async () => {
    await client.pipeline([K1, K2].map((key) => ['SET', key, `of ${key}`]));
    assert.equal(
      await text(`MGET ${K3} ${K1} {none}k ${K2}`),
      `*4\r\n_\r\n${bulk(`of ${K1}`)}_\r\n${bulk(`of ${K2}`)}`,
    );
    assert.equal(await text('DBSIZE'), ':2\r\n');
    assert.equal(await text(`EXISTS ${K1} ${K2} ${K3}`), ':2\r\n');
    assert.match(await text('KEYS *'), /^\*2\r\n/);
    assert.equal(await text(`SCRIPT EXISTS ${'f'.repeat(40)}`), '*1\r\n:0\r\n');
    assert.equal(await text('WAIT 0 10'), ':0\r\n');
    assert.equal(await text(`DEL ${K1} ${K2} ${K3}`), ':2\r\n');
    assert.equal(await text('SCRIPT KILL'), '-NOTBUSY No scripts in execution right now.\r\n');
    assert.equal(await text('CONFIG SET hz 10'), OK);
  });

  it('walks all shards', async () => {
    assert.equal(await text('RANDOMKEY'), '_\r\n');
    await client.pipeline([K1, K2, K3].map((key) => ['SET', key, 'v']));
    const found = new Set<string>();
    let cursor = '0';
    do {
      const reply = await text(`SCAN ${cursor}`);
      const [next = '', ...keys] = [...reply.matchAll(/\$\d+\r\n(.*?)\r\n/g)].map(([, word]) => word ?? '');
      for (const key of keys) found.add(key);
      cursor = next;
    } while (cursor !== '0');
    assert.deepEqual([...found].sort(), [K1, K2, K3].sort());
    assert.match(await text('RANDOMKEY'), /^\$/);
  });

  it('gives nulls of its own in the protocol of the client', async () => {
    assert.equal(await text('CLIENT SETNAME x'), OK);
    assert.match(await text('HELLO 3'), /^%7/);
    const other = await RawClient.connect(gateway.port);
    assert.equal(await other.text('CLIENT', 'GETNAME'), '$-1\r\n');
    await other.text('HELLO', 3);
    assert.equal(await other.text('CLIENT', 'GETNAME'), '_\r\n');
    other.close();
  });

  it('passes maps, sets, doubles, booleans and big numbers of nodes, and those of scripts', async () => {
    await client.pipeline([
      ['HSET', K1, 'f', 'v'],
      ['ZADD', K2, 1.5, 'm'],
      ['SADD', K3, 'x'],
    ]);
    assert.equal(await text(`HGETALL ${K1}`), `%1\r\n${bulk('f')}${bulk('v')}`);
    assert.equal(await text(`ZSCORE ${K2} m`), ',1.5\r\n');
    assert.equal(await text(`SMEMBERS ${K3}`), `~1\r\n${bulk('x')}`);
    const script = "redis.setresp(3) return redis.call('HGETALL', KEYS[1])";
    for (let i = 0; i < 3; i++)
      assert.equal(await client.text('EVAL', script, 1, K1), `%1\r\n${bulk('f')}${bulk('v')}`);
  });

  it('changes in the middle of a pipeline, both ways, and RESET goes back to RESP2', async () => {
    const replies = await client.pipeline([
      ['GET', K1],
      ['HELLO', 2],
      ['GET', K1],
      ['MGET', K1, K2],
      ['HELLO', 3],
      ['GET', K1],
      ['MGET', K1, K2],
      ['RESET'],
      ['GET', K1],
      ['CLIENT', 'GETNAME'],
    ]);
    const begins = replies.map((reply) => reply.toString().replace(/\r\n/g, ' ').slice(0, 12));
    assert.deepEqual(
      begins.map((begin, i) => (i === 1 || i === 4 ? begin.slice(0, 3) : begin)),
      ['_ ', '*14', '$-1 ', '*2 $-1 $-1 ', '%7 ', '_ ', '*2 _ _ ', '+RESET ', '$-1 ', '$-1 '],
    );
  });

  it('a transaction, and a watch that a change of protocol breaks', async () => {
    assert.deepEqual((await client.pipeline([['MULTI'], ['GET', K1], ['EXEC']])).map(String), [
      OK,
      '+QUEUED\r\n',
      '*1\r\n_\r\n',
    ]);
    const replies = await client.pipeline([
      ['WATCH', K1],
      ['HELLO', 2],
      ['MULTI'],
      ['SET', K1, 'v'],
      ['EXEC'],
      ['WATCH', K1],
      ['HELLO', 3],
      ['MULTI'],
      ['SET', K1, 'v'],
      ['EXEC'],
    ]);
    assert.deepEqual([replies[4], replies[9]].map(String), ['*-1\r\n', '_\r\n']);
    assert.equal(await text(`GET ${K1}`), '_\r\n');
    assert.equal(await text(`BLPOP ${K1} 0.01`), '_\r\n');
  });

  it('a change of protocol waits for what is in flight: the order of writes holds', async () => {
    const commands: (string | number)[][] = [];
    for (let i = 0; i < 200; i++) {
      commands.push(['APPEND', K1, i % 10], ['HELLO', i % 2 === 0 ? 2 : 3]);
    }
    await client.pipeline(commands);
    assert.equal(await text(`GET ${K1}`), bulk('0123456789'.repeat(20)));
  });

  it('WAIT asks over the connections of the writes, whatever the protocol was then', async () => {
    await client.pipeline([
      ['SET', K1, 'v'],
      ['HELLO', 2],
    ]);
    assert.equal(await text('WAIT 1 10'), ':0\r\n');
  });
});
