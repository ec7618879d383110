/**
 * WAIT blocks the connection that it goes over at the node, perhaps for good: nobody else may notice.
 */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { encodeCommand, RawClient } from '../support/client.ts';
import { freeze, tagInSlot, thaw, waitFor } from '../support/cluster.ts';
import { Gateway } from '../support/gateway.ts';

const MORE_THAN_SHARED = 6;

describe('WAIT', () => {
  let gateway: Gateway;
  const key = `${tagInSlot(1)}k`;

  before(async () => {
    gateway = await Gateway.start({ masters: 1, replicas: 0 });
  });
  after(() => gateway.stop());

  function openConnections(): number {
    let count = 0;
    for (const pool of gateway.proxy.upstream.pools) count += pool.connections.length;
    return count;
  }

  it('C6: more clients than shared connections may wait for ever, and others go on', async () => {
    const waiting = await Promise.all(
      Array.from({ length: MORE_THAN_SHARED }, async () => {
        const client = await RawClient.connect(gateway.port);
        assert.equal(await client.text('SET', key, 'v'), '+OK\r\n');
        client.send('*3\r\n$4\r\nWAIT\r\n$1\r\n1\r\n$1\r\n0\r\n');
        return client;
      }),
    );
    await waitFor('all wait', async () => {
      const list = String(await gateway.cluster.masters[0]?.client().call('CLIENT', 'LIST'));
      return list.split('\n').filter((line) => line.includes('cmd=wait')).length > 0;
    });
    const other = await RawClient.connect(gateway.port);
    for (let i = 0; i < 50; i++) assert.equal(await other.text('GET', key), '$1\r\nv\r\n');
    const before = openConnections();
    for (const client of waiting) client.close();
    await waitFor(
      'their connections are closed',
      () => openConnections() < before && gateway.proxy.counters.clients === 1,
    );
    assert.equal(await other.text('GET', key), '$1\r\nv\r\n');
    other.close();
  });

  it('a client that shared the connection a moment ago gets another one', async () => {
    for (let round = 0; round < 20; round++) {
      const [waiting, other] = [await RawClient.connect(gateway.port), await RawClient.connect(gateway.port)];
      assert.equal(await other.text('GET', key), await waiting.text('GET', key));
      waiting.send('*3\r\n$4\r\nWAIT\r\n$1\r\n1\r\n$1\r\n0\r\n');
      for (let i = 0; i < 5; i++) assert.doesNotMatch(await other.text('GET', key), /^-/);
      waiting.close();
      assert.doesNotMatch(await other.text('GET', key), /^-/);
      other.close();
    }
  });

  async function isWaiting(): Promise<boolean> {
    return String(await gateway.cluster.masters[0]?.client().info('clients')).includes('blocked_clients:1');
  }

  it('a client that has something in flight there does not get behind the WAIT of another', async () => {
    const [master] = gateway.cluster.masters;
    assert.ok(master);
    for (let round = 0; round < 5; round++) {
      const [busy, waiting] = [await RawClient.connect(gateway.port), await RawClient.connect(gateway.port)];
      assert.equal(await busy.text('GET', key), await waiting.text('GET', key), 'over the same connection');
      const id = (await waiting.text('CLIENT', 'ID')).slice(1, -2);
      const { counters } = gateway.proxy;
      const before = counters.requests;
      freeze(master);
      try {
        busy.send(encodeCommand(['GET', key]));
        waiting.send(
          Buffer.concat(
            [
              ['SET', key, 'w'],
              ['WAIT', 1, 0],
            ].map(encodeCommand),
          ),
        );
        await waitFor('all are in flight', () => counters.requests === before + 3);
        // It sticks to its connection (C3a), where a WAIT stands now.
        busy.send(Buffer.concat(Array.from({ length: 10 }, () => encodeCommand(['INCR', `${key}:n`]))));
        const other = await RawClient.connect(gateway.port);
        assert.equal(await other.text('PING'), '+PONG\r\n');
        other.close();
      } finally {
        thaw(master);
      }
      const replies = (await busy.replies(11)).slice(1).map(String);
      assert.deepEqual(
        replies,
        Array.from({ length: 10 }, (_, i) => `:${10 * round + i + 1}\r\n`),
      );
      assert.equal(String(await waiting.reply()), '+OK\r\n');
      assert.equal(await busy.text('CLIENT', 'UNBLOCK', id), ':1\r\n', 'it still waits');
      assert.equal(String(await waiting.reply()), ':0\r\n');
      for (const one of [busy, waiting]) one.close();
    }
  });

  it('two that wait over the same connection do not end each other, and nobody gets behind the second', async () => {
    const [first, second, third] = await Promise.all([1, 2, 3].map(() => RawClient.connect(gateway.port)));
    assert.ok(first && second && third);
    const idOf = async (client: RawClient) => (await client.text('CLIENT', 'ID')).slice(1, -2);
    const [firstId, secondId] = [await idOf(first), await idOf(second)];
    const nodeClients = async () => String(await gateway.cluster.masters[0]?.client().call('CLIENT', 'LIST'));
    const wait = encodeCommand(['WAIT', 1, 0]);
    for (const leaves of [false, true]) {
      // Both write over the connection that both used last.
      assert.deepEqual([await first.text('SET', key, 'a'), await second.text('SET', key, 'b')], ['+OK\r\n', '+OK\r\n']);
      const before = gateway.proxy.counters.requests;
      first.send(wait);
      await waitFor('the first waits', isWaiting);
      second.send(wait);
      await waitFor('the second was sent', () => gateway.proxy.counters.requests === before + 2);
      if (leaves) first.close();
      else assert.equal(await third.text('CLIENT', 'UNBLOCK', firstId), ':1\r\n');
      if (!leaves) assert.equal(String(await first.reply()), ':0\r\n');
      await waitFor('the node is at the second', async () => {
        const list = await nodeClients();
        return list.split('\n').filter((line) => line.includes('cmd=wait')).length === 1 && (await isWaiting());
      });
      for (let i = 0; i < 20; i++) assert.match(await third.text('GET', key), /^\$1/);
      assert.equal(second.unreadCount, 0, 'it goes on');
      assert.equal(await third.text('CLIENT', 'UNBLOCK', secondId), ':1\r\n');
      assert.equal(String(await second.reply()), ':0\r\n');
    }
    for (const client of [second, third]) client.close();
  });

  it('CLIENT UNBLOCK ends it at the node: with the number reached so far, or with an error', async () => {
    const [client, other] = [await RawClient.connect(gateway.port), await RawClient.connect(gateway.port)];
    const id = (await client.text('CLIENT', 'ID')).slice(1, -2);
    assert.equal(await other.text('CLIENT', 'UNBLOCK', id), ':0\r\n');
    for (const [how, reply] of [
      [[], ':0\r\n'],
      [['TIMEOUT'], ':0\r\n'],
      [['ERROR'], '-UNBLOCKED client unblocked via CLIENT UNBLOCK\r\n'],
    ] as const) {
      client.send(
        Buffer.concat(
          [
            ['SET', key, 'w'],
            ['WAIT', 1, 0],
            ['GET', key],
          ].map(encodeCommand),
        ),
      );
      assert.equal(String(await client.reply()), '+OK\r\n');
      await waitFor('it waits', isWaiting);
      assert.match(await other.text('CLIENT', 'LIST', 'ID', id), / flags=b .* cmd=wait /);
      assert.equal(await other.text('CLIENT', 'UNBLOCK', id, ...how), ':1\r\n');
      assert.deepEqual((await client.replies(2)).map(String), [reply, '$1\r\nw\r\n']);
      assert.equal(await other.text('CLIENT', 'UNBLOCK', id), ':0\r\n', 'it waits no more');
      assert.match(await other.text('CLIENT', 'LIST', 'ID', id), / flags=N /);
    }
    for (const one of [client, other]) one.close();
  });

  it('answers in order, also when it is pipelined twice', async () => {
    const client = await RawClient.connect(gateway.port);
    const replies = await client.pipeline([
      ['SET', key, '1'],
      ['WAIT', '0', '0'],
      ['INCR', key],
      ['WAIT', '1', '50'],
      ['WAIT', '1', '50'],
      ['GET', key],
    ]);
    assert.deepEqual(replies.map(String), ['+OK\r\n', ':0\r\n', ':2\r\n', ':0\r\n', ':0\r\n', '$1\r\n2\r\n']);
    client.close();
  });
});

