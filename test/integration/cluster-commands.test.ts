/**
 * CLUSTER: evalgate as the one node of a cluster, with an address that its client can use; and the commands that go to
 * all nodes because of what they mean.
 */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { decodeReply } from '../../src/resp/decode.ts';
import { type Argument, RawClient } from '../support/client.ts';
import { slotOfKey, tagInSlot, waitFor } from '../support/cluster.ts';
import { Gateway, startProxy } from '../support/gateway.ts';
import { SERVER } from '../support/versions.ts';

async function decoded(client: RawClient, ...args: Argument[]): Promise<unknown> {
  return decodeReply(await client.command(...args));
}

describe('CLUSTER', () => {
  let gateway: Gateway;
  let client: RawClient;
  let node: RawClient;

  before(async () => {
    gateway = await Gateway.start({ masters: 3, replicas: 1, nodeTimeoutMs: 15_000 });
    client = await RawClient.connect(gateway.port);
    node = await RawClient.connect(gateway.cluster.nodes[0]?.port ?? 0);
  });
  after(async () => {
    client.close();
    node.close();
    await gateway.stop();
  });

  it('shows one node with all slots at the address that the client came to', async () => {
    const id = String(await decoded(client, 'CLUSTER', 'MYID'));
    assert.match(id, /^[0-9a-f]{40}$/);
    const { port } = gateway;
    assert.deepEqual(await decoded(client, 'CLUSTER', 'SLOTS'), [[0, 16383, ['127.0.0.1', port, id, []]]]);
    assert.deepEqual(await decoded(client, 'CLUSTER', 'SHARDS'), [
      [
        'slots',
        [0, 16383],
        'nodes',
        [
          [
            ...['id', id, 'port', port, 'ip', '127.0.0.1', 'endpoint', '127.0.0.1', 'role', 'master'],
            ...['replication-offset', 0, 'health', 'online'],
          ],
        ],
      ],
    ]);
    assert.equal(
      await decoded(client, 'CLUSTER', 'NODES'),
      `${id} 127.0.0.1:${port}@0 myself,master - 0 0 0 connected 0-16383\n`,
    );
    assert.match(String(await decoded(client, 'CLUSTER', 'MYSHARDID')), /^[0-9a-f]{40}$/);
    assert.equal(await client.text('CLUSTER', 'REPLICAS', id), '*0\r\n');
    assert.equal(await client.text('CLUSTER', 'SLAVES', id), '*0\r\n');
    assert.equal(await client.text('CLUSTER', 'COUNT-FAILURE-REPORTS', id), ':0\r\n');
    assert.equal(await client.text('CLUSTER', 'LINKS'), '*0\r\n');
    const other = await RawClient.connect(port);
    assert.equal(await decoded(other, 'CLUSTER', 'MYID'), id);
    other.close();
  });

  it('INFO has the fields of a node, and is ok while all slots have an owner', async () => {
    const fields = (text: unknown) => String(text).split('\r\n').filter(Boolean);
    const ours = fields(await decoded(client, 'CLUSTER', 'INFO'));
    const names = (lines: string[]) => lines.map((line) => line.split(':', 1)[0]);
    // Valkey 9 has more of them: failing nodes, bytes by kind; 6.2 lacks the last.
    const theirs = names(fields(await decoded(node, 'CLUSTER', 'INFO'))).filter(
      (name) => !/_messages_.*_|_nodes_p?fail|_bytes_/.test(`${name}`),
    );
    if (SERVER.version < 7) theirs.push('total_cluster_links_buffer_limit_exceeded');
    assert.deepEqual(names(ours), theirs);
    for (const line of ['state:ok', 'slots_assigned:16384', 'slots_ok:16384', 'known_nodes:1', 'size:1']) {
      assert.ok(ours.includes(`cluster_${line}`), line);
    }
    assert.match(String(await decoded(client, 'INFO', 'cluster')), /cluster_enabled:1/);
    assert.match(await client.text('HELLO'), /\$4\r\nmode\r\n\$7\r\ncluster\r\n/);
  });

  const same = [
    ...['KEYSLOT', 'KEYSLOT a b', 'KEYSLOT a', 'KEYSLOT {a}b', 'KEYSLOT {}a}b', 'COUNTKEYSINSLOT', 'COUNTKEYSINSLOT x'],
    ...['COUNTKEYSINSLOT 16384', 'COUNTKEYSINSLOT -1', 'GETKEYSINSLOT 1', 'GETKEYSINSLOT 1 x', 'GETKEYSINSLOT 1 -1'],
    ...[
      'GETKEYSINSLOT 99999 1',
      'COUNT-FAILURE-REPORTS x',
      'REPLICAS x',
      'SLAVES x',
      'BOGUS',
      'MYID x',
      'SLOTS x',
      'HELP',
    ],
  ];
  for (const command of same) {
    it(`CLUSTER ${command} gets what a node says`, async () => {
      const words = ['CLUSTER', ...command.split(' ')];
      assert.equal(await client.text(...words), await node.text(...words));
    });
  }

  it('COUNTKEYSINSLOT and GETKEYSINSLOT ask the owner of the slot, wherever it is', async () => {
    for (const slot of [0, 6000, 12000, 16383]) {
      const tag = tagInSlot(slot);
      await client.pipeline([1, 2, 3].map((i) => ['SET', `${tag}${i}`, 'v']));
      assert.equal(await client.text('CLUSTER', 'COUNTKEYSINSLOT', slot), ':3\r\n');
      const keys = (await decoded(client, 'CLUSTER', 'GETKEYSINSLOT', slot, 10)) as string[];
      assert.deepEqual(keys.sort(), [`${tag}1`, `${tag}2`, `${tag}3`]);
      assert.equal(slotOfKey(tag), slot);
    }
  });

  for (const command of ['ASKING', 'READONLY', 'READWRITE']) {
    it(`${command} is OK`, async () => assert.equal(await client.text(command), '+OK\r\n'));
  }

  describe('with another address', () => {
    it('listen.announce is what all of them show', async () => {
      const proxy = await startProxy(gateway.cluster, { listen: { announce: '[2001:db8::1]:7777' } });
      const one = await RawClient.connect(proxy.address.port);
      const [[, , [host, port, id]]] = (await decoded(one, 'CLUSTER', 'SLOTS')) as [[number, number, unknown[]]];
      assert.deepEqual([host, port], ['2001:db8::1', 7777]);
      assert.equal(await decoded(one, 'CLUSTER', 'MYID'), id);
      assert.notEqual(id, await decoded(client, 'CLUSTER', 'MYID'));
      assert.match(String(await decoded(one, 'CLUSTER', 'NODES')), / 2001:db8::1:7777@0 myself/);
      one.close();
      await proxy.stop();
    });

    it('a client over IPv6 sees IPv6, one over IPv4 at the same socket IPv4', async () => {
      const proxy = await startProxy(gateway.cluster, { listen: { host: '::' } });
      for (const host of ['::1', '127.0.0.1']) {
        const one = await RawClient.connect(proxy.address.port, host);
        const [[, , [shown]]] = (await decoded(one, 'CLUSTER', 'SLOTS')) as [[number, number, unknown[]]];
        assert.equal(shown, host);
        one.close();
      }
      await proxy.stop();
    });
  });
});

