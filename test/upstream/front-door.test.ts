import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import type { Node } from '../../src/cluster/topology.ts';
import { Identities } from '../../src/upstream/access.ts';
import { FrontDoor } from '../../src/upstream/front-door.ts';
import type { Upstream } from '../../src/upstream/upstream.ts';
import { encodeCommand } from '../support/client.ts';
import { FakeNode } from '../support/fake-node.ts';
import { poolTo, until } from '../support/upstream.ts';

const WRONGPASS = '-WRONGPASS invalid username-password pair or user is disabled.\r\n';

async function setUp(t: TestContext) {
  const node = await FakeNode.start(t);
  const openControl = (to: Node) => poolTo(to.port, { purpose: 'control', login: { kind: 'user' } }).pool.open();
  const door = new FrontDoor(
    { openControl } as unknown as Upstream,
    new Identities({ username: undefined, password: undefined }),
  );
  t.after(() => door.close());
  const to = { host: '127.0.0.1', port: node.port, address: node.address } as Node;
  const login = async (user: string) => String(await door.login(to, encodeCommand(['AUTH', user, 'pw'])));
  return { node, login };
}

describe('FrontDoor', () => {
  it('sends a login when the one before it on that connection is answered: servers from 7.2 on need that', async (t) => {
    const { node, login } = await setUp(t);
    const first = Array.from({ length: 8 }, (_, i) => node.expect('AUTH', `user${i}`, 'pw').staySilent());
    const replies = Array.from({ length: 10 }, (_, i) => login(`user${i}`));
    await until('all connections are busy', () => first.every((step) => step.hasCome));
    const [wrong, right] = [node.expect('AUTH', 'user8', 'pw'), node.expect('AUTH', 'user9', 'pw')];
    wrong.reply(WRONGPASS);
    right.reply('+OK\r\n');
    assert.equal(wrong.hasCome, false);
    first[3]?.reply('+OK\r\n');
    assert.equal(await replies[3], '+OK\r\n');
    assert.equal(await replies[8], WRONGPASS);
    assert.equal(await replies[9], '+OK\r\n');
    for (const step of first) if (step !== first[3]) step.reply(WRONGPASS);
    const others = replies.filter((_, i) => i < 8 && i !== 3);
    assert.deepEqual(new Set(await Promise.all(others)), new Set([WRONGPASS]));
    assert.equal(node.connectionCount, 8);
  });

  it('tells all who wait for a node that went away that it is not there', async (t) => {
    const { node, login } = await setUp(t);
    const steps = Array.from({ length: 8 }, (_, i) => node.expect('AUTH', `user${i}`, 'pw').close());
    const replies = await Promise.all(Array.from({ length: 12 }, (_, i) => login(`user${i}`)));
    assert.ok(steps.every((step) => step.hasCome));
    assert.deepEqual(new Set(replies), new Set(['undefined']));
  });
});
