import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { ScriptRegistry } from '../../src/script/registry.ts';
import type { Script } from '../../src/script/script.ts';
import { sendExchange, sendWitness } from '../../src/upstream/call-sender.ts';
import type { Connection } from '../../src/upstream/connection.ts';
import { type CallForm, Exchange } from '../../src/upstream/exchange.ts';
import type { PoolOptions } from '../../src/upstream/pool.ts';
import { FakeNode } from '../support/fake-node.ts';
import { requestOf } from '../support/request.ts';
import { expectHandshake, poolTo, Recorder, untilReady } from '../support/upstream.ts';

const OK = '+OK\r\n';
const BODY = 'return 1';

interface Bench {
  readonly node: FakeNode;
  readonly connection: Connection;
  readonly registry: ScriptRegistry;
  readonly loaded: Script;
  readonly learned: Script;
  /** Sends a client's request, as the session does, and waits for its reply. */
  send(
    args: readonly string[],
    script?: Script,
    options?: { isAsking?: boolean; mustSendBody?: boolean },
  ): Promise<Exchange>;
  /** Sends an exchange once more from the bytes it owns. */
  again(exchange: Exchange, isAsking?: boolean): Promise<void>;
}

async function setUp(
  t: TestContext,
  { evicts = false, ...options }: Partial<PoolOptions> & { evicts?: boolean } = {},
): Promise<Bench> {
  const node = await FakeNode.start(t);
  expectHandshake(node);
  const { pool, facts } = poolTo(node.port, options);
  const connection = pool.open();
  t.after(() => connection.destroy('lost', 'the test ends'));
  await untilReady(connection);
  facts.evictsScripts = evicts;
  const registry = new ScriptRegistry({ maxBytes: 1e6, onForgotten: () => {} });
  const sink = new Recorder();
  let sentCount = 0;
  const settled = async () => {
    sentCount++;
    await sink.come(sentCount);
  };
  return {
    node,
    connection,
    registry,
    learned: registry.learn(Buffer.from(BODY)) as Script,
    loaded: registry.load(Buffer.from('return 2')) as Script,
    send: async (args, script, { isAsking = false, mustSendBody = false } = {}) => {
      const request = requestOf(...args);
      const exchange = new Exchange(sink, 1, undefined, 0);
      const form = formOf(args[0] as string);
      if (form !== undefined) {
        const keyCount = Number(args[2]);
        const tail = request.headerStart(2);
        exchange.call = {
          form,
          isReadOnly: args[0]?.endsWith('_RO') === true,
          argc: args.length,
          keyCount,
          script,
          bytesForm: form,
          tail: tail - request.start,
          keysBytes: request.headerStart(3 + keyCount) - tail,
          mustSendBody,
        };
      }
      sendExchange(exchange, connection, request, isAsking);
      await settled();
      return exchange;
    },
    again: async (exchange, isAsking = false) => {
      const { batch, start, end } = exchange;
      assert.ok(batch);
      sendExchange(exchange, connection, { bytes: batch.buffer, start, end }, isAsking);
      await settled();
    },
  };
}

function formOf(name: string): CallForm | undefined {
  if (name.startsWith('EVALSHA')) return 'evalsha';
  if (name.startsWith('EVAL')) return 'eval';
  return name.startsWith('FCALL') ? 'function' : undefined;
}

