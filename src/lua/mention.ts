/** Where a script that does not parse mentions redis.call, as far as its tokens tell. */
import { REDIS_GLOBALS } from './globals.ts';
import { TokenScanner } from './tokens.ts';

export interface Mention {
  readonly start: number;
  /** First character of the token behind it; empty at the end of the script. */
  readonly next: string;
  /** Whether that is a `(` which no `)` closes. */
  readonly isUnclosed: boolean;
}

/** What can be no mention is not scanned. */
const MAY_MENTION = /\bp?call\b/;

/** In source order. `t.redis.call` and `redis:call` are no mentions. */
export function mentionsOf(text: string): readonly Mention[] {
  return MAY_MENTION.test(text) ? new MentionScan(text).mentions() : [];
}

interface OpenMention {
  readonly start: number;
  next: string;
  isUnclosed: boolean;
}

/** How much of `redis . call` has been read: nothing, the name, the dot, all of it. */
type Progress = 'none' | 'name' | 'dot' | 'mention';

class MentionScan {
  readonly #scanner: TokenScanner;
  readonly #mentions: OpenMention[] = [];
  /** One entry a `(` not closed yet: the mention before it, if any. */
  readonly #open: (OpenMention | undefined)[] = [];
  #progress: Progress = 'none';
  #nameStart = 0;
  /** Dots right before the token: one makes a name a field, two are a concatenation. */
  #dots = 0;
  #isAfterColon = false;

  constructor(text: string) {
    this.#scanner = new TokenScanner(text);
  }

  mentions(): readonly Mention[] {
    while (this.#scanner.next()) this.#take();
    return this.#mentions;
  }

  #take(): void {
    const scanner = this.#scanner;
    const mention = this.#progress === 'mention' ? this.#mentions.at(-1) : undefined;
    if (mention !== undefined) mention.next = scanner.text.charAt(scanner.start);
    if (scanner.is('(')) this.#openParenthesis(mention);
    else if (scanner.is(')')) this.#closeParenthesis();
    this.#progress = this.#nextProgress();
    this.#dots = scanner.is('.') ? this.#dots + 1 : 0;
    this.#isAfterColon = scanner.is(':');
  }

  #openParenthesis(mention: OpenMention | undefined): void {
    if (mention !== undefined) mention.isUnclosed = true;
    this.#open.push(mention);
  }

  #closeParenthesis(): void {
    const mention = this.#open.pop();
    if (mention !== undefined) mention.isUnclosed = false;
  }

  #nextProgress(): Progress {
    const scanner = this.#scanner;
    if (this.#progress === 'name' && scanner.is('.')) return 'dot';
    if (this.#progress === 'dot' && (scanner.is('call') || scanner.is('pcall'))) {
      this.#mentions.push({ start: this.#nameStart, next: '', isUnclosed: false });
      return 'mention';
    }
    const isField = this.#dots === 1 || this.#isAfterColon;
    if (scanner.kind !== 'name' || isField) return 'none';
    if (!REDIS_GLOBALS.has(scanner.text.slice(scanner.start, scanner.end))) return 'none';
    this.#nameStart = scanner.start;
    return 'name';
  }
}
