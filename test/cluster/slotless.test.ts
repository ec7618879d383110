import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { slotlessMasters } from '../../src/cluster/slotless.ts';
import { topologyFromSlots, withSlotless } from '../../src/cluster/topology.ts';

const CONTEXT = { askedHost: '192.168.0.9', natMap: new Map([['10.0.0.7:7000', { host: 'outside', port: 1 }]]) };

/** Addresses of the slotless masters; `owner` owns all slots and stands at this host. */
function slotless(lines: readonly string[], ownerHost = '10.0.0.1'): string[] {
  const topology = topologyFromSlots([[0, 16_383, [ownerHost, 7000, 'owner']]], CONTEXT);
  const text = `owner 10.0.0.1:7000@17000,one.example myself,master - 0 0 1 connected 0-16383\n${lines.join('\n')}\n`;
  return slotlessMasters(text, CONTEXT, topology.nodes).map(({ address }) => address);
}

describe('slotlessMasters', () => {
  const cases: readonly [name: string, line: string, addresses: readonly string[]][] = [
    ['a new master', 'new 10.0.0.2:7000@17000 master - 0 0 0 connected', ['10.0.0.2:7000']],
    ['the node that answers', 'new 10.0.0.2:7000@17000 myself,master - 0 0 0 connected', ['10.0.0.2:7000']],
    ['one that imports', 'new 10.0.0.2:7000@17000 master - 0 0 0 connected [5-<-owner]', ['10.0.0.2:7000']],
    ['an old server, without a bus port', 'new 10.0.0.2:7000 master - 0 0 0 connected', ['10.0.0.2:7000']],
    ['IPv6', 'new ::1:7000@17000 master - 0 0 0 connected', ['[::1]:7000']],
    ['no host: the one that was asked', 'new :7000@17000 myself,master - 0 0 0 connected', ['192.168.0.9:7000']],
    ['an address of nat_map', 'new 10.0.0.7:7000@17000 master - 0 0 0 connected', ['outside:1']],
    ['one that owns slots', 'new 10.0.0.2:7000@17000 master - 0 0 0 connected 7', []],
    ['a replica', 'new 10.0.0.2:7000@17000 slave owner 0 0 0 connected', []],
    ['a failed one', 'new 10.0.0.2:7000@17000 master,fail - 0 0 0 connected', []],
    ['one that is being met', 'new 10.0.0.2:7000@17000 handshake - 0 0 0 connected', []],
    ['one without an address', 'new :0@0 master,noaddr - 0 0 0 disconnected', []],
    ['no sense', 'new', []],
    ['a port beyond all ports', 'new 10.0.0.2:70000@1 master - 0 0 0 connected', []],
  ];
  for (const [name, line, addresses] of cases) {
    it(name, () => assert.deepEqual(slotless([line]), addresses));
  }

  it('goes by host names where CLUSTER SLOTS does', () => {
    const line = 'new 10.0.0.2:7000@17000,two.example,shard-id=1 master - 0 0 0 connected';
    assert.deepEqual(slotless([line]), ['10.0.0.2:7000']);
    assert.deepEqual(slotless([line], 'one.example'), ['two.example:7000']);
  });

  it('are nodes of the topology, and change its signature', () => {
    const bare = topologyFromSlots([[0, 5, ['10.0.0.1', 7000, 'owner']]], CONTEXT);
    const text = 'new 10.0.0.2:7000@17000 master - 0 0 0 connected';
    const whole = withSlotless(bare, slotlessMasters(text, CONTEXT, bare.nodes));
    assert.deepEqual([...whole.nodes.keys()], ['owner', 'new']);
    assert.notEqual(whole.signature, bare.signature);
    assert.equal(withSlotless(bare, []), bare);
  });
});
