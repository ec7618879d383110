import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { describe, it, type TestContext } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Connection } from '../../src/upstream/connection.ts';
import { FakeNode } from '../support/fake-node.ts';
import {
  expectHandshake,
  poolTo,
  Recorder,
  type TestPool,
  type TestPoolOptions,
  until,
  untilReady,
} from '../support/upstream.ts';

interface Bench extends TestPool {
  readonly node: FakeNode;
  readonly sink: Recorder;
  readonly connection: Connection;
}

/** A fake node and a connection to it that is ready. */
async function ready(t: TestContext, options: TestPoolOptions = {}): Promise<Bench> {
  const node = await FakeNode.start(t);
  if (options.protocol === 3) node.expect('HELLO', '3').reply('%1\r\n+proto\r\n:3\r\n');
  expectHandshake(node);
  const test = poolTo(node.port, options);
  const connection = test.pool.open();
  t.after(() => connection.destroy('lost', 'the test ends'));
  await untilReady(connection);
  return { ...test, node, sink: new Recorder(), connection };
}

const OK = '+OK\r\n';

describe('Connection', () => {
  it('is ready when its handshake was answered, and has learned from it', async (t) => {
    const { facts, pool, connection, node, events } = await ready(t);
    assert.equal(facts.evictsScripts, false);
    assert.equal(String(facts.noscript), '-NOSCRIPT No matching script. Please use EVAL.\r\n');
    assert.deepEqual([pool.connections, pool.problem, events], [[connection], '', []]);
    assert.equal(connection.node.address, node.address);
  });

  it('logs in first, and flushes what is owed last', async (t) => {
    const node = await FakeNode.start(t);
    node.expect('AUTH', 'me', 'secret').reply(OK);
    expectHandshake(node);
    node.expect('SCRIPT', 'FLUSH').reply(OK);
    const { pool, facts } = poolTo(node.port, { login: { username: 'me', password: 'secret' } });
    facts.owesFlush = true;
    const connection = pool.open();
    await untilReady(connection);
    assert.equal(facts.owesFlush, false);
    connection.destroy('lost', '');
  });

  it('logs in without a name, and says nothing else on a control connection', async (t) => {
    const node = await FakeNode.start(t);
    node.expect('AUTH', 'secret').reply(OK);
    const test = poolTo(node.port, { login: { password: 'secret' }, purpose: 'control' });
    const connection = test.pool.open();
    await untilReady(connection);
    connection.destroy('lost', '');
    assert.deepEqual(test.events, []);
    const silent = poolTo(node.port, { purpose: 'control' }).pool.open();
    await untilReady(silent);
    silent.destroy('lost', '');
  });

  it('is ready although a busy node refuses all but the login', async (t) => {
    const node = await FakeNode.start(t);
    node.expect('INFO', 'server').reply('-BUSY x\r\n');
    node.expect('EVALSHA', '0'.repeat(40), '0').reply('-BUSY x\r\n');
    const { pool, facts } = poolTo(node.port);
    const connection = pool.open();
    await untilReady(connection);
    assert.equal(facts.noscript, undefined);
    connection.destroy('lost', '');
  });

  it('hands over nothing before the handshake was answered, then all in order', async (t) => {
    const node = await FakeNode.start(t);
    const info = node.expect('INFO', 'server').staySilent();
    node.expect('EVALSHA', '0'.repeat(40), '0').reply('-NOSCRIPT x\r\n');
    const { pool } = poolTo(node.port);
    const connection = pool.open();
    const sink = new Recorder();
    sink.send(connection, 1, 'GET', 'a');
    sink.send(connection, 2, 'GET', 'b');
    await node.finished();
    await nextTurn();
    node.expect('GET', 'a').reply(':1\r\n');
    node.expect('GET', 'b').reply(':2\r\n');
    assert.equal(connection.unansweredCount, 2);
    info.reply('$0\r\n\r\n');
    assert.deepEqual(await sink.come(2), ['1 :1\r\n', '2 :2\r\n']);
    connection.destroy('lost', '');
  });

  it('fails what waits when the login is refused, and does not take the node for lost', async (t) => {
    const node = await FakeNode.start(t);
    node.expect('AUTH', 'x').reply('-WRONGPASS invalid username-password pair or user is disabled.\r\n');
    node.expect('INFO', 'server').staySilent();
    node.expect('EVALSHA', '0'.repeat(40), '0').staySilent();
    const { pool, events } = poolTo(node.port, { login: { password: 'x' } });
    const sink = new Recorder();
    sink.send(pool.open(), 1, 'SET', 'k', 'v');
    const reason = 'login refused: WRONGPASS invalid username-password pair or user is disabled.';
    assert.deepEqual(await sink.come(1), [`1 refused: ${reason}`]);
    assert.deepEqual(events, [`refused ${node.address}: ${reason}`]);
    assert.deepEqual([pool.problem, pool.refusal], ['', reason]);
    assert.equal(pool.pick(undefined), undefined, 'not tried again at once');
    await node.finished();
  });

  it('takes an error that is not about the login for a node that cannot be had', async (t) => {
    const node = await FakeNode.start(t);
    node.expect('AUTH', 'x').reply('-ERR max number of clients reached\r\n');
    const { pool, events } = poolTo(node.port, { login: { password: 'x', kind: 'user' } });
    const sink = new Recorder();
    sink.send(pool.open(), 1, 'SET', 'k', 'v');
    assert.deepEqual(await sink.come(1), ['1 not_sent: ERR max number of clients reached']);
    assert.deepEqual(events, [`disconnected ${node.address}: ERR max number of clients reached`]);
  });

  it('says HELLO 3 for RESP3, with the login in it, and asks nothing more as a user', async (t) => {
    const node = await FakeNode.start(t);
    node.expect('HELLO', '3', 'AUTH', 'me', 'secret').reply('%1\r\n+proto\r\n:3\r\n');
    const user = poolTo(node.port, { login: { username: 'me', password: 'secret', kind: 'user' }, protocol: 3 });
    const connection = user.pool.open();
    await untilReady(connection);
    connection.destroy('lost', '');
    node.expect('HELLO', '3', 'AUTH', 'default', 'secret').reply('-NOAUTH x\r\n');
    const unnamed = poolTo(node.port, { login: { password: 'secret', kind: 'user' }, protocol: 3 });
    const refused = unnamed.pool.open();
    await until('it is refused', () => refused.state === 'closed');
    assert.equal(unnamed.pool.refusal, 'login refused: NOAUTH x');
    node.expect('HELLO', '3').reply('%1\r\n+proto\r\n:3\r\n');
    expectHandshake(node);
    const own = poolTo(node.port, { protocol: 3 });
    const ready = own.pool.open();
    await untilReady(ready);
    assert.equal(own.facts.evictsScripts, false);
    ready.destroy('lost', '');
  });

  it('fails what waits with not_sent when nobody listens', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as { port: number };
    server.close();
    await once(server, 'close');
    const { pool, events } = poolTo(port);
    const sink = new Recorder();
    const pickedAtOnce: unknown[] = [];
    const onFailure = sink.onFailure.bind(sink);
    sink.onFailure = (...args) => {
      onFailure(...args);
      pickedAtOnce.push(pool.pick(undefined));
    };
    sink.send(pool.open(), 1, 'SET', 'k', 'v');
    const [outcome = ''] = await sink.come(1);
    assert.match(outcome, /^1 not_sent: connect ECONNREFUSED/);
    assert.deepEqual([pool.connections, pickedAtOnce], [[], [undefined]], 'not tried again at once');
    assert.equal(events.length, 1);
  });

  it('fails what waits with not_sent when the handshake takes too long', async (t) => {
    const node = await FakeNode.start(t);
    node.expect('INFO', 'server').staySilent();
    node.expect('EVALSHA', '0'.repeat(40), '0').staySilent();
    const { pool } = poolTo(node.port, { connectTimeoutMs: 500 });
    const sink = new Recorder();
    sink.send(pool.open(), 1, 'SET', 'k', 'v');
    assert.deepEqual(await sink.come(1), ['1 not_sent: no connection within 500 ms']);
  });

  it('fails what waits with not_sent when the node closes during the handshake', async (t) => {
    const node = await FakeNode.start(t);
    node.expect('INFO', 'server').close();
    node.expect('EVALSHA', '0'.repeat(40), '0').staySilent();
    const { pool } = poolTo(node.port);
    const sink = new Recorder();
    sink.send(pool.open(), 1, 'SET', 'k', 'v');
    assert.deepEqual(await sink.come(1), ['1 not_sent: closed by the node']);
  });

  it('gives every reply to the oldest request without one, in one write a turn', async (t) => {
    const { node, sink, connection } = await ready(t);
    for (let i = 0; i < 50; i++) node.expect('GET', `k${i}`).reply(`:${i}\r\n`);
    for (let i = 0; i < 50; i++) sink.send(connection, i, 'GET', `k${i}`);
    assert.deepEqual(
      await sink.come(50),
      Array.from({ length: 50 }, (_, i) => `${i} :${i}\r\n`),
    );
    assert.deepEqual([connection.unansweredCount, connection.pendingBytes, connection.head], [0, 0, undefined]);
  });

  it('puts replies together that come byte by byte', async (t) => {
    const { node, sink, connection } = await ready(t);
    const replies = ['$5\r\na\r\nbc\r\n', '*2\r\n:1\r\n*1\r\n$-1\r\n', '-ERR x\r\n'];
    for (const reply of replies) {
      node.expect('GET', 'k').replyInPieces(reply, 1);
    }
    for (const [i] of replies.entries()) sink.send(connection, i, 'GET', 'k');
    assert.deepEqual(
      await sink.come(3),
      replies.map((reply, i) => `${i} ${reply}`),
    );
    assert.equal(connection.bufferedBytes, 0);
  });

  it('notes since when the oldest request is the next to be answered', async (t) => {
    const { node, sink, connection, turn } = await ready(t);
    const first = node.expect('GET', 'a').staySilent();
    node.expect('GET', 'b').staySilent();
    sink.send(connection, 1, 'GET', 'a');
    const second = sink.send(connection, 2, 'GET', 'b');
    await node.finished();
    turn.nowMs = 5000;
    first.reply(OK);
    await sink.come(1);
    assert.equal(connection.head, second);
    assert.equal(second.sinceMs, 5000);
  });

  it('sends a head and the rest of another request as one, and keeps the bytes until they are released', async (t) => {
    const { node, sink, connection } = await ready(t);
    node.expect('EVALSHA', 'sha', '1', 'k').reply(OK);
    const exchange = sink.send(connection, 1, 'EVALSHA', 'sha', '1', 'k');
    await sink.come(1);
    const { batch, start, end } = exchange;
    assert.ok(batch);
    assert.match(batch.buffer.toString('latin1', start, end), /^\*4\r\n\$7\r\nEVALSHA\r\n/);
    node.expect('EVAL', 'body', '1', 'k').reply(OK);
    const tail = { bytes: batch.buffer, start: start + '*4\r\n$7\r\nEVALSHA\r\n$3\r\nsha\r\n'.length, end };
    connection.sendJoined(exchange, [Buffer.from('*4\r\n$4\r\nEVAL\r\n'), Buffer.from('$4\r\nbody\r\n')], tail);
    await sink.come(2);
    assert.match(
      exchange.batch?.buffer.toString('latin1', exchange.start, exchange.end) ?? '',
      /^\*4\r\n\$4\r\nEVAL\r\n/,
    );
    exchange.releaseBytes();
    assert.equal(exchange.batch, undefined);
    exchange.releaseBytes();
  });

  it('sends and receives large values', async (t) => {
    const { node, sink, connection } = await ready(t);
    const value = Buffer.alloc(700_000, 'v');
    node.expect('SET', 'k', value).reply(OK);
    node.expect('GET', 'k').reply(`$${value.length}\r\n${value}\r\n`);
    sink.send(connection, 1, 'SET', 'k', value);
    sink.send(connection, 2, 'GET', 'k');
    const [, reply = ''] = await sink.come(2);
    assert.equal(reply.length, 2 + 9 + value.length + 2);
  });

  it('tells lost for what was handed over and not_sent for what was not, in order, once', async (t) => {
    const { node, sink, connection, pool, events } = await ready(t);
    node.expect('SET', 'a', '1').reply(OK);
    node.expect('SET', 'b', '1').staySilent();
    sink.send(connection, 1, 'SET', 'a', '1');
    sink.send(connection, 2, 'SET', 'b', '1');
    await node.finished();
    await sink.come(1);
    sink.send(connection, 3, 'SET', 'c', '1');
    connection.destroy('lost', 'a reason');
    assert.deepEqual(sink.outcomes, ['1 +OK\r\n', '2 lost: a reason', '3 not_sent: a reason']);
    connection.destroy('lost', 'again');
    assert.equal(sink.outcomes.length, 3);
    assert.equal(connection.state, 'closed');
    assert.deepEqual(events, [`disconnected ${node.address}: a reason`]);
    assert.deepEqual([pool.connections, pool.problem], [[], 'a reason']);
  });

  for (const [name, end, reason] of [
    ['closes', 'close', /^1 lost: closed by the node$/],
    ['resets', 'reset', /^1 lost: (read ECONNRESET|closed by the node)$/],
  ] as const) {
    it(`tells lost when the node ${name} before the reply`, async (t) => {
      const { node, sink, connection } = await ready(t);
      node.expect('INCR', 'k')[end]();
      sink.send(connection, 1, 'INCR', 'k');
      const [outcome = ''] = await sink.come(1);
      assert.match(outcome, reason);
    });
  }

  it('delivers what came whole before the node closed, and no half reply', async (t) => {
    const { node, sink, connection } = await ready(t);
    node.expect('GET', 'a').reply(':1\r\n$5\r\nab').close();
    node.expect('GET', 'b').staySilent();
    sink.send(connection, 1, 'GET', 'a');
    sink.send(connection, 2, 'GET', 'b');
    assert.deepEqual(await sink.come(2), ['1 :1\r\n', '2 lost: closed by the node']);
  });

  it('passes on the kind of a failure that was found elsewhere', async (t) => {
    const { node, sink, connection, pool } = await ready(t);
    node.expect('GET', 'a').staySilent();
    sink.send(connection, 1, 'GET', 'a');
    await node.finished();
    pool.destroy('silent', 'did not answer');
    assert.deepEqual(sink.outcomes, ['1 silent: did not answer']);
  });

  const GARBAGE: [name: string, bytes: string][] = [
    ['what is no RESP', 'HTTP/1.1 400 Bad Request\r\n'],
    ['a bulk that does not end where it says', '$1\r\nabc\r\n'],
  ];
  for (const [name, bytes] of GARBAGE) {
    it(`is destroyed by ${name}`, async (t) => {
      const { node, sink, connection } = await ready(t);
      node.expect('GET', 'a').reply(`:1\r\n${bytes}`);
      node.expect('GET', 'b').staySilent();
      sink.send(connection, 1, 'GET', 'a');
      sink.send(connection, 2, 'GET', 'b');
      assert.deepEqual(await sink.come(2), ['1 :1\r\n', '2 desynchronized: sent bytes that are no reply']);
      assert.equal(connection.state, 'closed');
    });
  }

  it('drops pushes of RESP3 for which nobody listens: they take no place among the replies', async (t) => {
    const { node, connection, sink } = await ready(t, { protocol: 3 });
    const push = '>2\r\n$10\r\ninvalidate\r\n*1\r\n$1\r\nk\r\n';
    node.expect('GET', 'a').replyInPieces(`${push}:1\r\n${push}`, 3);
    node.expect('GET', 'b').reply(`:2\r\n${push}`);
    node.sendUnasked(push);
    sink.send(connection, 1, 'GET', 'a');
    sink.send(connection, 2, 'GET', 'b');
    assert.deepEqual(await sink.come(2), ['1 :1\r\n', '2 :2\r\n']);
    assert.equal(connection.state, 'ready');
  });

  it('shows every frame to its listener first: what that takes is no reply', async (t) => {
    const { node, connection, sink } = await ready(t);
    const heard: string[] = [];
    connection.listener = {
      onFrame: (bytes, start, end) => {
        const frame = bytes.toString('latin1', start, end);
        heard.push(frame);
        return frame !== OK;
      },
      onClosed: (reason) => heard.push(reason),
    };
    node.expect('SUBSCRIBE', 'a').reply(`*0\r\n>1\r\n:1\r\n${OK}:5\r\n`);
    sink.send(connection, 1, 'SUBSCRIBE', 'a');
    assert.deepEqual(await sink.come(1), [`1 ${OK}`]);
    await until('all is heard', () => heard.length === 4);
    connection.destroy('lost', 'over');
    connection.destroy('lost', 'over');
    assert.deepEqual(heard, ['*0\r\n', '>1\r\n:1\r\n', OK, ':5\r\n', 'over']);
  });

  it('closed because nobody needs it tells nothing of its node', async (t) => {
    const { node, pool, events } = await ready(t);
    const dedicated = pool.dedicate();
    expectHandshake(node);
    assert.ok(dedicated);
    await untilReady(dedicated);
    dedicated.close();
    assert.deepEqual([events, pool.problem, pool.connections.length], [[], '', 1]);
  });

  it('is destroyed by a reply that nobody waits for', async (t) => {
    const { node, connection, pool } = await ready(t);
    node.sendUnasked(OK);
    await until('it is closed', () => connection.state === 'closed');
    assert.equal(pool.problem, 'sent bytes that are no reply');
  });

  it('is destroyed by one reply too many', async (t) => {
    const { node, sink, connection } = await ready(t);
    node.expect('GET', 'a').reply(':1\r\n:2\r\n');
    sink.send(connection, 1, 'GET', 'a');
    await until('it is closed', () => connection.state === 'closed');
    assert.deepEqual(sink.outcomes, ['1 :1\r\n']);
  });

  it('does not take an unasked reply for that of a request that was not handed over, and loses none', async (t) => {
    const { node, sink, connection } = await ready(t);
    node.expect('GET', 'a').reply(':1\r\n:2\r\n');
    const later = new Recorder();
    // The next request comes within the very read that brings the reply too many.
    const onReply = sink.onReply.bind(sink);
    sink.onReply = (...args) => {
      onReply(...args);
      later.send(connection, 2, 'GET', 'b');
    };
    sink.send(connection, 1, 'GET', 'a');
    assert.deepEqual(await later.come(1), ['2 not_sent: sent bytes that are no reply']);
  });

  it('is destroyed by a reply beyond the limit', async (t) => {
    const { node, sink, connection } = await ready(t, { maxReplyBytes: 1000 });
    node.expect('GET', 'a').reply('$2000\r\n');
    sink.send(connection, 1, 'GET', 'a');
    assert.deepEqual(await sink.come(1), ['1 too_large: a reply larger than 1000 bytes']);
  });

  it('stops at a sink that destroys it', async (t) => {
    const { node, sink, connection } = await ready(t);
    node.expect('GET', 'a').reply(':1\r\n:2\r\n');
    node.expect('GET', 'b').staySilent();
    const onReply = sink.onReply.bind(sink);
    sink.onReply = (...args) => {
      onReply(...args);
      connection.destroy('lost', 'by the sink');
    };
    sink.send(connection, 1, 'GET', 'a');
    sink.send(connection, 2, 'GET', 'b');
    assert.deepEqual(await sink.come(2), ['1 :1\r\n', '2 lost: by the sink']);
  });

  it('reads nothing while anybody pauses it, and goes on behind the last', async (t) => {
    const { node, sink, connection } = await ready(t);
    const [one, two] = [{}, {}];
    node.expect('GET', 'a').reply(':1\r\n');
    connection.pause(one);
    connection.pause(two);
    connection.pause(two);
    sink.send(connection, 1, 'GET', 'a');
    await node.finished();
    for (let i = 0; i < 20; i++) await nextTurn();
    assert.deepEqual([sink.outcomes, connection.isPaused], [[], true]);
    connection.resume({});
    connection.resume(two);
    assert.equal(connection.isPaused, true);
    connection.resume(one);
    assert.deepEqual(await sink.come(1), ['1 :1\r\n']);
    assert.equal(connection.isPaused, false);
  });
});
