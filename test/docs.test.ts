/**
 * What the documentation promises to be true of itself: links lead somewhere, command lines name commands and options
 * that exist, and no error of our own is left unexplained.
 */
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, it } from 'node:test';
import { runCli } from '../src/control/cli.ts';
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

/** The command lines of a page: in fenced blocks, and in `code` of one line. */
function commandLinesOf(page: string): string[] {
  const text = textOf(page);
  const fenced = [...text.matchAll(/^```.*\n([\s\S]*?)^```/gm)].flatMap(([, block = '']) => block.split('\n'));
  const inline = [...text.replaceAll(/^```[\s\S]*?^```/gm, '').matchAll(/`([^`\n]+)`/g)].map(([, code = '']) => code);
  return [...fenced, ...inline].flatMap((line) => line.replace(/^(\s*- run: |\$ |#\s+)/, '').split(' && '));
}

const optionsIn = (text: string): string[] =>
  [...text.matchAll(/(?<=^|[\s[])--[a-z][a-z-]*/g)].map(([option]) => option);

/** What is wrong with a line that calls evalgate: its own help is what it is held against. */
async function problemsOfProgram(words: string): Promise<string[]> {
  let help = '';
  const io = {
    out: (text: string) => {
      help += text;
    },
    err: () => {},
    environment: {},
    untilStopSignal: () => Promise.resolve(),
  };
  const [command = ''] = words.split(' ');
  const argv = command.startsWith('--') ? ['--help'] : [command, '--help'];
  if ((await runCli(argv, io)) !== 0) return [`no such command: evalgate ${words}`];
  return optionsIn(words)
    .filter((option) => option !== '--help' && !help.includes(option))
    .map((option) => `no such option: evalgate ${words}: ${option}`);
}

const { scripts } = JSON.parse(textOf('package.json')) as { scripts: Record<string, string> };

/** The same for `npm run`: the script exists, and its program knows the options behind `--`. */
function problemsOfScript(name: string, rest: string): string[] {
  const script = scripts[name];
  if (script === undefined) return [`no such script: npm run ${name}`];
  const program = /dist\/(\S+)\.js/.exec(script)?.[1];
  const source = program === undefined ? '' : textOf(`${program}.ts`);
  return optionsIn(rest)
    .filter((option) => !new RegExp(`\\b${option.slice(2)}: \\{`).test(source))
    .map((option) => `no such option: npm run ${name}: ${option}`);
}

/** What evalgate prints, beginning with its name as a command line does. */
const PRINTED = /^evalgate (listens on .*|stops)$/;

async function problemsOfCommandLine(line: string): Promise<string[]> {
  if (PRINTED.test(line)) return [];
  const program = /^(?:evalgate|npx evalgate|node \S*dist\/src\/main\.js) ((?:--)?[a-z]+\b.*)$/.exec(line)?.[1];
  if (program !== undefined) return await problemsOfProgram(program);
  const [, name, rest = ''] = /^npm (?:run )?(start|test|(?<=run )[\w:]+)(?: -- (.*))?/.exec(line) ?? [];
  if (name !== undefined) return problemsOfScript(name, rest.split(' #', 1)[0] ?? '');
  const file = /^node (scripts\/\S+)/.exec(line)?.[1];
  return file === undefined || existsSync(join(ROOT, file)) ? [] : [`no such file: ${file}`];
}

describe('documentation', () => {
  for (const page of pages) {
    it(`${page}: every command line names what exists`, async () => {
      const problems = await Promise.all(commandLinesOf(page).map(problemsOfCommandLine));
      assert.deepEqual(problems.flat(), []);
    });
  }

  it('a command line that names what does not exist is found', async () => {
    const wrong = [
      'evalgate fly',
      'evalgate serve --wings',
      'npm run fly',
      'npm run bench -- --wings',
      'node scripts/fly.mjs',
    ];
    for (const line of wrong) assert.equal((await problemsOfCommandLine(line)).length, 1, line);
    const right = [
      'evalgate serve --config x --check-config',
      'npm start',
      'npm run bench -- --quick # fast',
      'redis-cli --wings',
    ];
    for (const line of right) assert.deepEqual(await problemsOfCommandLine(line), [], line);
  });

  for (const page of pages) {
    it(`${page}: every relative link resolves`, () => {
      const links = [...withoutCode(textOf(page)).matchAll(LINK)].map(([, link = '']) => link);
      assert.deepEqual(
        links.filter((link) => isDead(page, link)),
        [],
      );
    });
  }

  it('README.md leads to every page', () => {
    const readme = textOf('README.md');
    assert.deepEqual(
      pages.filter((page) => page !== 'README.md' && !readme.includes(`](${page})`)),
      [],
    );
  });

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
