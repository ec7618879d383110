/**
 * Holds the floors of the house: a file under src imports its own folder and folders to its left, and nothing left of
 * the bar touches a socket, file, timer, clock, log or process.
 *
 *     base → resp → command → cluster → lua → script → plan │ upstream → session → control → main.ts
 */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { describe, it } from 'node:test';

const SRC = join(import.meta.dirname, '../../src');
const PURE = ['base', 'resp', 'command', 'cluster', 'lua', 'script', 'plan'];
const SHELL = ['upstream', 'session', 'control'];
const FLOORS = [...PURE, ...SHELL, 'main.ts'];
const MAX_LINES = 400;
const TOO_LONG_BY_NATURE = ['command/generated.ts'];

/** What a pure file may take from node: values and checks, nothing that talks to the world. */
const PURE_NODE_MODULES = ['node:assert', 'node:assert/strict', 'node:buffer', 'node:crypto', 'node:util'];
const IMPURE_PACKAGES = ['pino', 'pino-pretty', 'ioredis'];
const IMPURE_GLOBALS =
  /\b(?:Date\.now|new Date|performance|process|console|setTimeout|setInterval|setImmediate|queueMicrotask|fetch|Math\.random)\b/;

const IMPORT = /\b(?:from|import)\s*\(?\s*['"]([^'"]+)['"]/g;

interface SourceFile {
  /** Relative to src, with slashes. */
  readonly path: string;
  readonly floor: string;
  readonly text: string;
  readonly imports: readonly string[];
}

const files = readdirSync(SRC, { recursive: true, encoding: 'utf8' })
  .filter((path) => path.endsWith('.ts'))
  .map(readSource);

function readSource(path: string): SourceFile {
  const text = readFileSync(join(SRC, path), 'utf8');
  const imports = [...withoutComments(text).matchAll(IMPORT)].map((match) => match[1] ?? '');
  return { path, floor: path.split('/')[0] ?? '', text, imports };
}

function withoutComments(text: string): string {
  return text.replaceAll(/\/\*[\s\S]*?\*\//g, '').replaceAll(/(^|\s)\/\/.*$/gm, '');
}

function withoutStrings(text: string): string {
  return text.replaceAll(/'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*"/g, "''");
}

describe('architecture', () => {
  it('every file stands on a floor', () => {
    assert.deepEqual(
      files.filter(({ floor }) => !FLOORS.includes(floor)).map(({ path }) => path),
      [],
    );
  });

  for (const file of files) {
    it(`${file.path} imports only its own floor and floors to its left`, () => {
      const own = FLOORS.indexOf(file.floor);
      const wrong = file.imports.filter((specifier) => {
        if (!specifier.startsWith('.')) return false;
        const target = relative(SRC, resolve(join(SRC, dirname(file.path)), specifier));
        const floor = FLOORS.indexOf(target.split('/')[0] ?? '');
        return floor < 0 || floor > own;
      });
      assert.deepEqual(wrong, []);
    });

    it(`${file.path} has at most ${MAX_LINES} lines`, () => {
      if (TOO_LONG_BY_NATURE.includes(file.path)) return;
      assert.ok(file.text.split('\n').length - 1 <= MAX_LINES, 'split it by idea');
    });
  }

  for (const file of files.filter(({ floor }) => PURE.includes(floor))) {
    it(`${file.path} is pure`, () => {
      const impure = file.imports.filter(
        (name) => IMPURE_PACKAGES.includes(name) || (name.startsWith('node:') && !PURE_NODE_MODULES.includes(name)),
      );
      assert.deepEqual(impure, []);
      const used = IMPURE_GLOBALS.exec(withoutStrings(withoutComments(file.text)))?.[0];
      assert.equal(used, undefined);
    });
  }
});