describe('WAIT behind EXEC and blocking commands', () => {
  let gateway: Gateway;
  const key = `${tagInSlot(1)}k`;
  const transaction = [['MULTI'], ['INCR', key], ['EXEC']] as const;
  const poppedAndMoved = [
    ['RPUSH', `${key}:from`, 'x'],
    ['BLMOVE', `${key}:from`, `${key}:to`, 'LEFT', 'RIGHT', 1],
  ] as const;

  before(async () => {
    gateway = await Gateway.start({ masters: 1, replicas: 1, nodeTimeoutMs: 30_000 });
  });
  after(() => gateway.stop());

  async function withoutReplica(work: () => Promise<void>): Promise<void> {
    const replica = gateway.cluster.nodes.find((node) => !gateway.cluster.masters.includes(node));
    assert.ok(replica);
    freeze(replica);
    try {
      await work();
    } finally {
      thaw(replica);
    }
  }

  for (const [name, commands] of [
    ['EXEC', transaction],
    ['BLMOVE', poppedAndMoved],
  ] as const) {
    it(`counts the replicas that have what ${name} wrote, and no others, pipelined or not`, async () => {
      const client = await RawClient.connect(gateway.port);
      for (const command of commands) assert.doesNotMatch(await client.text(...command), /^-/);
      assert.equal(await client.text('WAIT', 1, 5000), ':1\r\n');
      await withoutReplica(async () => {
        const replies = await client.pipeline([...commands, ['WAIT', 1, 200], ['GET', key]]);
        assert.equal(String(replies.at(-2)), ':0\r\n', 'the replica is frozen');
        assert.match(String(replies.at(-1)), /^\$/);
        // Nor when a write that changes nothing came in between, which tells a node nothing.
        const [, waited] = await client.pipeline([
          ['SETNX', key, 'is there'],
          ['WAIT', 1, 100],
        ]);
        assert.equal(String(waited), ':0\r\n');
      });
      assert.equal(await client.text('WAIT', 1, 5000), ':1\r\n', 'it has caught up');
      client.close();
    });
  }

  it('is ended by CLIENT UNBLOCK, and by the client that leaves', async () => {
    const [client, other] = [await RawClient.connect(gateway.port), await RawClient.connect(gateway.port)];
    const id = (await client.text('CLIENT', 'ID')).slice(1, -2);
    for (const [how, reply] of [
      [[], ':0\r\n'],
      [['ERROR'], '-UNBLOCKED client unblocked via CLIENT UNBLOCK\r\n'],
    ] as const) {
      await withoutReplica(async () => {
        await client.pipeline([...transaction]);
        client.send(encodeCommand(['WAIT', 1, 0]));
        await waitFor('it waits', async () => (await other.text('CLIENT', 'UNBLOCK', id, ...how)) === ':1\r\n');
        assert.equal(String(await client.reply()), reply);
      });
    }
    await withoutReplica(async () => {
      await client.pipeline([...transaction]);
      client.send(encodeCommand(['WAIT', 1, 0]));
      await waitFor('it waits', async () => / flags=b /.test(await other.text('CLIENT', 'LIST', 'ID', id)));
      client.close();
      await waitFor('it is gone', () => gateway.proxy.counters.clients === 1);
    });
    other.close();
  });

  it('leaves what makes no sense to the node', async () => {
    const client = await RawClient.connect(gateway.port);
    await client.pipeline([...transaction]);
    assert.match(await client.text('WAIT', 'x', 1), /^-ERR value is not an integer/);
    assert.match(await client.text('WAIT', 1, -1), /^-ERR timeout is negative/);
    client.close();
  });

  it('says so when the master does not tell', async () => {
    const client = await RawClient.connect(gateway.port);
    await client.pipeline([...transaction]);
    const [master] = gateway.cluster.masters;
    assert.ok(master);
    freeze(master);
    try {
      assert.match(
        await client.text('WAIT', 1, 100),
        /^-ERR evalgate: 127\.0\.0\.1:\d+ did not tell how far its replicas are/,
      );
    } finally {
      thaw(master);
    }
    client.close();
  });
});