describe('sendExchange', () => {
  it('sends plain requests as they are, behind ASKING where they follow an ASK', async (t) => {
    const { node, send } = await setUp(t);
    node.expect('GET', 'k').reply(OK);
    await send(['GET', 'k']);
    node.expect('ASKING').reply(OK);
    node.expect('GET', 'k').reply(OK);
    await send(['GET', 'k'], undefined, { isAsking: true });
  });

  it('sends the body at the first use on a connection, the sha from the second on', async (t) => {
    const { node, send, learned, connection } = await setUp(t);
    node.expect('EVAL', BODY, '1', 'k', 'a').reply(OK);
    await send(['EVAL', BODY, '1', 'k', 'a'], learned);
    assert.equal(connection.marks.has(learned), true);
    node.expect('EVALSHA', learned.sha, '1', 'k', 'b').reply(OK);
    await send(['EVAL', BODY, '1', 'k', 'b'], learned);
    node.expect('EVALSHA', learned.sha.toUpperCase(), '0').reply(OK);
    await send(['EVALSHA', learned.sha.toUpperCase(), '0'], learned);
  });

  it('sends the body for an EVALSHA at the first use, and keeps the rest of it', async (t) => {
    const { node, send, learned } = await setUp(t);
    node.expect('EVAL', BODY, '2', '{k}1', '{k}2', 'arg').reply(OK);
    const exchange = await send(['EVALSHA', learned.sha, '2', '{k}1', '{k}2', 'arg'], learned);
    assert.equal(exchange.call?.bytesForm, 'eval');
  });

  it('loads a script of LOAD origin before it runs, so that it is not evicted', async (t) => {
    const { node, send, loaded } = await setUp(t, { evicts: true });
    node.expect('SCRIPT', 'LOAD', 'return 2').reply(`$40\r\n${loaded.sha}\r\n`);
    node.expect('EVAL', 'return 2', '1', 'k').reply(OK);
    await send(['EVALSHA', loaded.sha, '1', 'k'], loaded);
    node.expect('EVALSHA', loaded.sha, '1', 'k').reply(OK);
    await send(['EVALSHA', loaded.sha, '1', 'k'], loaded);
  });

  it('does not bring back a script that was flushed after the request was sent', async (t) => {
    const { node, send, again, loaded, registry } = await setUp(t);
    node.expect('SCRIPT', 'LOAD', 'return 2').reply(`$40\r\n${loaded.sha}\r\n`);
    node.expect('EVAL', 'return 2', '1', 'k').reply('-TRYAGAIN x\r\n');
    const exchange = await send(['EVALSHA', loaded.sha, '1', 'k'], loaded);
    registry.clear();
    node.expect('EVALSHA', loaded.sha, '1', 'k').reply('-NOSCRIPT x\r\n');
    await again(exchange);
  });

  it('runs a script although its SCRIPT LOAD is refused', async (t) => {
    const { node, send, loaded } = await setUp(t);
    node.expect('SCRIPT', 'LOAD', 'return 2').reply('-OOM x\r\n');
    node.expect('EVAL', 'return 2', '1', 'k').reply(OK);
    await send(['EVALSHA', loaded.sha, '1', 'k'], loaded);
  });

  it('says LOAD, ASKING, EVAL in a row after an ASK', async (t) => {
    const { node, send, loaded } = await setUp(t);
    node.expect('SCRIPT', 'LOAD', 'return 2').reply('+x\r\n');
    node.expect('ASKING').reply(OK);
    node.expect('EVAL', 'return 2', '1', 'k').reply(OK);
    await send(['EVALSHA', loaded.sha, '1', 'k'], loaded, { isAsking: true });
  });

  it('sends EVAL origin by sha only where the server keeps it: among the recent ones', async (t) => {
    const { node, send, learned, connection } = await setUp(t, { evicts: true });
    for (const form of ['EVAL', 'EVALSHA', 'EVALSHA']) {
      const isBody = form === 'EVAL';
      node.expect(form, isBody ? BODY : learned.sha, '1', 'k').reply(OK);
      await send(['EVALSHA', learned.sha, '1', 'k'], learned);
    }
    connection.pool.facts.recent.delete(learned);
    node.expect('EVAL', BODY, '1', 'k').reply(OK);
    await send(['EVALSHA', learned.sha, '1', 'k'], learned);
  });

  it('sends the body whatever the marks say when it heals, or when the script may mimic NOSCRIPT', async (t) => {
    const { node, send, learned } = await setUp(t);
    node.expect('EVAL', BODY, '1', 'k').reply(OK);
    await send(['EVAL', BODY, '1', 'k'], learned);
    node.expect('EVAL', BODY, '1', 'k').reply(OK);
    await send(['EVALSHA', learned.sha, '1', 'k'], learned, { mustSendBody: true });
    learned.mimicsNoscript = true;
    node.expect('EVAL', BODY, '1', 'k').reply(OK);
    await send(['EVALSHA', learned.sha, '1', 'k'], learned);
  });

  it("leaves a client's EVAL an EVAL when eval_to_evalsha is off", async (t) => {
    const { node, send, learned } = await setUp(t, { evalToEvalsha: false });
    for (let i = 0; i < 2; i++) {
      node.expect('EVAL', BODY, '1', 'k').reply(OK);
      await send(['EVAL', BODY, '1', 'k'], learned);
    }
    node.expect('EVALSHA', learned.sha, '1', 'k').reply(OK);
    await send(['EVALSHA', learned.sha, '1', 'k'], learned);
  });

  it('keeps the read-only form', async (t) => {
    const { node, send, learned } = await setUp(t);
    node.expect('EVAL_RO', BODY, '1', 'k').reply(OK);
    await send(['EVALSHA_RO', learned.sha, '1', 'k'], learned);
    node.expect('EVALSHA_RO', learned.sha, '1', 'k').reply(OK);
    await send(['EVAL_RO', BODY, '1', 'k'], learned);
  });

  it('sends a script that nobody knows, and a function, as they came', async (t) => {
    const { node, send } = await setUp(t);
    node.expect('EVALSHA', 'f'.repeat(40), '1', 'k').reply('-NOSCRIPT x\r\n');
    await send(['EVALSHA', 'f'.repeat(40), '1', 'k']);
    node.expect('ASKING').reply(OK);
    node.expect('FCALL', 'f', '1', 'k').reply(OK);
    await send(['FCALL', 'f', '1', 'k'], undefined, { isAsking: true });
  });

  it('sends again from the bytes of the last attempt, in whatever form they stand', async (t) => {
    const { node, send, again, learned, connection } = await setUp(t);
    node.expect('EVAL', BODY, '1', 'k', 'arg').reply(OK);
    const exchange = await send(['EVALSHA', learned.sha, '1', 'k', 'arg'], learned);
    node.expect('EVALSHA', learned.sha, '1', 'k', 'arg').reply(OK);
    await again(exchange);
    connection.marks.clear();
    node.expect('ASKING').reply(OK);
    node.expect('EVAL', BODY, '1', 'k', 'arg').reply(OK);
    await again(exchange, true);
    node.expect('EVALSHA', learned.sha, '1', 'k', 'arg').reply(OK);
    await again(exchange);
  });

  it('sends calls with very many arguments', async (t) => {
    const { node, send, learned } = await setUp(t);
    const rest = Array.from({ length: 300 }, (_, i) => `a${i}`);
    node.expect('EVAL', BODY, '1', 'k', ...rest).reply(OK);
    await send(['EVALSHA', learned.sha, '1', 'k', ...rest], learned);
    node.expect('EVALSHA', learned.sha, '1', 'k', ...rest).reply(OK);
    await send(['EVAL', BODY, '1', 'k', ...rest], learned);
  });
});

