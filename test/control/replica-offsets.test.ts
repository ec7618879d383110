import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ReplicaOffsets, replicationIn } from '../../src/control/replica-offsets.ts';

const INFO = [
  '# Replication',
  'role:master',
  'connected_slaves:3',
  'slave0:ip=10.0.0.1,port=7001,state=online,offset=90,lag=0',
  'slave1:ip=10.0.0.2,port=7002,state=wait_bgsave,offset=0,lag=0',
  'slave2:ip=10.0.0.3,port=7003,state=online,offset=100,lag=1,type=replica',
  'master_replid:0000',
  'master_repl_offset:100',
  'second_repl_offset:-1',
].join('\r\n');

describe('replicationIn', () => {
  it('reads the offset of a master and of its replicas that are online', () => {
    assert.deepEqual(replicationIn(INFO), { offset: 100, replicas: [90, 100] });
  });

  it('gives a node that is no master, or tells nothing, an offset that nobody reaches', () => {
    assert.equal(replicationIn(INFO.replace('role:master', 'role:slave')).offset, Number.POSITIVE_INFINITY);
    assert.deepEqual(replicationIn(''), { offset: Number.POSITIVE_INFINITY, replicas: [] });
  });
});

describe('ReplicaOffsets', () => {
  it('has the replicas asked for the next look, and does without where it may not', async () => {
    const calls: string[] = [];
    const clients = {
      call: async (_: object, command: string, ...args: (string | Buffer)[]) => {
        calls.push([command, ...args].join(' '));
        if (command === 'WAIT') throw new Error('NOPERM');
        return INFO;
      },
    };
    const node = { id: 'x', host: 'h', port: 1, address: 'h:1' };
    assert.equal((await new ReplicaOffsets(clients).look(node)).offset, 100);
    assert.deepEqual(calls, ['INFO replication', 'WAIT 1000000 1']);
  });

  it('C6: asks a master once for all who wait, and anew for who comes meanwhile', async () => {
    const calls: string[] = [];
    let offset = 100;
    const clients = {
      call: async (_: object, command: string) => {
        calls.push(command);
        await new Promise((resolve) => setImmediate(resolve));
        return INFO.replace('master_repl_offset:100', `master_repl_offset:${offset++}`);
      },
    };
    const node = { id: 'x', host: 'h', port: 1, address: 'h:1' };
    const offsets = new ReplicaOffsets(clients);
    const looks = await Promise.all(Array.from({ length: 300 }, () => offsets.look(node)));
    assert.equal(calls.filter((command) => command === 'INFO').length, 2);
    assert.ok((looks[1]?.offset ?? 0) > (looks[0]?.offset ?? 0), 'what was under way is not for who came later');
    assert.equal(new Set(looks.slice(1).map((look) => look.offset)).size, 1);
  });
});
