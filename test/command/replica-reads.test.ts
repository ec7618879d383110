import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { SHIPPED_TABLE } from '../../src/command/table.ts';

function isReplicaRead(name: string): boolean {
  const command = SHIPPED_TABLE.findByName(name);
  assert.ok(command, name);
  return command.isReplicaRead;
}

describe('isReplicaRead', () => {
  const READS =
    'get mget exists hgetall strlen ttl zrange xrange xread sort_ro bitfield_ro dump object|encoding memory|usage';
  for (const name of `${READS} eval_ro evalsha_ro fcall_ro`.split(' ')) {
    it(`is true of ${name}`, () => assert.ok(isReplicaRead(name)));
  }

  const NOT = {
    'what writes': 'set getdel sort bitfield eval evalsha fcall xreadgroup',
    'what goes to many nodes, or to whichever': 'keys scan dbsize randomkey lolwut',
    'cursors, which only their own node understands': 'hscan sscan zscan',
    'what is about the use of a key': 'touch object|freq object|idletime',
    'what may store something with the key': 'pfcount',
    'what is about the connection': 'watch multi exec ping',
  };
  for (const [what, names] of Object.entries(NOT)) {
    it(`is not true of ${what}`, () => assert.deepEqual(names.split(' ').filter(isReplicaRead), []));
  }
});
