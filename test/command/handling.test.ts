/**
 * What is done with every command, pinned: a change of the table, of the overrides or of the rows is seen here.
 * `EVALGATE_UPDATE=1 node --test dist/test/command/handling.test.js` writes handling.snapshot.json anew.
 */
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { handlingOf } from '../../src/command/handling.ts';
import type { CommandSpec } from '../../src/command/spec.ts';
import { type Command, SHIPPED_TABLE } from '../../src/command/table.ts';

const SNAPSHOT = join(import.meta.dirname, '../../../test/command/handling.snapshot.json');

function entry({ handling, spec }: Command): string {
  const { requestPolicy, responsePolicy } = spec;
  const isMerged = handling === 'broadcast' || handling === 'split';
  return isMerged ? `${handling} ${requestPolicy} ${responsePolicy}` : handling;
}

describe('handlingOf', () => {
  it('is for every command what handling.snapshot.json says', () => {
    const commands = SHIPPED_TABLE.commands.flatMap((command) => [command, ...(command.subcommands?.commands ?? [])]);
    const actual = Object.fromEntries(commands.map((command) => [command.name, entry(command)]));
    if (process.env['EVALGATE_UPDATE']) writeFileSync(SNAPSHOT, `${JSON.stringify(actual, null, 2)}\n`);
    assert.deepEqual(actual, JSON.parse(readFileSync(SNAPSHOT, 'utf8')));
  });

  const SPEC: CommandSpec = {
    name: 'x.y',
    arity: -1,
    flags: [],
    keySpecs: [],
    requestPolicy: 'none',
    responsePolicy: 'none',
    subcommands: [],
  };
  const keySpecs = SHIPPED_TABLE.findByName('get')?.spec.keySpecs ?? [];
  const others: [name: string, spec: Partial<CommandSpec>, handling: string][] = [
    ['nothing', {}, 'any'],
    ['keys', { keySpecs }, 'keys'],
    ['keys and multi_shard', { keySpecs, requestPolicy: 'multi_shard' }, 'split'],
    ['multi_shard without keys', { requestPolicy: 'multi_shard' }, 'any'],
    ['all_nodes', { requestPolicy: 'all_nodes' }, 'broadcast'],
    ['all_shards', { requestPolicy: 'all_shards' }, 'broadcast'],
    ['special', { requestPolicy: 'special' }, 'any'],
    ['the flag blocking', { keySpecs, flags: ['write', 'blocking'] }, 'block'],
  ];
  for (const [name, spec, handling] of others) {
    it(`is ${handling} for a command that nobody listed with ${name}`, () => {
      assert.equal(handlingOf({ ...SPEC, ...spec }), handling);
    });
  }

  it('is that of the container for a subcommand without a row', () => {
    assert.equal(handlingOf({ ...SPEC, name: 'cluster|newthing' }), 'unsupported');
    assert.equal(handlingOf({ ...SPEC, name: 'config|newthing' }), 'any');
  });
});