describe('CLUSTER INFO', () => {
  it('says fail while slots have no owner, or no node answers', async () => {
    const gateway = await Gateway.start({ masters: 2, replicas: 0, nodeTimeoutMs: 15_000 });
    const client = await RawClient.connect(gateway.port);
    const [first] = gateway.cluster.nodes;
    await Promise.all(gateway.cluster.nodes.map((one) => one.client().call('CLUSTER', 'DELSLOTS', 5, 6)));
    await gateway.proxy.refresh(undefined);
    await waitFor('the two slots are missed', async () => {
      const text = String(await decoded(client, 'CLUSTER', 'INFO'));
      return text.includes('cluster_state:fail') && text.includes('cluster_slots_assigned:16382');
    });
    assert.ok(first);
    client.close();
    const { cluster } = gateway;
    await cluster.stop();
    const proxy = await startProxy(cluster);
    const late = await RawClient.connect(proxy.address.port);
    assert.match(String(await decoded(late, 'CLUSTER', 'INFO')), /^cluster_state:fail\r\ncluster_slots_assigned:0\r\n/);
    late.close();
    await proxy.stop();
    await gateway.stop();
  });
});

describe('commands about the nodes themselves', () => {
  let gateway: Gateway;
  let client: RawClient;

  before(async () => {
    gateway = await Gateway.start({ masters: 2, replicas: 0, nodeTimeoutMs: 15_000 });
    client = await RawClient.connect(gateway.port);
  });
  after(async () => {
    client.close();
    await gateway.stop();
  });

  const onAll = (...args: [string, ...string[]]) =>
    Promise.all(gateway.cluster.nodes.map((one) => one.client().call(...args)));

  it('BGSAVE, SAVE, BGREWRITEAOF reach every node, and LASTSAVE is the oldest time', async () => {
    const before = (await onAll('LASTSAVE')).map(Number);
    assert.equal(await client.text('LASTSAVE'), `:${Math.min(...before)}\r\n`);
    await waitFor('the clock of seconds goes on', () => Date.now() / 1000 > Math.max(...before) + 1);
    assert.equal(await client.text('BGSAVE'), '+Background saving started\r\n');
    const started = Math.max(...before);
    await waitFor('every node has saved', async () =>
      (await onAll('LASTSAVE')).every((time) => Number(time) > started),
    );
    await waitFor('no node saves', async () =>
      (await onAll('INFO', 'persistence')).every((text) => String(text).includes('rdb_bgsave_in_progress:0')),
    );
    assert.ok(Number((await client.text('LASTSAVE')).slice(1)) > started);
    assert.equal(await client.text('SAVE'), '+OK\r\n');
    assert.equal(await client.text('BGREWRITEAOF'), '+Background append only file rewriting started\r\n');
    assert.equal(await client.text('BGSAVE', 'bogus'), '-ERR syntax error\r\n');
  });

  it('ACL SETUSER and DELUSER make users the same on every node', async () => {
    assert.equal(await client.text('ACL', 'SETUSER', 'reader', 'on', '>pw', '+get', '~*'), '+OK\r\n');
    for (const users of await onAll('ACL', 'USERS')) assert.deepEqual(users, ['default', 'reader']);
    assert.equal(
      await client.text('ACL', 'SETUSER', 'reader', 'bogus'),
      "-ERR Error in ACL SETUSER modifier 'bogus': Syntax error\r\n",
    );
    assert.equal(await client.text('ACL', 'DELUSER', 'reader', 'nobody'), ':1\r\n');
    for (const users of await onAll('ACL', 'USERS')) assert.deepEqual(users, ['default']);
  });

  it('ACL LOG shows what any node refused, and RESET empties all', async () => {
    for (const one of gateway.cluster.nodes) {
      await assert.rejects(one.client().call('AUTH', 'nobody', 'wrong'), /WRONGPASS/);
    }
    await waitFor('the nodes have refused', async () =>
      (await onAll('ACL', 'LOG')).every((entries) => (entries as unknown[]).length > 0),
    );
    assert.equal(((await decoded(client, 'ACL', 'LOG')) as unknown[]).length, 2);
    assert.equal(await client.text('ACL', 'LOG', 'RESET'), '+OK\r\n');
    for (const entries of await onAll('ACL', 'LOG')) assert.deepEqual(entries, []);
    assert.match(await client.text('ACL', 'LOG', 'x'), /^-ERR value is not an integer or out of range/);
  });

  it('MODULE LIST is that of a node', async () => {
    const node = await RawClient.connect(gateway.cluster.nodes[0]?.port ?? 0);
    assert.equal(await client.text('MODULE', 'LIST'), await node.text('MODULE', 'LIST'));
    node.close();
  });
});
