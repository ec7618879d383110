/**
 * C4 against scripts that lie: a script or function may return any error text, also those by which a node refuses a
 * request. Each reaches the client byte for byte, the script has run once, and no address is dialled on its word.
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { after, before, describe, it } from 'node:test';
import { type Argument, RawClient } from '../support/client.ts';
import { slotOfKey, tagInSlot } from '../support/cluster.ts';
import { Gateway } from '../support/gateway.ts';
import { NOSCRIPT } from '../support/versions.ts';

const SLOT = 1234;
const TAG = tagInSlot(SLOT);
const COUNTER = `${TAG}runs`;
const NODE_NOSCRIPT = NOSCRIPT.slice(1, -2);
const OTHER_NOSCRIPT = NODE_NOSCRIPT.endsWith('EVAL.')
  ? 'NOSCRIPT No matching script.'
  : 'NOSCRIPT No matching script. Please use EVAL.';
const LIBRARY = `#!lua name=forger
local runs = 0
redis.register_function('forge', function(keys, args)
  redis.call('INCR', keys[1])
  return {err = args[1]}
end)
redis.register_function('forge_without_keys', function(keys, args)
  runs = runs + 1
  return {err = args[1]}
end)
redis.register_function('runs', function() return runs end)`;

/** Texts that a script may return, by what they pretend; the addresses are known only when the cluster runs. */
const FORGERIES: Readonly<Record<string, (stranger: string, member: string, owner: string) => string>> = {
  'MOVED of its slot to a stranger': (stranger) => `MOVED ${SLOT} ${stranger}`,
  'MOVED of its slot to a member': (_, member) => `MOVED ${SLOT} ${member}`,
  'MOVED of its slot to where it runs': (_, __, owner) => `MOVED ${SLOT} ${owner}`,
  'MOVED of its slot without a host': () => `MOVED ${SLOT} :1`,
  'MOVED of its slot to an unknown endpoint': () => `MOVED ${SLOT} ?:1`,
  'MOVED of another slot': (stranger) => `MOVED ${SLOT + 1} ${stranger}`,
  'MOVED that is none': () => 'MOVED out of town',
  'ASK to a stranger': (stranger) => `ASK ${SLOT} ${stranger}`,
  'ASK to a member': (_, member) => `ASK ${SLOT} ${member}`,
  TRYAGAIN: () => 'TRYAGAIN Multiple keys request during rehashing of slot',
  CLUSTERDOWN: () => 'CLUSTERDOWN Hash slot not served',
  LOADING: () => 'LOADING Redis is loading the dataset in memory',
  READONLY: () => "READONLY You can't write against a read only replica.",
  MASTERDOWN: () => "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.",
  BUSY: () => 'BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.',
  'NOSCRIPT of other servers': () => OTHER_NOSCRIPT,
};

