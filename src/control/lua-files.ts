/**
 * Finds Lua files by what the config says: a file, a folder (all *.lua in and below it), or a glob. Called by preload.ts.
 *
 *     *  anything but a slash    ?  one such character    **  folders, any number of them
 */
import { readdirSync, statSync } from 'node:fs';
import { join, sep } from 'node:path';
import { OperatorError } from '../base/operator-error.ts';

const MAGIC = /[*?]/;

/** The files, sorted. Throws an OperatorError when there is none, or a path cannot be read. */
export function luaFilesAt(pattern: string): string[] {
  if (isThere(pattern) || !MAGIC.test(pattern)) return filesAt(pattern);
  const parts = pattern.split(/[/\\]/);
  const fixed = parts
    .slice(
      0,
      parts.findIndex((part) => MAGIC.test(part)),
    )
    .join('/');
  const root = fixed === '' && !pattern.startsWith('/') ? '.' : `${fixed}/`;
  const matching = regExpOf(parts.slice(fixed === '' ? Number(pattern.startsWith('/')) : fixed.split('/').length));
  const files = isThere(root) ? namesBelow(root).filter((name) => matching.test(name.replaceAll(sep, '/'))) : [];
  if (files.length === 0) throw unreadable(pattern, 'no file matches');
  return files.map((name) => join(root, name)).sort();
}

function filesAt(path: string): string[] {
  if (!readable(path, (at) => statSync(at)).isDirectory()) return [path];
  const files = namesBelow(path).filter((name) => name.endsWith('.lua'));
  if (files.length === 0) throw unreadable(path, 'there is no *.lua in it');
  return files.map((name) => join(path, name)).sort();
}

/** Every file in and below a folder, relative to it. */
function namesBelow(folder: string): string[] {
  const names = readable(folder, (at) => readdirSync(at, { recursive: true, encoding: 'utf8' }));
  return names.filter((name) => readable(join(folder, name), (at) => statSync(at)).isFile());
}

function regExpOf(parts: readonly string[]): RegExp {
  const source = parts.map((part, i) => {
    if (part === '**') return i === parts.length - 1 ? '.*' : '(?:[^/]+/)*';
    const text = part.replaceAll(/[.+^${}()|[\]\\]/g, '\\$&');
    const name = text.replaceAll('*', '[^/]*').replaceAll('?', '[^/]');
    return i === parts.length - 1 ? name : `${name}/`;
  });
  return new RegExp(`^${source.join('')}$`);
}

function isThere(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false }) !== undefined;
}

function readable<T>(path: string, read: (path: string) => T): T {
  try {
    return read(path);
  } catch (cause) {
    const reason = (cause as NodeJS.ErrnoException).code === 'ENOENT' ? 'there is no such file' : String(cause);
    throw unreadable(path, reason, cause);
  }
}

function unreadable(path: string, reason: string, cause?: unknown): OperatorError {
  return new OperatorError('EVALGATE_PRELOAD', `Cannot preload "${path}": ${reason}`, { cause });
}
