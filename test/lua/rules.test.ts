/** What must be there for every rule: its file, its test, its paragraph of docs/rules.md, its texts in the one table. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { RULES } from '../../src/lua/profiles.ts';
import { keySlot } from '../../src/lua/rules/key-slot.ts';
import { LUA } from '../../src/resp/errors.ts';

const ROOT = join(import.meta.dirname, '../../..');
const ALL = [...RULES, keySlot];
const ids = ALL.map((rule) => rule.id);

function namesIn(folder: string, extension: string): string[] {
  const files = readdirSync(join(ROOT, folder)).filter((name) => name.endsWith(extension));
  return files.map((name) => name.slice(0, -extension.length)).sort();
}

describe('Lua rules', () => {
  it('have unique ids', () => assert.equal(new Set(ids).size, ids.length));

  it('have one source file each, of the same name', () => {
    assert.deepEqual(namesIn('src/lua/rules', '.ts'), ids.toSorted());
  });

  it('have one test file each, of the same name', () => {
    assert.deepEqual(namesIn('test/lua/rules', '.test.ts'), ids.toSorted());
  });

  it('have one heading each in docs/rules.md', () => {
    const headings = readFileSync(join(ROOT, 'docs/rules.md'), 'utf8').matchAll(/^### `([\w-]+)`/gm);
    assert.deepEqual([...headings].map(([, id]) => id).sort(), ids.toSorted());
  });

  it('take every text from the table of wire errors, and leave none of its texts unused', () => {
    assert.deepEqual(new Set(ALL.flatMap((rule) => rule.texts)), new Set(Object.values(LUA)));
  });

  it('have their texts in docs/rules.md', () => {
    const docs = readFileSync(join(ROOT, 'docs/rules.md'), 'utf8');
    for (const text of ALL.flatMap((rule) => rule.texts)) {
      if (typeof text === 'string')
        assert.ok(docs.includes(text.replace('ERR bad lua script for redis cluster, ', '')), text);
    }
  });
});
