/**
 * Lua scripts of real libraries, as they are sent to the server, read out of the packages among the dev dependencies;
 * and a call for each, with keys and arguments as the library's documentation has them on a cluster: every key of a
 * call carries one hash tag.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';

export interface RealScript {
  readonly library: string;
  /** Unique within the library. */
  readonly name: string;
  /** One character a byte. */
  readonly text: string;
  readonly keys: readonly string[];
  readonly argv: readonly string[];
}

const requireFrom = createRequire(import.meta.url);
const PACKAGES = join(import.meta.dirname, '../../../../node_modules');

type Texts = Iterable<readonly [name: string, text: string]>;

const SOURCES: readonly (readonly [library: string, texts: () => Texts])[] = [
  ['bee-queue', () => luaFiles('bee-queue/lib/lua')],
  ['bottleneck', bottleneckScripts],
  ['bull', () => scriptModules('bull/lib/scripts')],
  ['bullmq', () => scriptModules('bullmq/dist/cjs/scripts')],
  ['node-resque', () => luaFiles('node-resque/lua')],
  ['rate-limit-redis', () => templateTexts('rate-limit-redis/dist/index.cjs')],
  ['rate-limiter-flexible', () => templateTexts('rate-limiter-flexible/lib/RateLimiterRedis.js')],
  ['redis-semaphore', semaphoreScripts],
  ['redlock', () => templateTexts('redlock/redlock.js')],
  ['upstash-ratelimit', () => templateTexts('@upstash/ratelimit/dist/index.js')],
];

/** All of them, in a fixed order, each text once. */
export function realScripts(): readonly RealScript[] {
  const seen = new Set<string>();
  const scripts: RealScript[] = [];
  for (const [library, texts] of SOURCES) {
    for (const [name, characters] of [...texts()].sort(([a], [b]) => (a < b ? -1 : 1))) {
      const text = Buffer.from(characters, 'utf8').toString('latin1');
      if (seen.has(text)) continue;
      seen.add(text);
      scripts.push({ library, name, text, keys: keysFor(text), argv: argvFor(text) });
    }
  }
  return scripts;
}

/** As many keys as the script mentions by number, at least one. */
function keysFor(text: string): string[] {
  return Array.from({ length: Math.max(1, highest(text, 'KEYS')) }, (_, i) => `{queue}:key${i + 1}`);
}

/** Arguments that the script's comment calls a key or a prefix are such; the others are anything. */
function argvFor(text: string): string[] {
  const keyLike = new Set<number>();
  for (const [, index] of text.matchAll(/ARGV\[(\d+)\][^\n]*(?:key|prefix)/gi)) keyLike.add(Number(index));
  return Array.from({ length: highest(text, 'ARGV') }, (_, i) =>
    keyLike.has(i + 1) ? '{queue}:' : `argument${i + 1}`,
  );
}

function highest(text: string, array: string): number {
  const indexes = [...text.matchAll(new RegExp(`${array}\\[(\\d+)\\]`, 'g'))].map(([, index]) => Number(index));
  return Math.max(0, ...indexes);
}

function luaFiles(folder: string): Texts {
  const path = join(PACKAGES, folder);
  const files = readdirSync(path).filter((file) => file.endsWith('.lua'));
  return files.map((file) => [file, readFileSync(join(path, file), 'utf8')]);
}

/** Modules that export `{name, content}` (BullMQ, Bull). */
function scriptModules(folder: string): Texts {
  const files = readdirSync(join(PACKAGES, folder)).filter((file) => /-\d+\.js$/.test(file));
  return files.flatMap((file) => {
    const exported: Record<string, unknown> = requireFrom(join(PACKAGES, folder, file));
    const found = [exported, ...Object.values(exported)].find(hasContent);
    return found === undefined ? [] : [[file.replace(/\.js$/, ''), found.content] as const];
  });
}

function hasContent(value: unknown): value is { readonly content: string } {
  return typeof value === 'object' && value !== null && 'content' in value && typeof value.content === 'string';
}

/** Bottleneck puts its scripts together from parts. */
function bottleneckScripts(): Texts {
  const scripts: { readonly names: readonly string[]; payload(name: string): string } =
    requireFrom('bottleneck/lib/Scripts.js');
  return scripts.names.map((name) => [name, scripts.payload(name)]);
}

function semaphoreScripts(): Texts {
  const folder = join(PACKAGES, 'redis-semaphore/lib');
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.js'));
  return files.sort().flatMap((file) => {
    const texts = [...templateTexts(join('redis-semaphore/lib', file))];
    return texts.map(([name, text]) => [`${file.replace(/\.js$/, '')} ${name}`, text] as const);
  });
}

/** Template literals that call redis, as JavaScript reads them; the only expressions in them are numbers by name. */
function templateTexts(file: string): Texts {
  const source = readFileSync(join(PACKAGES, file), 'utf8');
  const literals = [...source.matchAll(/`([^`]*redis\.p?call[^`]*)`/g)].map(([, raw]) => raw ?? '');
  const numbers = (raw: string) =>
    raw.replaceAll(/\$\{(\w+)\}/g, (_, name: string) => new RegExp(`${name} = (-?\\d+)`).exec(source)?.[1] ?? '');
  return literals.map((raw, i) => [`#${i + 1}`, unescaped(numbers(raw))]);
}

function unescaped(raw: string): string {
  return raw.replaceAll(/\\([\s\S])/g, (_, character: string) => {
    if (character === '\n') return '';
    return character === 'n' ? '\n' : character;
  });
}
