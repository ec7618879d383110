/**
 * One string that a script may build, against the KEYS and ARGV of a call. Makes no string and no object: what is known
 * is written into one scratch buffer, because a hash tag may reach over several parts.
 */
import { slotOf } from '../cluster/slot.ts';
import type { Part, Template } from './values/template.ts';

/** The keys and arguments of one call as bytes; both count from 0. */
export interface CallArguments {
  readonly bytes: Uint8Array;
  /** The slot of all its keys. */
  readonly slot: number;
  readonly keyCount: number;
  keyStart(index: number): number;
  keyEnd(index: number): number;
  readonly argvCount: number;
  argvStart(index: number): number;
  argvEnd(index: number): number;
}

/** In the call's slot; in another; not to be told; or not possible in this call. */
export type Judgement = 'right' | 'wrong' | 'open' | 'none';

/** A longer string is not looked at: open. */
const MAX_KEY_BYTES = 16_384;
/** Strings tried for one template that stands for many (`KEYS[i] .. ARGV[j]`). */
const MAX_STRINGS = 256;

const MEMO_SIZE = 16;

const OPENING_BRACE = 0x7b;
const CLOSING_BRACE = 0x7d;

export class TemplateJudge {
  #call: CallArguments;
  #template: Template | undefined;
  #stringCount = 0;
  readonly #scratch = new Uint8Array(MAX_KEY_BYTES);
  /** What the tags of the first elements say in this call: many keys of a script begin with the same one. */
  readonly #memo: Readonly<Record<'key' | 'arg', (Judgement | undefined)[]>> = {
    key: new Array(MEMO_SIZE).fill(undefined),
    arg: new Array(MEMO_SIZE).fill(undefined),
  };

  constructor(call: CallArguments) {
    this.#call = call;
  }

  /** The call to judge from now on; borrowed until the next. */
  set call(call: CallArguments) {
    this.#call = call;
    this.#memo.key.fill(undefined);
    this.#memo.arg.fill(undefined);
  }

  /** What is to be said of a key that is one of the templates: wrong if all are, right if all are. */
  judgeAny(templates: readonly Template[]): Judgement {
    let all: Judgement = 'none';
    for (const template of templates) {
      all = either(all, this.#judge(template));
      if (all === 'open') return all;
    }
    return all;
  }

  /** ARGV[index + 1] as a key. */
  judgeArgument(index: number): Judgement {
    const call = this.#call;
    if (index >= call.argvCount) return 'open';
    const start = call.argvStart(index);
    const end = call.argvEnd(index);
    if (end === start) return 'open';
    return slotOf(call.bytes, start, end) === call.slot ? 'right' : 'wrong';
  }

  #judge(template: Template): Judgement {
    const { parts, isOpen } = template;
    const first = parts[0];
    if (first !== undefined && parts.length === 1 && !isOpen) {
      // Declared keys are all in the call's slot.
      if (first.kind === 'key') return first.index <= this.#call.keyCount ? 'right' : 'none';
      if (first.kind === 'arg' && !first.isRest) return this.judgeArgument(first.index - 1);
    }
    if (first !== undefined && first.kind !== 'literal' && !first.isRest) {
      const judgement = this.#byTagOf(first.kind, first.index - 1);
      if (judgement !== undefined) return judgement;
    }
    this.#template = template;
    this.#stringCount = 0;
    return this.#judgeFrom(parts, 0, 0);
  }

  /** If an element holds a whole hash tag, that decides for whatever begins with it. */
  #byTagOf(kind: 'key' | 'arg', index: number): Judgement | undefined {
    const known = index < MEMO_SIZE ? this.#memo[kind][index] : undefined;
    if (known !== undefined) return known === 'open' ? undefined : known;
    const judgement = this.#judgeTagOf(kind, index);
    if (index < MEMO_SIZE) this.#memo[kind][index] = judgement;
    return judgement === 'open' ? undefined : judgement;
  }

  #judgeTagOf(kind: 'key' | 'arg', index: number): Judgement {
    const call = this.#call;
    if (index >= (kind === 'key' ? call.keyCount : call.argvCount)) return 'open';
    const start = kind === 'key' ? call.keyStart(index) : call.argvStart(index);
    const end = kind === 'key' ? call.keyEnd(index) : call.argvEnd(index);
    if (!hasTag(call.bytes, start, end)) return 'open';
    return slotOf(call.bytes, start, end) === call.slot ? 'right' : 'wrong';
  }

  /** With the parts before `at` written, `length` bytes of them. */
  #judgeFrom(parts: readonly Part[], at: number, length: number): Judgement {
    const part = parts[at];
    if (part === undefined) return this.#judgeWritten(length);
    if (part.kind === 'literal') return this.#goOn(parts, at, this.#writeLiteral(part.text, length));
    const count = part.kind === 'key' ? this.#call.keyCount : this.#call.argvCount;
    if (!part.isRest) {
      // Without the key the script fails before it comes to the command.
      if (part.index > count) return part.kind === 'key' ? 'none' : 'open';
      return this.#goOn(parts, at, this.#writeElement(part.kind, part.index - 1, length));
    }
    let all: Judgement = 'none';
    for (let index = part.index - 1; index < count; index++) {
      if (++this.#stringCount > MAX_STRINGS) return 'open';
      all = either(all, this.#goOn(parts, at, this.#writeElement(part.kind, index, length)));
      if (all === 'open') return all;
    }
    return all;
  }

  /** `length` is negative when the part could not be written. */
  #goOn(parts: readonly Part[], at: number, length: number): Judgement {
    return length < 0 ? 'open' : this.#judgeFrom(parts, at + 1, length);
  }

  /** The new length; -1 when it does not fit. */
  #writeLiteral(text: string, length: number): number {
    if (length + text.length > MAX_KEY_BYTES) return -1;
    for (let i = 0; i < text.length; i++) this.#scratch[length + i] = text.charCodeAt(i);
    return length + text.length;
  }

  /** The new length; -1 when it does not fit, or is an empty argument: what that means only the script knows. */
  #writeElement(kind: 'key' | 'arg', index: number, length: number): number {
    const call = this.#call;
    const start = kind === 'key' ? call.keyStart(index) : call.argvStart(index);
    const end = kind === 'key' ? call.keyEnd(index) : call.argvEnd(index);
    if (length + end - start > MAX_KEY_BYTES || (kind === 'arg' && start === end)) return -1;
    for (let i = start; i < end; i++) this.#scratch[length + i - start] = call.bytes[i] as number;
    return length + end - start;
  }

  #judgeWritten(length: number): Judgement {
    if (this.#template?.isOpen !== true) return this.#inSlot(length);
    const opening = this.#indexOf(OPENING_BRACE, 0, length);
    const closing = this.#indexOf(CLOSING_BRACE, opening + 1, length);
    if (opening < length) {
      // What is unknown may close the tag.
      if (closing === length) return 'open';
      if (closing > opening + 1) return this.#inSlot(closing + 1);
    }
    return this.#template.parts[0]?.kind === 'key' ? 'wrong' : 'open';
  }

  #inSlot(length: number): Judgement {
    return slotOf(this.#scratch, 0, length) === this.#call.slot ? 'right' : 'wrong';
  }

  /** `end` when it does not occur. */
  #indexOf(byte: number, from: number, end: number): number {
    for (let i = from; i < end; i++) {
      if (this.#scratch[i] === byte) return i;
    }
    return end;
  }
}

function hasTag(bytes: Uint8Array, start: number, end: number): boolean {
  let at = start;
  while (at < end && bytes[at] !== OPENING_BRACE) at++;
  const opening = at;
  while (at < end && bytes[at] !== CLOSING_BRACE) at++;
  return at < end && at > opening + 1;
}

/** Two possibilities taken together. */
function either(a: Judgement, b: Judgement): Judgement {
  if (a === 'none' || a === b) return b;
  return b === 'none' ? a : 'open';
}
