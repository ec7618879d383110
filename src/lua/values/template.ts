/**
 * What is known of a string before the script runs: parts that a call makes known (literals, KEYS[n], ARGV[n]) up to
 * the first that it does not. Nothing behind that one can matter for a slot, so it is not kept:
 *
 *     KEYS[1] .. ':' .. ARGV[2] .. redis.call(…) .. 'x'   is   KEYS[1] ':' ARGV[2] …
 *
 * Templates are values, compared by their signature.
 */
import { detached } from '../string-literal.ts';

export type Part =
  | { readonly kind: 'literal'; readonly text: string }
  | {
      readonly kind: 'key' | 'arg';
      /** KEYS[index], ARGV[index]; counts from 1. */
      readonly index: number;
      /** It, or any element behind it. */
      readonly isRest: boolean;
    };

export interface Template {
  readonly parts: readonly Part[];
  /** Something unknown follows the parts. */
  readonly isOpen: boolean;
  /** Equal for equal templates only. */
  readonly signature: string;
}

const MAX_PARTS = 16;
const MAX_LITERAL_CHARS = 1024;

/** Beyond the characters of a script, which are bytes; so signatures of neighbours are simply put together. */
const ELEMENT_MARK = '\u0100';
const OPEN_MARK = '\u0101';

export function template(parts: readonly Part[], isOpen = false): Template {
  return { parts, isOpen, signature: parts.map(signatureOf).join('') + (isOpen ? OPEN_MARK : '') };
}

/** Nothing is known. */
export const UNKNOWN_TEXT: Template = template([], true);

export function literalText(text: string): Template {
  if (text === '') return template([]);
  if (text.length <= MAX_LITERAL_CHARS) return template([{ kind: 'literal', text }]);
  return template([{ kind: 'literal', text: detached(text.slice(0, MAX_LITERAL_CHARS)) }], true);
}

export function elementText(kind: 'key' | 'arg', index: number, isRest = false): Template {
  return template([{ kind, index, isRest }]);
}

export function concatenation(left: Template, right: Template): Template {
  if (left.isOpen || (right.parts.length === 0 && !right.isOpen)) return left;
  const parts = merged(left.parts, right.parts);
  const last = parts.at(-1);
  const isTooLong = parts.length > MAX_PARTS || (last?.kind === 'literal' && last.text.length > MAX_LITERAL_CHARS);
  if (isTooLong) return template(left.parts, true);
  return { parts, isOpen: right.isOpen, signature: left.signature + right.signature };
}

/** The text of a template that is one literal. */
export function literalOf({ parts, isOpen }: Template): string | undefined {
  if (isOpen || parts.length > 1) return undefined;
  const only = parts[0];
  if (only === undefined) return '';
  return only.kind === 'literal' ? only.text : undefined;
}

function merged(left: readonly Part[], right: readonly Part[]): Part[] {
  const last = left.at(-1);
  const [first, ...others] = right;
  if (last?.kind !== 'literal' || first?.kind !== 'literal') return [...left, ...right];
  return [...left.slice(0, -1), { kind: 'literal', text: last.text + first.text }, ...others];
}

function signatureOf(part: Part): string {
  if (part.kind === 'literal') return part.text;
  return `${ELEMENT_MARK}${part.kind}${part.index}${part.isRest ? '+' : ''}${ELEMENT_MARK}`;
}
