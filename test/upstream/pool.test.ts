import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { scriptFromBody } from '../../src/script/script.ts';
import type { Connection } from '../../src/upstream/connection.ts';
import type { Call } from '../../src/upstream/exchange.ts';
import { FakeNode } from '../support/fake-node.ts';
import { expectHandshake, poolTo, Recorder, type TestPoolOptions, until, untilReady } from '../support/upstream.ts';

async function setUp(t: TestContext, options: TestPoolOptions = {}) {
  const node = await FakeNode.start(t);
  const test = poolTo(node.port, options);
  t.after(() => test.pool.destroy('lost', 'the test ends'));
  const open = async (): Promise<Connection> => {
    expectHandshake(node);
    const connection = test.pool.open();
    await untilReady(connection);
    return connection;
  };
  return { ...test, node, open, sink: new Recorder() };
}

const CALL: Call = {
  form: 'eval',
  isReadOnly: false,
  argc: 4,
  keyCount: 1,
  script: undefined,
  bytesForm: 'eval',
  tail: 0,
  keysBytes: 0,
  mustSendBody: false,
};

describe('Pool', () => {
  it('opens one connection for everybody', async (t) => {
    const { pool, node } = await setUp(t);
    expectHandshake(node);
    const connection = pool.pick(undefined);
    assert.ok(connection);
    assert.equal(pool.pick(undefined), connection, 'also while it is connecting');
    await untilReady(connection);
    assert.equal(pool.pick(undefined), connection);
    assert.equal(pool.pick(connection), connection);
    assert.equal(node.connectionCount, 1);
  });

  it('opens another while the first is occupied, and goes back when it is not', async (t) => {
    const { pool, node, open, sink, turn } = await setUp(t);
    const first = await open();
    const slow = node.expect('GET', 'a').staySilent();
    sink.send(first, 1, 'GET', 'a');
    await node.finished();
    assert.equal(pool.pick(first), first, 'not occupied yet');
    turn.nowMs += 6;
    expectHandshake(node);
    const second = pool.pick(first);
    assert.ok(second);
    assert.notEqual(second, first);
    await untilReady(second);
    assert.equal(pool.pick(first), second);
    slow.reply('+OK\r\n');
    await sink.come(1);
    assert.equal(pool.pick(first), first);
    assert.equal(pool.pick(undefined), first);
  });

  it('takes a connection that somebody avoids for occupied', async (t) => {
    const { pool, node, open } = await setUp(t);
    const first = await open();
    first.avoid(pool);
    expectHandshake(node);
    const second = pool.pick(first);
    assert.notEqual(second, first);
    await untilReady(second as Connection);
  });

  it('gives the one with the shortest queue when all are occupied, one behind a script last', async (t) => {
    const { pool, node, open, sink, turn } = await setUp(t, { maxConnections: 3 });
    const [behindScript, long, short] = [await open(), await open(), await open()];
    for (let i = 0; i < 4; i++) node.expect('GET', 'k').staySilent();
    sink.send(behindScript, 1, 'GET', 'k').call = CALL;
    await until('the first has come', () => behindScript.pendingBytes === 0);
    sink.send(long, 2, 'GET', 'k');
    sink.send(long, 3, 'GET', 'k');
    sink.send(short, 4, 'GET', 'k');
    await node.finished();
    turn.nowMs += 6;
    assert.equal(pool.pick(undefined), short);
    short.destroy('lost', 'x');
    assert.equal(pool.pick(undefined)?.state, 'connecting', 'there is room for another');
  });

  it('forgets marks of a script, and of all, on every connection', async (t) => {
    const { pool, facts, open } = await setUp(t);
    const connections = [await open(), await open()];
    const [a, b] = [scriptFromBody(Buffer.from('a'), 'eval'), scriptFromBody(Buffer.from('b'), 'eval')];
    a.number = 1;
    b.number = 2;
    for (const connection of connections) {
      connection.marks.add(a);
      connection.marks.add(b);
    }
    facts.recent.touch(a);
    facts.recent.touch(b);
    pool.dropMark(a);
    assert.deepEqual(
      connections.map(({ marks }) => [marks.has(a), marks.has(b)]),
      [
        [false, true],
        [false, true],
      ],
    );
    assert.equal(facts.recent.touch(b), true);
    pool.dropAllMarks();
    assert.ok(connections.every(({ marks }) => !marks.has(b)));
    assert.equal(facts.recent.touch(b), false);
  });

  it('is saturated by what its node does not take, and idle when nothing is in flight', async (t) => {
    const { pool, node, open, sink } = await setUp(t, { maxPendingBytes: 10 });
    const connection = await open();
    assert.deepEqual([pool.isSaturated, pool.isIdle], [false, true]);
    node.expect('SET', 'k', 'value').reply('+OK\r\n');
    sink.send(connection, 1, 'SET', 'k', 'value');
    assert.deepEqual([pool.isSaturated, pool.isIdle], [true, false]);
    await sink.come(1);
    assert.deepEqual([pool.isSaturated, pool.isIdle], [false, true]);
  });

  it('sends the flush that it owes once it can, once, until it is answered well', async (t) => {
    const { pool, facts, node, open } = await setUp(t);
    const connection = await open();
    pool.flushOwed();
    facts.owesFlush = true;
    const script = scriptFromBody(Buffer.from('a'), 'load');
    script.number = 0;
    connection.marks.add(script);
    const flush = node.expect('SCRIPT', 'FLUSH').staySilent();
    pool.flushOwed();
    pool.flushOwed();
    assert.equal(connection.marks.has(script), false);
    await node.finished();
    flush.reply('-BUSY x\r\n');
    await until('it is answered', () => connection.unansweredCount === 0);
    assert.equal(facts.owesFlush, true);
    node.expect('SCRIPT', 'FLUSH').reset();
    pool.flushOwed();
    await until('it is lost', () => connection.state === 'closed');
    const next = await (async () => {
      facts.owesFlush = false;
      const opened = await open();
      facts.owesFlush = true;
      return opened;
    })();
    node.expect('SCRIPT', 'FLUSH').reply('+OK\r\n');
    connection.marks.add(script);
    pool.flushOwed();
    await until('it is flushed', () => !facts.owesFlush);
    assert.equal(next.state, 'ready');
  });

  it('flushes scripts behind the bodies that were sent before', async (t) => {
    const { pool, node, open, sink } = await setUp(t);
    const connection = await open();
    node.expect('EVAL', 'a', '0').reply(':1\r\n');
    node.expect('SCRIPT', 'FLUSH').reply('+OK\r\n');
    sink.send(connection, 1, 'EVAL', 'a', '0');
    pool.flushScripts();
    await until('all is answered', () => connection.unansweredCount === 0);
  });

  it('flushes scripts on every connection, and once more where a script ran', async (t) => {
    const { pool, facts, node, open } = await setUp(t);
    const connections = [await open(), await open()];
    const script = scriptFromBody(Buffer.from('a'), 'load');
    script.number = 0;
    for (const { marks } of connections) marks.add(script);
    node.expect('SCRIPT', 'FLUSH').reply('+OK\r\n');
    node.expect('SCRIPT', 'FLUSH').reply('-BUSY x\r\n');
    pool.flushScripts();
    assert.ok(connections.every(({ marks }) => !marks.has(script)));
    await until('both have answered', () => connections.every(({ unansweredCount }) => unansweredCount === 0));
    assert.equal(facts.owesFlush, true);
  });

  it('tells of a lost node once, and of its return', async (t) => {
    const { pool, node, open, events } = await setUp(t);
    const first = await open();
    first.destroy('lost', 'one');
    assert.deepEqual(events, [`disconnected ${node.address}: one`]);
    await open();
    assert.deepEqual(events, [`disconnected ${node.address}: one`, `connected ${node.address}`]);
    assert.equal(pool.problem, '');
  });

  describe('dedicated connections', () => {
    async function dedicated(test: Awaited<ReturnType<typeof setUp>>): Promise<Connection> {
      expectHandshake(test.node);
      const connection = test.pool.dedicate();
      assert.ok(connection);
      await untilReady(connection);
      return connection;
    }

    it('C7: a used one is given to the next behind RESET and a new handshake', async (t) => {
      const test = await setUp(t);
      const { pool, node, sink } = test;
      const connection = await dedicated(test);
      const reset = node.expect('RESET').staySilent();
      expectHandshake(node);
      pool.giveBack(connection, 'used');
      assert.equal(pool.dedicatedCount, 0);
      assert.equal(pool.dedicate(), connection);
      node.expect('GET', 'k').reply('$1\r\nv\r\n');
      sink.send(connection, 1, 'GET', 'k');
      await until('RESET has come', () => reset.hasCome);
      assert.deepEqual(sink.outcomes, [], 'nothing goes out before RESET was answered');
      reset.reply('+RESET\r\n');
      assert.deepEqual(await sink.come(1), ['1 $1\r\nv\r\n']);
      assert.equal(node.connectionCount, 1);
    });

    it('C7: a login waits for the answer to RESET: behind it a refusal would be silent', async (t) => {
      const test = await setUp(t, { login: { kind: 'user', username: 'alice', password: 'pw' } });
      const { pool, node } = test;
      node.expect('AUTH', 'alice', 'pw').reply('+OK\r\n');
      const connection = pool.dedicate();
      assert.ok(connection);
      await untilReady(connection);
      const reset = node.expect('RESET').staySilent();
      pool.giveBack(connection, 'used');
      await until('RESET has come', () => reset.hasCome);
      const login = node.expect('AUTH', 'alice', 'pw').reply('-WRONGPASS it was changed\r\n');
      assert.equal(login.hasCome, false);
      reset.reply('+RESET\r\n');
      await until('it is closed', () => connection.state === 'closed');
      assert.equal(login.hasCome, true);
      assert.match(test.events.join(), /refused .*: login refused: WRONGPASS it was changed/);
    });

    it('C7: one whose RESET is refused is destroyed', async (t) => {
      const test = await setUp(t);
      const connection = await dedicated(test);
      test.node.expect('RESET').reply("-ERR unknown command 'RESET'\r\n");
      test.pool.giveBack(connection, 'used');
      await until('it is closed', () => connection.state === 'closed');
      assert.deepEqual(test.pool.connections, []);
    });

    it('a clean one is usable at once, and never by those who share', async (t) => {
      const test = await setUp(t);
      const { pool, node } = test;
      const connection = await dedicated(test);
      pool.giveBack(connection, 'clean');
      expectHandshake(node);
      const shared = pool.pick(undefined);
      assert.ok(shared);
      assert.notEqual(shared, connection);
      await untilReady(shared);
      assert.equal(pool.dedicate(), connection);
      assert.equal(connection.state, 'ready');
    });

    it('C7: one that owes a reply is destroyed, and that is no failure of the node', async (t) => {
      const test = await setUp(t);
      const { pool, node, sink, events } = test;
      const connection = await dedicated(test);
      node.expect('BLPOP', 'k', '0').staySilent();
      sink.send(connection, 1, 'BLPOP', 'k', '0');
      await node.finished();
      pool.giveBack(connection, 'clean');
      assert.equal(connection.state, 'closed');
      assert.deepEqual(events, []);
      assert.equal(pool.dedicatedCount, 0);
    });

    it('spare ones are closed after a while', async (t) => {
      const test = await setUp(t);
      const { pool, turn } = test;
      const connection = await dedicated(test);
      pool.giveBack(connection, 'clean');
      turn.nowMs += 9000;
      pool.closeSpare();
      assert.equal(connection.state, 'ready');
      turn.nowMs += 2000;
      pool.closeSpare();
      assert.equal(connection.state, 'closed');
    });

    it('are bounded, spare ones counted in', async (t) => {
      const test = await setUp(t, { maxDedicated: 1 });
      const connection = await dedicated(test);
      assert.equal(test.pool.dedicate(), undefined);
      test.pool.giveBack(connection, 'clean');
      assert.equal(test.pool.dedicate(), connection);
      assert.equal(test.pool.dedicate(), undefined);
    });
  });
});
