/**
 * The kinds of values that config keys take, used by config-schema.ts only. A kind is a zod schema plus what zod does
 * not keep: what is wanted, in words. Those words stand in error texts and in the reference page alike.
 */
import { isIP } from 'node:net';
import { z } from 'zod';
import { isHostPort } from './host-port.ts';

export interface KeyFacts {
  /** Completes "must be …". */
  readonly wanted: string;
  /** Never shown, not even when it is wrong. */
  readonly isSecret?: boolean;
  /** Keys inside whose values are never shown. */
  readonly secrets?: readonly string[];
  /** Takes text (or holds texts): a value out of the environment then stays text, even when it looks like a number. */
  readonly isText?: boolean;
  /** The keys of a map with keys of its own. */
  readonly keys?: readonly string[];
  /** What the commented default file shows for a key without a default. */
  readonly example?: unknown;
  /** A reload refuses to change it. */
  readonly needsRestart?: boolean;
}

interface Common<T> {
  readonly default: T;
  /** One line: what it is for. */
  readonly why: string;
  /** A reload refuses to change it. */
  readonly needsRestart?: boolean;
}

const FACTS = z.registry<KeyFacts>();

/** The facts of a key's schema; undefined for what is no key, like a section. */
export function factsOf(schema: z.ZodType): KeyFacts | undefined {
  return FACTS.get(schema);
}

export function integer(options: Common<number> & { readonly min: number; readonly max: number }) {
  const { min, max } = options;
  const range = `${min} to ${max}`;
  const error = (issue: { readonly code?: string | undefined }) =>
    issue.code === 'invalid_type' ? `must be a whole number, ${range}` : `must be ${range}`;
  const schema = z
    .int({ error })
    .min(min, { error })
    .max(max, { error })
    .default(options.default)
    .describe(options.why);
  FACTS.add(schema, { wanted: range, ...restartOf(options) });
  return schema;
}

/** A whole number that need not be there. */
export function optionalInteger(options: {
  readonly min: number;
  readonly max: number;
  readonly why: string;
  readonly example: number;
  readonly needsRestart?: boolean;
}) {
  const { min, max } = options;
  const range = `${min} to ${max}`;
  const error = (issue: { readonly code?: string | undefined }) =>
    issue.code === 'invalid_type' ? `must be a whole number, ${range}` : `must be ${range}`;
  const schema = z.int({ error }).min(min, { error }).max(max, { error }).optional().describe(options.why);
  FACTS.add(schema, { wanted: range, example: options.example, ...restartOf(options) });
  return schema;
}

export function flag(options: Common<boolean>) {
  const wanted = 'true or false';
  const schema = z
    .boolean({ error: `must be ${wanted}` })
    .default(options.default)
    .describe(options.why);
  FACTS.add(schema, { wanted, ...restartOf(options) });
  return schema;
}

export function choice<const T extends readonly (string | number)[]>(values: T, options: Common<T[number]>) {
  const wanted = values.join(', ').replace(/, ([^,]*)$/, ' or $1');
  const literal: z.ZodType<T[number]> = z.literal([...values], { error: `must be ${wanted}` });
  const schema = literal.default(() => options.default as never).describe(options.why);
  FACTS.add(schema, { wanted, ...restartOf(options) });
  return schema;
}

export function text(options: Common<string>) {
  const error = 'must be a text';
  const schema = z.string({ error }).min(1, { error }).default(options.default).describe(options.why);
  FACTS.add(schema, { wanted: 'text', isText: true, ...restartOf(options) });
  return schema;
}

/** A text that need not be there. */
export function optionalText(options: Omit<KeyFacts, 'wanted'> & { readonly why: string }) {
  const error = 'must be a text (in quotes when it looks like a number)';
  const schema = z.string({ error }).min(1, { error }).optional().describe(options.why);
  const { why: _, ...facts } = options;
  FACTS.add(schema, { wanted: 'text', isText: true, ...facts });
  return schema;
}

/** A `host:port` that need not be there. */
export function optionalAddress(options: { readonly why: string; readonly example: string }) {
  const schema = address().optional().describe(options.why);
  FACTS.add(schema, { wanted: 'host:port', isText: true, example: options.example });
  return schema;
}

export function addressList(options: { readonly why: string; readonly example: readonly string[] }) {
  const wanted = 'a list of at least one host:port';
  const error = `must be ${wanted}`;
  const schema = z.array(address(), { error }).min(1, { error }).describe(options.why);
  FACTS.add(schema, { wanted, isText: true, example: options.example });
  return schema;
}

export function addressMap(options: { readonly why: string }) {
  const wanted = 'a map of host:port to host:port';
  const schema = z
    .record(address(), address(), { error: `must be ${wanted}` })
    .default({})
    .describe(options.why);
  FACTS.add(schema, { wanted, isText: true });
  return schema;
}

export function shaList(options: { readonly why: string }) {
  const wanted = 'a list of shas (40 hexadecimal digits, in quotes)';
  const sha = z
    .string({ error: 'must be a sha in quotes' })
    .regex(/^[0-9a-fA-F]{40}$/, { error: 'must be 40 hexadecimal digits' });
  const schema = z
    .array(sha.toLowerCase(), { error: `must be ${wanted}` })
    .default([])
    .describe(options.why);
  FACTS.add(schema, { wanted, isText: true });
  return schema;
}

