/**
 * CLUSTER and CLIENT in both protocols: the shapes in which redis-server 7.0 gives the same.
 */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { EMPTY_TOPOLOGY } from '../../src/cluster/topology.ts';
import { SHIPPED_TABLE } from '../../src/command/table.ts';
import type { Protocol } from '../../src/resp/encode.ts';
import { runLocal } from '../../src/session/local-commands.ts';
import type { Session } from '../../src/session/session.ts';
import { requestOf } from '../support/request.ts';

/** The reply to a client of so many words at 10.0.0.1:6380. */
function replyTo(text: string, protocol: Protocol): string {
  let reply = '';
  const session = {
    client: { protocol, local: { host: '10.0.0.1', port: 6380 } },
    runtime: { announced: undefined, topology: EMPTY_TOPOLOGY },
    reply: (bytes: Buffer) => {
      reply = String(bytes);
    },
  } as unknown as Session;
  const [container = '', sub = '', ...args] = text.split(' ');
  const command = SHIPPED_TABLE.findByName(`${container}|${sub}`);
  assert.ok(command);
  runLocal(session, command, requestOf(container, sub, ...args));
  return reply.replace(/[0-9a-f]{40}/g, 'ID');
}

const HOST = '$8\r\n10.0.0.1\r\n';

const SHARD: readonly string[] = [
  ...['$2\r\nid\r\n$40\r\nID\r\n', '$4\r\nport\r\n:6380\r\n', `$2\r\nip\r\n${HOST}`, `$8\r\nendpoint\r\n${HOST}`],
  ...['$4\r\nrole\r\n$6\r\nmaster\r\n', '$18\r\nreplication-offset\r\n:0\r\n', '$6\r\nhealth\r\n$6\r\nonline\r\n'],
];
const SLOTS = '$5\r\nslots\r\n*2\r\n:0\r\n:16383\r\n$5\r\nnodes\r\n*1\r\n';

const REPLIES: [command: string, resp2: string, resp3: string][] = [
  [
    'CLUSTER SLOTS',
    `*1\r\n*3\r\n:0\r\n:16383\r\n*4\r\n${HOST}:6380\r\n$40\r\nID\r\n*0\r\n`,
    `*1\r\n*3\r\n:0\r\n:16383\r\n*4\r\n${HOST}:6380\r\n$40\r\nID\r\n%0\r\n`,
  ],
  ['CLUSTER SHARDS', `*1\r\n*4\r\n${SLOTS}*14\r\n${SHARD.join('')}`, `*1\r\n%2\r\n${SLOTS}%7\r\n${SHARD.join('')}`],
  [
    'CLUSTER NODES',
    '$97\r\nID 10.0.0.1:6380@0 myself,master - 0 0 0 connected 0-16383\n\r\n',
    '=101\r\ntxt:ID 10.0.0.1:6380@0 myself,master - 0 0 0 connected 0-16383\n\r\n',
  ],
  [
    'CLIENT TRACKINGINFO',
    '*6\r\n$5\r\nflags\r\n*1\r\n$3\r\noff\r\n$8\r\nredirect\r\n:-1\r\n$8\r\nprefixes\r\n*0\r\n',
    '%3\r\n$5\r\nflags\r\n~1\r\n$3\r\noff\r\n$8\r\nredirect\r\n:-1\r\n$8\r\nprefixes\r\n*0\r\n',
  ],
];

describe('CLUSTER and CLIENT', () => {
  for (const [command, resp2, resp3] of REPLIES) {
    it(`${command} has the shape of the protocol`, () => {
      assert.equal(replyTo(command, 2), resp2);
      assert.equal(replyTo(command, 3), resp3);
    });
  }

  it('CLUSTER INFO is a verbatim string in RESP3, and says fail without a topology', () => {
    assert.match(replyTo('CLUSTER INFO', 3), /^=\d+\r\ntxt:cluster_state:fail\r\ncluster_slots_assigned:0\r\n/);
  });
});
