/**
 * What the documentation promises to be true of itself: links lead somewhere, and no error of our own is left
 * unexplained.
 */
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, it } from 'node:test';
import { EVALGATE } from '../src/resp/errors.ts';

const ROOT = join(import.meta.dirname, '../..');
const LINK = /\]\(([^)\s]+)\)/g;

const pages = ['.', 'docs'].flatMap((folder) =>
  readdirSync(join(ROOT, folder))
    .filter((name) => name.endsWith('.md'))
    .map((name) => join(folder, name)),
);

function textOf(path: string): string {
  return readFileSync(join(ROOT, path), 'utf8');
}

function withoutCode(text: string): string {
  return text.replaceAll(/^```[\s\S]*?^```/gm, '').replaceAll(/`[^`\n]*`/g, '``');
}

/** The anchors that GitHub makes of the headings. */
function anchorsOf(path: string): Set<string> {
  const headings = textOf(path).matchAll(/^#+ (.+)$/gm);
  return new Set(
    [...headings].map(([, heading = '']) =>
      heading
        .toLowerCase()
        .replaceAll(/[^\p{L}\p{N} _-]/gu, '')
        .replaceAll(' ', '-'),
    ),
  );
}

function isDead(page: string, link: string): boolean {
  if (/^[a-z]+:/.test(link)) return false;
  const [file = '', anchor] = link.split('#', 2);
  const target = file === '' ? page : join(dirname(page), file);
  if (!existsSync(join(ROOT, target))) return true;
  return anchor !== undefined && target.endsWith('.md') && !anchorsOf(target).has(anchor);
}

describe('documentation', () => {
  for (const page of pages) {
    it(`${page}: every relative link resolves`, () => {
      const links = [...withoutCode(textOf(page)).matchAll(LINK)].map(([, link = '']) => link);
      assert.deepEqual(
        links.filter((link) => isDead(page, link)),
        [],
      );
    });
  }

  const explained = textOf('docs/troubleshooting.md');
  for (const [name, text] of Object.entries(EVALGATE)) {
    it(`docs/troubleshooting.md explains EVALGATE.${name}`, () => {
      // The argument stands for what is different each time; what is left must stand in the page.
      const filled = typeof text === 'string' ? text : (text as (...args: string[]) => string)('\0', '\0');
      const missing = filled.split('\0').filter((fixed) => !explained.includes(fixed));
      assert.deepEqual(missing, []);
    });
  }
});
