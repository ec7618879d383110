import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { COMMAND_CLASSES, classOf } from '../../src/command/command-class.ts';
import { SHIPPED_TABLE } from '../../src/command/table.ts';

describe('classOf', () => {
  const kinds: [kind: string, commands: string][] = [
    ['read', 'get mget hgetall keys dbsize exists xread'],
    ['write', 'set del mset incr flushall xadd blpop'],
    ['script', 'eval evalsha_ro script|load script|kill'],
    ['function', 'fcall fcall_ro function|load'],
    ['transaction', 'multi exec discard watch unwatch'],
    ['pubsub', 'publish subscribe ssubscribe'],
    ['admin', 'config|set acl|list'],
    ['local', 'ping hello client|setname slowlog|get'],
    ['other', 'time command wait'],
  ];
  for (const [kind, commands] of kinds) {
    for (const name of commands.split(' ')) {
      it(`is ${kind} for ${name}`, () => {
        const command = SHIPPED_TABLE.findByName(name);
        assert.equal(command && classOf(command.spec, command.handling), kind);
        assert.equal(COMMAND_CLASSES[command?.classIndex ?? -1], kind);
      });
    }
  }
});
