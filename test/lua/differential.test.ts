/** Nothing that a node compiles may be called incomplete or unparsable by us. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { LUA } from '../../src/resp/errors.ts';
import { reportFor } from './support/checking.ts';
import { randomLua } from './support/generate-lua.ts';
import { LuaServer } from './support/lua-server.ts';
import { Random } from './support/random.ts';
import { realScripts } from './support/real-scripts.ts';

const SEED = Number(process.env['SEED'] ?? 1);
const GENERATED = 1500;

describe('check against a server', () => {
  let server: LuaServer;
  before(async () => {
    server = await LuaServer.start();
  });
  after(async () => server.stop());

  async function compiles(text: string): Promise<boolean> {
    return typeof (await server.load(Buffer.from(text, 'latin1'))) === 'string';
  }

  it('parses every real script that the server compiles', async () => {
    for (const { library, name, text } of realScripts()) {
      if (!(await compiles(text))) continue;
      assert.equal(reportFor(text).notAnalysed, undefined, `${library} ${name}`);
    }
  });

  it(`parses every generated script that the server compiles (seed ${SEED})`, async () => {
    const random = new Random(SEED);
    let compiled = 0;
    for (let i = 0; i < GENERATED; i++) {
      const text = randomLua(random);
      if (!(await compiles(text))) continue;
      compiled++;
      assert.equal(reportFor(text).notAnalysed, undefined, text);
    }
    assert.ok(compiled > GENERATED / 10, `${compiled} compiled`);
  });

  it(`calls no mutated script incomplete that the server compiles (seed ${SEED})`, async () => {
    const random = new Random(SEED);
    for (const { text } of realScripts()) {
      const at = random.below(text.length);
      const mutated =
        text.slice(0, at) + random.pick(['', ')', '(', "'", '--', '\n', ']]']) + text.slice(at + random.below(3));
      if (!(await compiles(mutated))) continue;
      assert.ok(!reportFor(mutated).findings.some((finding) => finding.text === LUA.incomplete), mutated);
    }
  });
});
