import assert from 'node:assert/strict';
import { it } from 'node:test';
import { CommandTable } from '../../../src/command/table.ts';
import { check } from '../../../src/lua/check.ts';
import { SAFE, TAIR } from '../support/checking.ts';
import { PREFIX, testRule } from '../support/rule-tester.ts';

const unknown = (name: string) => `redis.call/pcall unkown redis command ${name}`;
const NOT_OFFERED =
  'ACL BGREWRITEAOF BGSAVE DEBUG FAILOVER LASTSAVE LATENCY MIGRATE MODULE PSYNC REPLICAOF RESET SAVE SHUTDOWN SLAVEOF STRALGO SYNC';

for (const policy of [TAIR, SAFE]) {
  testRule(`rule unknown-command (R6) in profile ${policy.profile}`, {
    policy,
    valid: [
      "redis.call('gEt', KEYS[1])",
      // Flagged noscript: known, the node refuses them.
      "redis.call('EVAL', 'return 1', 0)",
      "redis.call('SUBSCRIBE', 'x')",
      "redis.call('CLUSTER', 'SLOTS')",
      "redis.call('CLUSTER', ARGV[1])",
      "redis.call('CONFIG', 'GET', 'x')",
    ],
    invalid: [
      ["redis.call('xxx')", unknown('xxx')],
      ["redis.call('Gett', KEYS[1])", unknown('Gett')],
      ["redis.call(' GET', KEYS[1])", unknown(' GET')],
      ["redis.call('', KEYS[1])", unknown('')],
      ["redis.call('config|get', 'x')", unknown('config|get')],
      ["redis.call('config get', 'x')", unknown('config get')],
      ["redis.call('constructor')", unknown('constructor')],
      ["redis.call('cluster', 'forget', 'x')", unknown('cluster')],
      ["redis.pcall('\\103ONFIGG')", unknown('gONFIGG')],
      [`redis.call('${'x'.repeat(200)}')`, unknown('x'.repeat(128))],
      ...NOT_OFFERED.split(' ').map((name) => [`redis.call('${name}')`, unknown(name)] as const),
    ],
  });
}

it('rule unknown-command goes by the table it is given', () => {
  const spec = {
    arity: -1,
    flags: [],
    keySpecs: [],
    requestPolicy: 'none',
    responsePolicy: 'none',
    subcommands: [],
  } as const;
  const table = new CommandTable([{ ...spec, name: 'json.get' }]);
  const refusalOf = (script: string) => check(Buffer.from(script), TAIR, table).refusal;
  assert.equal(refusalOf("redis.call('JSON.GET', KEYS[1])"), undefined);
  assert.equal(refusalOf("redis.call('GET', KEYS[1])"), PREFIX + unknown('GET'));
});
