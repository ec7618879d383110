/**
 * Writes what users read about the config file from the one schema in src/control/config-schema.ts: the JSON Schema for
 * editors, the commented default file and the reference page. `npm run gen:schema`; `--check` compares instead of
 * writing and exits 1 when one of them is stale.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { z } from 'zod';
import { factsOf } from '../src/control/config-keys.ts';
import { configSchema, SECTIONS, TOP_LEVEL } from '../src/control/config-schema.ts';

const ROOT = join(import.meta.dirname, '../..');

interface Key {
  readonly name: string;
  readonly why: string;
  readonly wanted: string;
  /** Undefined: the key has no default. */
  readonly value: unknown;
  readonly example: unknown;
  readonly isRequired: boolean;
  readonly needsRestart: boolean;
}

const SECTION_WHY: Readonly<Record<keyof typeof SECTIONS, string>> = {
  listen: 'Where clients connect',
  cluster: 'The Redis or Valkey Cluster behind evalgate',
  scripting: 'Lua scripts',
  limits: 'Every buffer, queue and wait has a limit; at it there is backpressure or a clear error, never growth',
  admin: 'Health, metrics and an API over HTTP',
  log: 'Log lines go to stdout; secrets and key values are never written',
};

function keysOf(section: keyof typeof SECTIONS): Key[] {
  return Object.entries<z.ZodType>(SECTIONS[section].shape).map(([name, schema]) => keyFrom(name, schema));
}

function topLevelKeys(): Key[] {
  return Object.entries<z.ZodType>(TOP_LEVEL).map(([name, schema]) => keyFrom(name, schema));
}

function keyFrom(name: string, schema: z.ZodType): Key {
  const facts = factsOf(schema);
  if (facts === undefined) throw new Error(`${name} is not made by config-keys.ts`);
  const absent = schema.safeParse(undefined);
  return {
    name,
    why: schema.description ?? '',
    wanted: facts.wanted,
    value: absent.data,
    example: facts.example,
    isRequired: !absent.success,
    needsRestart: facts.needsRestart === true,
  };
}

function jsonSchema(): string {
  const schema = z.toJSONSchema(configSchema, {
    io: 'input',
    override: ({ zodSchema, jsonSchema }) => {
      if (zodSchema instanceof z.ZodDefault && factsOf(zodSchema)?.isText !== true) acceptReference(jsonSchema);
    },
  });
  // The prefault of `cluster` only makes the error text better; the section has to be there.
  const cluster = schema.properties?.['cluster'];
  if (typeof cluster === 'object') delete cluster.default;
  return `${JSON.stringify({ ...schema, required: ['cluster'], title: 'evalgate config' }, null, 2)}\n`;
}

/** Numbers and switches may come out of the environment too. */
function acceptReference(schema: z.core.JSONSchema.BaseSchema): void {
  const { default: value, description, ...kind } = schema;
  if (kind.type === 'object' || kind.type === 'array') return;
  for (const key of Object.keys(schema)) delete schema[key];
  const reference = { type: 'string', pattern: '^\\$\\{[A-Za-z_][A-Za-z0-9_]*\\}$' } as const;
  Object.assign(schema, { default: value, description, anyOf: [kind, reference] });
}

function defaultFile(): string {
  const lines = [
    '# evalgate config: every key with its default. Written by `npm run gen:schema`: do not edit this one, copy it.',
    `# Only cluster.nodes has to be set. A value "\${NAME}" (in quotes) takes an environment variable, "$\${" is a plain "\${".`,
    '# yaml-language-server: $schema=./evalgate.schema.json',
  ];
  for (const section of sectionNames()) {
    lines.push('', `# ${SECTION_WHY[section]}.`, `${section}:`);
    for (const key of keysOf(section)) {
      lines.push(`  # ${key.why}. Takes: ${key.wanted}.`, ...yamlLines(key, '  '));
    }
  }
  for (const key of topLevelKeys()) lines.push('', `# ${key.why}. Takes: ${key.wanted}.`, ...yamlLines(key, ''));
  return `${lines.join('\n')}\n`;
}

function yamlLines({ name, value, example, isRequired }: Key, indent: string): string[] {
  const entry = stringify({ [name]: value ?? example }, { defaultStringType: 'PLAIN', singleQuote: false }).trimEnd();
  const isComment = value === undefined && !isRequired;
  return entry.split('\n').map((line) => (isComment ? `${indent}# ${line}` : `${indent}${line}`));
}

function row(name: string, key: Key): string {
  const reload = key.needsRestart ? 'restart' : 'yes';
  return `| \`${name}\` | ${defaultCell(key)} | ${key.wanted} | ${key.why} | ${reload} |`;
}

function referencePage(): string {
  const lines = [
    '# Configuration',
    '',
    'Written by `npm run gen:schema` from `src/control/config-schema.ts`: do not edit.',
    '',
    'The config file is YAML (JSON is YAML too); `evalgate serve --config FILE --check-config` only checks it. Unknown keys,',
    'wrong types and values out of range are refused, all problems at once. Start from',
    '[config/evalgate.yaml](../config/evalgate.yaml), which holds every key with its default; only `cluster.nodes` has to be',
    'set. Editors complete and check the file by [config/evalgate.schema.json](../config/evalgate.schema.json).',
    '',
    `A value "\${NAME}" takes an environment variable, so that secrets need not stand in the file; a variable that is not`,
    `set is an error. Keep the quotes inside {…} and […]. "$\${" is a plain "\${". Units are in the names: _ms, _bytes.`,
    '',
    'A changed file takes effect by itself within seconds, or at once by SIGHUP ([deployment.md](deployment.md#reload));',
    'keys with "restart" in the last column are refused then, and with them the whole file.',
  ];
  for (const section of sectionNames()) {
    lines.push('', `## ${section}`, '', `${SECTION_WHY[section]}.`, '');
    lines.push('| Key | Default | Takes | Meaning | Reload |', '|---|---|---|---|---|');
    for (const key of keysOf(section)) lines.push(row(`${section}.${key.name}`, key));
  }
  lines.push('', '## Outside of sections', '', '| Key | Default | Takes | Meaning | Reload |', '|---|---|---|---|---|');
  for (const key of topLevelKeys()) lines.push(row(key.name, key));
  return `${lines.join('\n')}\n`;
}

function defaultCell({ value, isRequired }: Key): string {
  if (value === undefined) return isRequired ? 'required' : 'none';
  return `\`${typeof value === 'string' ? value : JSON.stringify(value)}\``;
}

function sectionNames(): (keyof typeof SECTIONS)[] {
  return Object.keys(SECTIONS) as (keyof typeof SECTIONS)[];
}

const outputs: Readonly<Record<string, () => string>> = {
  'config/evalgate.schema.json': jsonSchema,
  'config/evalgate.yaml': defaultFile,
  'docs/configuration.md': referencePage,
};

for (const [file, render] of Object.entries(outputs)) {
  const target = join(ROOT, file);
  const text = render();
  if (!process.argv.includes('--check')) writeFileSync(target, text);
  else if (!existsSync(target) || readFileSync(target, 'utf8') !== text) {
    console.error(`${file} is stale: run npm run gen:schema`);
    process.exitCode = 1;
  }
}
