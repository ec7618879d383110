/**
 * Commands that evalgate answers itself, because they concern the client's own connection, which ends here; and the
 * text of those that it refuses (SPEC 5).
 */
import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, it } from 'node:test';
import { type Argument, RawClient } from '../support/client.ts';
import { waitFor } from '../support/cluster.ts';
import { Gateway } from '../support/gateway.ts';

function bulk(text: string): string {
  return `$${Buffer.byteLength(text)}\r\n${text}\r\n`;
}

describe("a client's own connection", () => {
  let gateway: Gateway;
  let client: RawClient;
  const text = (...args: Argument[]) => client.text(...args);

  before(async () => {
    gateway = await Gateway.start({ masters: 1, replicas: 0, nodeTimeoutMs: 15_000 });
  });
  after(() => gateway.stop());
  beforeEach(async () => {
    client?.close();
    client = await RawClient.connect(gateway.port);
  });

  const replies: [command: string, reply: string][] = [
    ['PING', '+PONG\r\n'],
    ['ping hi', '$2\r\nhi\r\n'],
    ['PING a b', "-ERR wrong number of arguments for 'ping' command\r\n"],
    ['ECHO hi', '$2\r\nhi\r\n'],
    ['ECHO', "-ERR wrong number of arguments for 'echo' command\r\n"],
    ['SELECT 0', '+OK\r\n'],
    ['SELECT 1', '-ERR SELECT is not allowed in cluster mode\r\n'],
    ['SELECT x', '-ERR value is not an integer or out of range\r\n'],
    ['READONLY', '+OK\r\n'],
    ['READWRITE', '+OK\r\n'],
    ['ASKING', '+OK\r\n'],
    ['CLIENT GETNAME', '$-1\r\n'],
    ['CLIENT SETINFO lib-name ioredis', '+OK\r\n'],
    ['CLIENT SETINFO LIB-VER 5.0', '+OK\r\n'],
    ['CLIENT SETINFO lib-color red', "-ERR Unrecognized option 'lib-color'\r\n"],
    ['CLIENT SETINFO lib-name', "-ERR wrong number of arguments for 'client|setinfo' command\r\n"],
    ['HELLO 4', '-NOPROTO unsupported protocol version\r\n'],
    ['HELLO 1', '-NOPROTO unsupported protocol version\r\n'],
    ['HELLO two', '-ERR Protocol version is not an integer or out of range\r\n'],
    ['HELLO 2 SETNAME', "-ERR Syntax error in HELLO option 'SETNAME'\r\n"],
    ['HELLO 2 BOGUS x', "-ERR Syntax error in HELLO option 'BOGUS'\r\n"],
    ['HELLO 2 AUTH user', "-ERR Syntax error in HELLO option 'AUTH'\r\n"],
    ['HELLO 2 AUTH nobody password', '-WRONGPASS invalid username-password pair or user is disabled.\r\n'],
    ['AUTH a b c', '-ERR syntax error\r\n'],
    ['AUTH', "-ERR wrong number of arguments for 'auth' command\r\n"],
    ['RESET', '+RESET\r\n'],
    ['RESET x', "-ERR wrong number of arguments for 'reset' command\r\n"],
  ];
  for (const [command, reply] of replies) {
    it(`${command} → ${JSON.stringify(reply)}`, async () => {
      assert.equal(await text(...command.split(' ')), reply);
    });
  }

  it('CLIENT ID is unique and grows', async () => {
    const other = await RawClient.connect(gateway.port);
    const [one, two] = [await text('CLIENT', 'ID'), await other.text('CLIENT', 'ID')];
    assert.ok(Number(two.slice(1)) > Number(one.slice(1)));
    other.close();
  });

  it('CLIENT SETNAME is remembered, taken back by an empty name and by RESET, and refuses blanks', async () => {
    assert.equal(await text('CLIENT', 'SETNAME', 'me'), '+OK\r\n');
    assert.equal(await text('CLIENT', 'GETNAME'), bulk('me'));
    assert.match(await text('CLIENT', 'SETNAME', 'a b'), /^-ERR Client names cannot contain spaces, newlines/);
    assert.equal(await text('CLIENT', 'GETNAME'), bulk('me'));
    assert.equal(await text('CLIENT', 'SETNAME', ''), '+OK\r\n');
    assert.equal(await text('CLIENT', 'GETNAME'), '$-1\r\n');
    await client.pipeline([['CLIENT', 'SETNAME', 'again'], ['RESET']]);
    assert.equal(await text('CLIENT', 'GETNAME'), '$-1\r\n');
  });

  it('HELLO tells what is there, and takes a name', async () => {
    const reply = await text('HELLO', '2', 'SETNAME', 'greeter');
    const node = await RawClient.connect(gateway.cluster.nodes[0]?.port ?? 0);
    const server = (greeting: string) => greeting.split('\r\n').slice(0, 9);
    assert.deepEqual(server(reply), server(await node.text('HELLO', '2')));
    node.close();
    assert.match(reply, /\$5\r\nproto\r\n:2\r\n/);
    assert.equal(await text('CLIENT', 'GETNAME'), bulk('greeter'));
    assert.match(await text('HELLO'), /^\*14\r\n/);
  });

  it('HELLO with a bad option sets nothing', async () => {
    assert.match(await text('HELLO', '2', 'SETNAME', 'x', 'BOGUS'), /^-ERR Syntax error/);
    assert.equal(await text('CLIENT', 'GETNAME'), '$-1\r\n');
  });

  it('QUIT answers what came before it, says OK, closes, and runs nothing behind it', async () => {
    client.send('SET quit 1\r\nQUIT\r\nSET quit 2\r\n');
    assert.deepEqual((await client.repliesUntilEnd()).map(String), ['+OK\r\n', '+OK\r\n']);
    await client.closed();
    const other = await RawClient.connect(gateway.port);
    assert.equal(await other.text('GET', 'quit'), bulk('1'));
    other.close();
  });

  it('QUIT behind a request that held up the client closes, too', async () => {
    client.send('SCRIPT LOAD "return 1"\r\nQUIT\r\n');
    const frames = (await client.repliesUntilEnd()).map(String);
    assert.deepEqual(frames, [bulk('e0e1f9fabfc9d4800c877a703b823ac0578ff8db'), '+OK\r\n']);
    await client.closed();
    await waitFor('nobody is left', () => gateway.proxy.counters.clients === 0);
  });

  const refused = [
    'CLUSTER FAILOVER',
    'CLIENT TRACKING ON',
    'MONITOR',
    'DEBUG SLEEP 0',
    'SHUTDOWN',
    'REPLICAOF NO ONE',
    'MIGRATE h 1 k 0 1',
    'MODULE LOAD x',
    'SYNC',
    'PSYNC ? -1',
    'CLUSTER ADDSLOTS 1',
    'CLUSTER SETSLOT 1 STABLE',
    'CLUSTER MEET h 1',
    'FAILOVER',
  ];
  for (const command of refused) {
    it(`${command} is not supported, and says why`, async () => {
      const words = command.split(' ');
      const reply = await text(...words);
      assert.match(reply, /^-ERR evalgate: '[A-Z ]+' is not supported: [^\r\n]{10,}\r\n$/);
      assert.ok(command.startsWith(/'([^']+)'/.exec(reply)?.[1] ?? '?'), reply);
    });
  }

  it('XREAD with BLOCK and without', async () => {
    assert.equal(await text('XREAD', 'BLOCK', '1', 'STREAMS', 's', '0'), '*-1\r\n');
    assert.equal(await text('XREAD', 'STREAMS', 'block', '0'), '*-1\r\n');
  });
});
