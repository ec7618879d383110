/**
 * A pool whose node is a replica that is read from.
 */
import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { FakeNode } from '../support/fake-node.ts';
import { expectHandshake, poolTo, until, untilReady } from '../support/upstream.ts';

async function setUp(t: TestContext) {
  const node = await FakeNode.start(t);
  const test = poolTo(node.port);
  t.after(() => test.pool.destroy('lost', 'the test ends'));
  return { ...test, node };
}

describe('Pool of a replica', () => {
  it('says READONLY to a replica, and READWRITE when it is promoted', async (t) => {
    const { pool, node, facts } = await setUp(t);
    pool.isReplica = true;
    node.expect('READONLY').reply('+OK\r\n');
    expectHandshake(node);
    await untilReady(pool.open());
    facts.isInSync = true;
    assert.ok(pool.isReadable);
    node.expect('READWRITE').reply('+OK\r\n');
    pool.isReplica = false;
    await node.finished();
    assert.ok(!pool.isReadable);
    node.expect('READONLY').reply('+OK\r\n');
    pool.isReplica = true;
    await node.finished();
  });

  it('reads nothing from a replica for a user who may not say READONLY', async (t) => {
    const { pool, node, facts } = await setUp(t);
    pool.isReplica = true;
    node.expect('READONLY').reply("-NOPERM this user has no permissions to run the 'readonly' command\r\n");
    expectHandshake(node);
    await untilReady(pool.open());
    facts.isInSync = true;
    assert.ok(!pool.isReadable);
  });

  it('does not use a connection whose READONLY was refused for now', async (t) => {
    const { pool, node } = await setUp(t);
    pool.isReplica = true;
    node.expect('READONLY').reply('-BUSY Redis is busy running a script.\r\n');
    node.expect('INFO', 'server').staySilent();
    node.expect('EVALSHA', '0'.repeat(40), '0').staySilent();
    const connection = pool.open();
    await until('it is closed', () => connection.state === 'closed');
    assert.equal(pool.problem, 'BUSY Redis is busy running a script.');
  });

  it('takes a replica whose connection was lost for out of order until it is asked', async (t) => {
    const { pool, node, facts } = await setUp(t);
    expectHandshake(node);
    const connection = pool.open();
    await untilReady(connection);
    facts.isInSync = true;
    connection.destroy('lost', 'closed by the node');
    assert.equal(facts.isInSync, false);
  });
});
