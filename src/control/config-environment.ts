/**
 * `${NAME}` in a config value takes an environment variable, so that secrets need not stand in the file; `$${` is a
 * plain `${`. Called by config.ts on the parsed file, before validation.
 */
import { factsAt, type KeyPath } from './config-schema.ts';

export type Environment = Readonly<Record<string, string | undefined>>;

export interface Unset {
  readonly path: KeyPath;
  readonly name: string;
}

const REFERENCE = /\$(\$\{|\{([A-Za-z_][A-Za-z0-9_]*)\})/g;
const WHOLE = /^\$\{[A-Za-z_][A-Za-z0-9_]*\}$/;

/** The tree with every reference replaced, and the references to variables that are not set. */
export function fromEnvironment(tree: unknown, environment: Environment): { value: unknown; unset: Unset[] } {
  const unset: Unset[] = [];
  const visit = (value: unknown, path: KeyPath): unknown => {
    if (typeof value === 'string') return replaced(value, path);
    if (Array.isArray(value)) return value.map((item, index) => visit(item, [...path, index]));
    if (typeof value !== 'object' || value === null) return value;
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, visit(item, [...path, key])]));
  };
  const replaced = (text: string, path: KeyPath): unknown => {
    const result = text.replace(REFERENCE, (_, escaped: string, name: string | undefined) => {
      if (name === undefined) return escaped;
      const value = environment[name];
      if (value === undefined) unset.push({ path, name });
      return value ?? '';
    });
    return WHOLE.test(text) && factsAt(path)?.isText !== true ? scalarFrom(result) : result;
  };
  return { value: visit(tree, []), unset };
}

/** Variables are always text; a key that takes a number or a switch takes what the text says. */
function scalarFrom(text: string): unknown {
  if (/^-?\d{1,15}$/.test(text)) return Number(text);
  return text === 'true' || text === 'false' ? text === 'true' : text;
}
