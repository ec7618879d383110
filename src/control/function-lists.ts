/**
 * What FUNCTION LIST says: the libraries of a node by name, WITHCODE with their code as the bytes that FUNCTION LOAD
 * takes. Names are text with a character for each byte; names of functions are in lower case, because calls are too.
 */

const NO_CODE = Buffer.alloc(0);

export interface Library {
  readonly name: string;
  readonly functions: ReadonlySet<string>;
  /** Empty when it was not asked for. */
  readonly code: Buffer;
}

export type Libraries = ReadonlyMap<string, Library>;

/** From a decoded reply with bulk strings as bytes; what makes no sense in it is left out. */
export function librariesFrom(reply: unknown): Libraries {
  const libraries = new Map<string, Library>();
  for (const row of Array.isArray(reply) ? reply : []) {
    const fields = fieldsOf(row);
    const code = fields.get('library_code');
    const name = textOf(fields.get('library_name'));
    if (name === undefined) continue;
    const functions = namesOf(fields.get('functions'));
    libraries.set(name, { name, functions, code: Buffer.isBuffer(code) ? code : NO_CODE });
  }
  return libraries;
}

/** The library that has the function. */
export function libraryWith(libraries: Libraries, functionName: string): Library | undefined {
  const name = functionName.toLowerCase();
  for (const library of libraries.values()) if (library.functions.has(name)) return library;
  return undefined;
}

function namesOf(rows: unknown): ReadonlySet<string> {
  const names = (Array.isArray(rows) ? rows : []).map((row) => textOf(fieldsOf(row).get('name')));
  return new Set(names.filter((name) => name !== undefined).map((name) => name.toLowerCase()));
}

/** A flat list of names and values. */
export function fieldsOf(row: unknown): ReadonlyMap<string, unknown> {
  const fields = new Map<string, unknown>();
  if (!Array.isArray(row)) return fields;
  for (let i = 0; i + 1 < row.length; i += 2) fields.set(textOf(row[i]) ?? '', row[i + 1]);
  return fields;
}

export function textOf(value: unknown): string | undefined {
  return Buffer.isBuffer(value) ? value.toString('latin1') : undefined;
}