export function pathList(options: { readonly why: string }) {
  const wanted = 'a list of paths';
  const schema = z
    .array(path(), { error: `must be ${wanted}` })
    .default([])
    .describe(options.why);
  FACTS.add(schema, { wanted, isText: true });
  return schema;
}

/** Where scripts outlive the process: a map, because each type has keys of its own. */
export function scriptStore(options: { readonly why: string; readonly needsRestart?: boolean }) {
  const wanted = '{type: memory}, {type: directory, path: …} or {type: cluster, prefix: …}';
  const textError = 'must be a text';
  const fields = z.strictObject(
    {
      type: z
        .literal(['memory', 'directory', 'cluster'], { error: 'must be memory, directory or cluster' })
        .default('memory'),
      path: z.string({ error: textError }).min(1, { error: textError }).optional(),
      prefix: z
        .string({ error: textError })
        .min(1, { error: textError })
        // With a hash tag all scripts would lie on one shard.
        .regex(/^[^{}\s]*$/, { error: 'must have no braces and no blanks' })
        .default('evalgate:'),
    },
    { error: `must be ${wanted}` },
  );
  const schema = fields
    .refine(({ type, path }) => type !== 'directory' || path !== undefined, {
      path: ['path'],
      error: 'must be a text when type is directory',
    })
    .prefault({})
    .describe(options.why);
  FACTS.add(schema, { wanted, isText: true, keys: Object.keys(fields.shape), ...restartOf(options) });
  return schema;
}

/** Users of the proxy, each with a password: here, or in a file of its own. */
export function accountList(options: { readonly why: string }) {
  const wanted = 'a list of {username, password or password_file, privilege: read_write or read_only}';
  const textError = 'must be a text (in quotes when it looks like a number)';
  const fields = z
    .strictObject(
      {
        username: z.string({ error: textError }).min(1, { error: textError }),
        password: z.string({ error: textError }).min(1, { error: textError }).optional(),
        password_file: z.string({ error: 'must be a path' }).min(1, { error: 'must be a path' }).optional(),
        privilege: z
          .literal(['read_write', 'read_only'], { error: 'must be read_write or read_only' })
          .default('read_write'),
      },
      { error: 'must be a map with username, password or password_file, privilege' },
    )
    .refine(({ password, password_file }) => (password === undefined) !== (password_file === undefined), {
      path: ['password'],
      error: 'must be set, or password_file, and not both',
    });
  const schema = z
    .array(fields, { error: `must be ${wanted}` })
    .superRefine((accounts, context) => {
      accounts.forEach(({ username }, index) => {
        if (accounts.findIndex((other) => other.username === username) === index) return;
        context.addIssue({ code: 'custom', path: [index, 'username'], message: 'must be another name: it is taken' });
      });
    })
    .default([])
    .describe(options.why);
  const keys = ['username', 'password', 'password_file', 'privilege'];
  FACTS.add(schema, { wanted, isText: true, keys, secrets: ['password'] });
  return schema;
}

/** TLS towards clients: a map that need not be there. */
export function listenTls(options: { readonly why: string; readonly example: unknown }) {
  const wanted = '{cert_file: …, key_file: …}, with ca_file: … and require_client_cert: true if wished';
  const fields = z.strictObject(
    {
      cert_file: path(),
      key_file: path(),
      ca_file: path().optional(),
      require_client_cert: z.boolean({ error: 'must be true or false' }).default(false),
    },
    { error: `must be ${wanted}` },
  );
  const schema = fields
    .refine(({ require_client_cert: isRequired, ca_file: ca }) => !isRequired || ca !== undefined, {
      path: ['ca_file'],
      error: 'must be a path when require_client_cert is true',
    })
    .optional()
    .describe(options.why);
  FACTS.add(schema, { wanted, keys: Object.keys(fields.shape), example: options.example });
  return schema;
}

/** TLS towards nodes. */
export function clusterTls(options: { readonly why: string }) {
  const wanted = '{enabled: true}, with ca_file, cert_file and key_file, server_name if wished';
  const fields = z.strictObject(
    {
      enabled: z.boolean({ error: 'must be true or false' }).default(false),
      ca_file: path().optional(),
      cert_file: path().optional(),
      key_file: path().optional(),
      server_name: z
        .string({ error: 'must be a host name' })
        .refine((name) => name !== '' && isIP(name) === 0, { error: 'must be a host name' })
        .optional(),
    },
    { error: `must be ${wanted}` },
  );
  const schema = fields
    .refine(({ cert_file: cert, key_file: key }) => cert === undefined || key !== undefined, {
      path: ['key_file'],
      error: 'must be a path when cert_file is set',
    })
    .refine(({ cert_file: cert, key_file: key }) => key === undefined || cert !== undefined, {
      path: ['cert_file'],
      error: 'must be a path when key_file is set',
    })
    .prefault({})
    .describe(options.why);
  FACTS.add(schema, { wanted, keys: Object.keys(fields.shape) });
  return schema;
}

function path() {
  const error = 'must be a path';
  return z.string({ error }).min(1, { error });
}

function restartOf({ needsRestart = false }: { readonly needsRestart?: boolean }): Pick<KeyFacts, 'needsRestart'> {
  return needsRestart ? { needsRestart } : {};
}

function address() {
  const error = 'must be host:port, [host]:port for IPv6';
  return z.string({ error }).refine(isHostPort, { error });
}
