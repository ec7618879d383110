/**
 * The checks on the scripts of real libraries. `tair` verdicts are a snapshot: run with UPDATE=1 to write it anew, and
 * read the difference.
 */
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { LEGACY, RESOLVE, reportFor, TAIR, verdictOf } from './support/checking.ts';
import { realScripts } from './support/real-scripts.ts';
import { PREFIX } from './support/rule-tester.ts';

const SNAPSHOT = join(import.meta.dirname, '../../../test/lua/real-scripts.snapshot.json');
const scripts = realScripts();

/** Refusals of `safe` that are right, each with the reason why the script breaks on a cluster. */
const REFUSED: Readonly<Record<string, string>> = {};

/** How many scripts of a library are proven for a call as its documentation has it on a cluster, at least. */
const PROVEN_FLOORS: Readonly<Record<string, number>> = {
  'bee-queue': 5,
  bottleneck: 14,
  bull: 20,
  bullmq: 46,
  'node-resque': 1,
  'rate-limit-redis': 2,
  'rate-limiter-flexible': 1,
  'redis-semaphore': 7,
  redlock: 3,
  'upstash-ratelimit': 13,
};

describe('real scripts', () => {
  it('come from every library', () => {
    assert.deepEqual([...new Set(scripts.map((script) => script.library))].sort(), Object.keys(PROVEN_FLOORS).sort());
    assert.ok(scripts.length >= 136, `${scripts.length} scripts`);
  });

  it('all parse', () => {
    const failed = scripts.filter((script) => reportFor(script.text).notAnalysed !== undefined);
    assert.deepEqual(
      failed.map(({ library, name }) => `${library} ${name}`),
      [],
    );
  });

  it('have the tair verdicts of the snapshot', () => {
    const verdicts = Object.fromEntries(
      scripts.map(({ library, name, text }) => {
        const shown = [TAIR, LEGACY, RESOLVE].map(
          (policy) => reportFor(text, policy).refusal?.replace(PREFIX, '') ?? 'passes',
        );
        const isReadOnly = reportFor(text).isReadOnly;
        return [
          `${library} ${name}`,
          { tair: shown[0], tair_legacy: shown[1], 'tair, alias resolve': shown[2], isReadOnly },
        ];
      }),
    );
    if (process.env['UPDATE'] === '1') writeFileSync(SNAPSHOT, `${JSON.stringify(verdicts, null, 2)}\n`);
    assert.deepEqual(verdicts, JSON.parse(readFileSync(SNAPSHOT, 'utf8')));
  });

  it('are refused by profile safe only where they break on a cluster, and proven as often as before', () => {
    const counts = new Map<string, { proven: number; unproven: number; refused: number }>();
    for (const { library, name, text, keys, argv } of scripts) {
      const count = counts.get(library) ?? { proven: 0, unproven: 0, refused: 0 };
      counts.set(library, count);
      const verdict = verdictOf(text, keys, argv);
      if (verdict === 'proven' || verdict === 'unproven') count[verdict]++;
      else {
        count.refused++;
        assert.ok(REFUSED[`${library} ${name}`] !== undefined, `${library} ${name}: ${verdict}`);
      }
    }
    console.table(Object.fromEntries(counts));
    for (const [library, floor] of Object.entries(PROVEN_FLOORS)) {
      assert.ok((counts.get(library)?.proven ?? 0) >= floor, `${library}: ${counts.get(library)?.proven} proven`);
    }
  });

  it('are refused by profile safe for keys without a tag, where they build keys from them', () => {
    const [script] = scripts.filter(({ library, name }) => library === 'bull' && name.startsWith('obliterate'));
    const keys = script?.keys.map((key) => key.replaceAll(/[{}]/g, ''));
    assert.match(verdictOf(script?.text ?? '', keys ?? [], []), /builds a key from KEYS\[\d\]/);
  });
});