describe('sendWitness', () => {
  const WITNESSES: [request: string[], witness: string[]][] = [
    [
      ['EVAL', BODY, '2', '{k}1', '{k}2', 'arg'],
      ['EVALSHA', '0'.repeat(40), '2', '{k}1', '{k}2'],
    ],
    [
      ['EVALSHA', 'f'.repeat(40), '1', 'k', 'arg'],
      ['EVALSHA', '0'.repeat(40), '1', 'k'],
    ],
    [
      ['EVAL_RO', BODY, '1', 'k'],
      ['EVALSHA_RO', '0'.repeat(40), '1', 'k'],
    ],
    [
      ['EVALSHA_RO', 'f'.repeat(40), '0', 'arg'],
      ['EVALSHA_RO', '0'.repeat(40), '0'],
    ],
    [
      ['FCALL', 'f', '1', 'k', 'arg'],
      ['FCALL', '-', '1', 'k'],
    ],
    [
      ['FCALL_RO', 'f', '1', 'k'],
      ['FCALL_RO', '-', '1', 'k'],
    ],
    [
      ['FCALL', 'f', '0', 'arg'],
      ['FCALL', '-', '0'],
    ],
  ];
  for (const [request, witness] of WITNESSES) {
    it(`sendWitness of ${request.join(' ')} has its keys, and can never run`, async (t) => {
      const { node, send } = await setUp(t);
      const seen = new Recorder();
      node.expect(...request).reply('-TRYAGAIN x\r\n');
      const exchange = await send(request);
      node.expect(...witness).reply('-TRYAGAIN y\r\n');
      sendWitness(new Exchange(seen, 2, undefined, 0), exchange, exchange.call ?? assert.fail(), false);
      assert.deepEqual(await seen.come(1), ['2 -TRYAGAIN y\r\n']);
    });
  }

  it('sendWitness asks behind ASKING where the request did, also when its bytes stand in another form', async (t) => {
    const { node, send, learned } = await setUp(t);
    const seen = new Recorder();
    node.expect('EVAL', BODY, '1', 'k', 'arg').reply('-ASK x\r\n');
    const exchange = await send(['EVALSHA', learned.sha, '1', 'k', 'arg'], learned);
    node.expect('ASKING').reply(OK);
    node.expect('EVALSHA', '0'.repeat(40), '1', 'k').reply('-NOSCRIPT x\r\n');
    sendWitness(new Exchange(seen, 2, undefined, 0), exchange, exchange.call ?? assert.fail(), true);
    await seen.come(1);
  });

  it('sendWitness does nothing for a request that owns nothing', () => {
    const never = new Recorder();
    const exchange = new Exchange(never, 1, undefined, 0);
    sendWitness(new Exchange(never, 2, undefined, 0), exchange, {} as never, false);
    assert.deepEqual(never.outcomes, []);
  });
});
