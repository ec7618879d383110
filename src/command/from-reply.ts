/**
 * Reads the reply of `COMMAND` (decoded) into specs. The reply comes from a server that may be older or newer than
 * the shipped table, so everything unknown is skipped and nothing throws: a row that makes no sense is left out.
 */
import type { BeginSearch, CommandSpec, FindKeys, KeySpec, RequestPolicy, ResponsePolicy } from './spec.ts';

const REQUEST_POLICIES: readonly string[] = ['all_nodes', 'all_shards', 'multi_shard', 'special'];
const RESPONSE_POLICIES: readonly string[] = [
  'one_succeeded',
  'all_succeeded',
  'agg_logical_and',
  'agg_logical_or',
  'agg_min',
  'agg_max',
  'agg_sum',
  'special',
];

/** A decoded `COMMAND` reply (RESP2: arrays and strings) as specs, sorted by name. */
export function specsFromReply(reply: unknown): CommandSpec[] {
  return rows(reply)
    .map(specFromRow)
    .filter((spec) => spec !== undefined)
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}

function specFromRow(row: unknown): CommandSpec | undefined {
  const [name, arity, flags, firstKey, lastKey, step, , tips, keySpecs, subcommands] = rows(row);
  if (typeof name !== 'string' || name === '' || typeof arity !== 'number') return undefined;
  const tipTexts = texts(tips);
  return {
    name: name.toLowerCase(),
    arity,
    flags: texts(flags),
    keySpecs: keySpecs === undefined ? legacyKeySpecs(firstKey, lastKey, step) : keySpecsFrom(keySpecs),
    requestPolicy: policy(tipTexts, 'request_policy:', REQUEST_POLICIES) as RequestPolicy,
    responsePolicy: policy(tipTexts, 'response_policy:', RESPONSE_POLICIES) as ResponsePolicy,
    subcommands: specsFromReply(subcommands),
  };
}

function policy(tips: readonly string[], prefix: string, known: readonly string[]): string {
  const value = tips.find((tip) => tip.startsWith(prefix))?.slice(prefix.length);
  return value !== undefined && known.includes(value) ? value : 'none';
}

/** Redis 6.2 gives only first, last and step. */
function legacyKeySpecs(first: unknown, last: unknown, step: unknown): KeySpec[] {
  if (typeof first !== 'number' || typeof last !== 'number' || typeof step !== 'number') return [];
  if (first < 1 || step < 1) return [];
  const lastKey = last < 0 ? last : last - first;
  return [
    { begin: { kind: 'index', index: first }, find: { kind: 'range', lastKey, keyStep: step, limit: 0 }, flags: [] },
  ];
}

function keySpecsFrom(reply: unknown): KeySpec[] {
  const specs: KeySpec[] = [];
  for (const row of rows(reply)) {
    const fields = fieldsOf(row);
    const begin = beginFrom(fieldsOf(fields['begin_search']));
    const find = findFrom(fieldsOf(fields['find_keys']));
    if (begin !== undefined && find !== undefined) {
      specs.push({ begin, find, flags: texts(fields['flags']).map((flag) => flag.toLowerCase()) });
    }
  }
  return specs;
}

function beginFrom(fields: Fields): BeginSearch | undefined {
  const spec = fieldsOf(fields['spec']);
  if (fields['type'] === 'index') {
    const index = spec['index'];
    return typeof index === 'number' && index > 0 ? { kind: 'index', index } : undefined;
  }
  const { keyword, startfrom } = spec as { keyword?: unknown; startfrom?: unknown };
  if (fields['type'] !== 'keyword' || typeof keyword !== 'string' || typeof startfrom !== 'number') return undefined;
  return { kind: 'keyword', keyword: keyword.toLowerCase(), startFrom: startfrom };
}

function findFrom(fields: Fields): FindKeys | undefined {
  const spec = fieldsOf(fields['spec']);
  const keyStep = number(spec['keystep']);
  if (keyStep < 1) return undefined;
  if (fields['type'] === 'range') {
    return { kind: 'range', lastKey: number(spec['lastkey']), keyStep, limit: number(spec['limit']) };
  }
  if (fields['type'] !== 'keynum') return undefined;
  return { kind: 'keynum', keyNumIndex: number(spec['keynumidx']), firstKey: number(spec['firstkey']), keyStep };
}

type Fields = Readonly<Record<string, unknown>>;

/** A flat list of names and values, as RESP2 gives a map, as an object. */
function fieldsOf(reply: unknown): Fields {
  const flat = rows(reply);
  const fields: Record<string, unknown> = Object.create(null);
  for (let i = 0; i + 1 < flat.length; i += 2) fields[String(flat[i])] = flat[i + 1];
  return fields;
}

function rows(reply: unknown): readonly unknown[] {
  return Array.isArray(reply) ? reply : [];
}

function texts(reply: unknown): string[] {
  return rows(reply).filter((value) => typeof value === 'string');
}

function number(value: unknown): number {
  return typeof value === 'number' ? value : 0;
}