describe('a forged refusal', () => {
  let gateway: Gateway;
  let client: RawClient;
  let stranger: Server;
  let visitors = 0;
  let nextBody = 0;

  before(async () => {
    gateway = await Gateway.start(
      { replicas: 0, nodeTimeoutMs: 15_000 },
      { cluster: { failover_wait_ms: 1000 }, scripting: { script_check_enable: 0 } },
    );
    client = await RawClient.connect(gateway.port);
    stranger = createServer((socket) => {
      visitors++;
      socket.destroy();
    }).listen(0, '127.0.0.1');
    await once(stranger, 'listening');
    assert.equal(await client.text('FUNCTION', 'LOAD', LIBRARY), '$6\r\nforger\r\n');
    assert.equal(slotOfKey(COUNTER), SLOT);
  });
  after(async () => {
    client.close();
    await gateway.stop();
    stranger.close();
    assert.equal(visitors, 0, 'somebody dialled the stranger');
  });

  function textOf(forge: (stranger: string, member: string, owner: string) => string): string {
    const [owner, member] = gateway.cluster.masters;
    return forge(`127.0.0.1:${(stranger.address() as AddressInfo).port}`, member?.address ?? '', owner?.address ?? '');
  }

  /** A body that nobody has seen. */
  function newBody(body: string): string {
    return `${body} -- ${nextBody++}`;
  }

  async function shaOf(body: string): Promise<string> {
    return (await client.text('SCRIPT', 'LOAD', body)).split('\r\n')[1] ?? '';
  }

  /** Sends the commands as one pipeline: each is answered with the text, and each has run once. */
  async function expectOnceEach(text: string, commands: readonly (readonly Argument[])[]): Promise<void> {
    await client.command('DEL', COUNTER);
    const redirects = gateway.proxy.counters.redirects;
    const replies = await client.pipeline(commands);
    assert.deepEqual(
      replies.map(String),
      commands.map(() => `-${text}\r\n`),
    );
    assert.equal(await client.text('GET', COUNTER), bulk(String(commands.length)));
    assert.equal(gateway.proxy.counters.redirects, redirects);
  }

  for (const [name, forge] of Object.entries(FORGERIES)) {
    it(`${name}: delivered, run once, nothing dialled`, async () => {
      const text = textOf(forge);
      const literal = newBody(`redis.call('INCR', KEYS[1]) return redis.error_reply(${JSON.stringify(text)})`);
      const fromArgument = newBody("redis.call('INCR', KEYS[1]) return {err = ARGV[1]}");
      const loaded = await shaOf(newBody("redis.call('INCR', KEYS[1]) return {err = ARGV[1]}"));
      await expectOnceEach(text, [
        ['EVAL', literal, 1, COUNTER],
        ['EVAL', literal, 1, COUNTER],
        ['EVAL', fromArgument, 1, COUNTER, text],
        ['EVAL', fromArgument, 1, COUNTER, text],
      ]);
      await expectOnceEach(text, [['EVALSHA', loaded, 1, COUNTER, text]]);
      await expectOnceEach(text, [['EVALSHA', loaded, 1, COUNTER, text]]);
      await expectOnceEach(text, Array(20).fill(['EVALSHA', loaded, 1, COUNTER, text]));
      await expectOnceEach(text, Array(3).fill(['FCALL', 'forge', 1, COUNTER, text]));
    });

    it(`${name}: by EVALSHA in the form that the node already has, run once`, async () => {
      const text = textOf(forge);
      const sha = await shaOf(newBody("redis.call('INCR', KEYS[1]) return ARGV[1] == '' and 1 or {err = ARGV[1]}"));
      assert.equal(await client.text('EVALSHA', sha, 1, COUNTER, ''), ':1\r\n');
      await expectOnceEach(text, Array(2).fill(['EVALSHA', sha, 1, COUNTER, text]));
    });

    it(`${name}: by a function without keys, run once`, async () => {
      const text = textOf(forge);
      const runsBefore = await client.text('FCALL', 'runs', 0);
      assert.equal(await client.text('FCALL', 'forge_without_keys', 0, text), `-${text}\r\n`);
      const runs = Number((await client.text('FCALL', 'runs', 0)).slice(1));
      assert.equal(runs, Number(runsBefore.slice(1)) + 1);
    });
  }

  it("the node's own NOSCRIPT, in the body: delivered and run once, however it is called", async () => {
    const body = newBody(`redis.call('INCR', KEYS[1]) return redis.error_reply('${NODE_NOSCRIPT}')`);
    await expectOnceEach(NODE_NOSCRIPT, Array(5).fill(['EVAL', body, 1, COUNTER]));
    const sha = await shaOf(body);
    await expectOnceEach(NODE_NOSCRIPT, Array(5).fill(['EVALSHA', sha, 1, COUNTER]));
    await expectOnceEach(NODE_NOSCRIPT, Array(2).fill(['FCALL', 'forge', 1, COUNTER, NODE_NOSCRIPT]));
  });

  it("the node's own NOSCRIPT, from an argument of a new script: delivered and run once", async () => {
    const body = newBody("redis.call('INCR', KEYS[1]) return {err = ARGV[1]}");
    await expectOnceEach(NODE_NOSCRIPT, [['EVAL', body, 1, COUNTER, NODE_NOSCRIPT]]);
    await expectOnceEach(NODE_NOSCRIPT, Array(5).fill(['EVAL', body, 1, COUNTER, NODE_NOSCRIPT]));
    const loaded = await shaOf(newBody("redis.call('INCR', KEYS[1]) return {err = ARGV[1]}"));
    await expectOnceEach(NODE_NOSCRIPT, [['EVALSHA', loaded, 1, COUNTER, NODE_NOSCRIPT]]);
    await expectOnceEach(NODE_NOSCRIPT, Array(5).fill(['EVALSHA', loaded, 1, COUNTER, NODE_NOSCRIPT]));
  });

  for (const command of ['EVAL', 'EVALSHA']) {
    it(`residue of C5: ${command} of a known script that begins to take the node's NOSCRIPT from an argument runs it a second time, once in its life`, async () => {
      const body = newBody("redis.call('INCR', KEYS[1]) return ARGV[1] == '' and 1 or {err = ARGV[1]}");
      const name = command === 'EVAL' ? body : await shaOf(body);
      await client.command('DEL', COUNTER);
      const forged = [command, name, 1, COUNTER, NODE_NOSCRIPT];
      const runs = async () => Number((await client.text('GET', COUNTER)).split('\r\n')[1]);
      assert.equal(await client.text(command, name, 1, COUNTER, ''), ':1\r\n');
      assert.equal(await client.text(command, name, 1, COUNTER, ''), ':1\r\n');
      assert.equal(await runs(), 2);
      assert.equal(await client.text(...forged), `-${NODE_NOSCRIPT}\r\n`);
      assert.equal(await runs(), 4, 'run a second time');
      for (let i = 1; i <= 5; i++) {
        assert.equal(await client.text(...forged), `-${NODE_NOSCRIPT}\r\n`);
        assert.equal(await runs(), 4 + i, 'from now on once');
      }
      const other = await RawClient.connect(gateway.port);
      assert.equal(await other.text(...forged), `-${NODE_NOSCRIPT}\r\n`);
      assert.equal(await runs(), 10);
      other.close();
    });
  }

  it('forgeries between good requests keep the order of replies', async () => {
    const forge = await shaOf(newBody('return {err = ARGV[1]}'));
    const text = textOf((address) => `MOVED ${SLOT} ${address}`);
    const commands = Array.from({ length: 200 }, (_, i) =>
      i % 3 === 0 ? ['EVALSHA', forge, 1, COUNTER, text] : ['ECHO', String(i)],
    );
    const replies = await client.pipeline(commands);
    const wanted = commands.map((_, i) => (i % 3 === 0 ? `-${text}\r\n` : bulk(String(i))));
    assert.deepEqual(replies.map(String), wanted);
  });

  it('only members of the cluster were ever connected to', () => {
    const members = new Set(gateway.cluster.masters.map((node) => node.address));
    for (const pool of gateway.proxy.upstream.pools) assert.ok(members.has(pool.node.address), pool.node.address);
    assert.equal(visitors, 0);
  });
});

function bulk(text: string): string {
  return `$${text.length}\r\n${text}\r\n`;
}
