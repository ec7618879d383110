/**
 * The books that clients keep of one stretch of the chaos test, and the audit that holds them against the counters in
 * the cluster. Every stretch has counters of its own, so that what an event did cannot hide in what came before.
 *
 *     acknowledged ≤ counted ≤ acknowledged + uncertain     no increment lost, none twice
 *                    counted ≤ acknowledged + uncertain     where asynchronous replication may lose the last writes
 */
import assert from 'node:assert/strict';
import type { Operation } from './operations.ts';

/** What a client says of itself when its evalgate is gone. */
export const OWN_CONNECTION_ENDED = 'the connection to evalgate ended';

/**
 * The errors that an event may cause: evalgate's, each of which says what became of the command; and a node's own, by which
 * it says that it did not run it. A script could return these too, so they are passed on when the node cannot confirm
 * them, because it is ready again.
 */
const HONEST =
  /^(CLUSTERDOWN The cluster is down|LOADING Redis is loading the dataset in memory)$|^(ERR|CLUSTERDOWN) evalgate: .*, the command (did not run|may have run or may still run)(, other parts may have run)?$/;

export interface Counter {
  acknowledged: number;
  /** Sum of the values in these replies. */
  sum: number;
  /** Replies that leave open whether it was raised. */
  uncertain: number;
}

export interface Audit {
  readonly acknowledged: number;
  /** Acknowledged, and not counted. */
  readonly lost: number;
  /** Everything that may not be, in words; empty: all is well. */
  readonly faults: readonly string[];
}

/** What an event may cost. */
export interface Allowance {
  /** `own_connection`: only what a client sees when its evalgate is killed. */
  readonly errors: 'none' | 'honest' | 'own_connection';
  readonly losses: boolean;
  readonly disorder: boolean;
}

export class Books {
  /** The stretch: also part of the names of its counters. */
  readonly name: string;
  readonly #counters = new Map<string, Counter>();
  readonly errors = new Map<string, number>();
  readonly #strange: string[] = [];
  noscriptCount = 0;
  lastNoscriptAtMs = 0;
  disorderCount = 0;
  worstPauseMs = 0;
  replyCount = 0;
  /** Clients are bringing their scripts again: NOSCRIPT is the right answer. */
  expectsNoscript = false;

  constructor(name: string, keys: readonly string[]) {
    this.name = name;
    for (const key of keys) this.#counters.set(key, { acknowledged: 0, sum: 0, uncertain: 0 });
  }

  get keys(): string[] {
    return [...this.#counters.keys()];
  }

  acknowledge(key: string, value: number): void {
    const counter = this.#counters.get(key);
    if (counter === undefined) return;
    counter.acknowledged++;
    counter.sum += value;
  }

  /** An error reply, or none at all. */
  fail({ counts }: Operation, text: string): void {
    add(this.errors, withoutAddress(text));
    if (!text.includes('may have run') && text !== OWN_CONNECTION_ENDED) return;
    for (const key of counts) {
      const counter = this.#counters.get(key);
      if (counter !== undefined) counter.uncertain++;
    }
  }

  noscript(text: string): void {
    this.noscriptCount++;
    this.lastNoscriptAtMs = performance.now();
    if (!this.expectsNoscript) add(this.errors, text);
  }

  /** A reply that does not belong to its request. */
  strange({ args }: Operation, reply: string): void {
    if (this.#strange.length < 5) this.#strange.push(`${JSON.stringify(reply)} to ${args.join(' ')}`);
  }

  /** Holds the books against the counters. */
  audit(counted: ReadonlyMap<string, number>, allowed: Allowance): Audit {
    const faults = this.#strange.map((text) => `a reply went astray: ${text}`);
    let acknowledged = 0;
    let lost = 0;
    for (const [key, counter] of this.#counters) {
      const value = counted.get(key) ?? 0;
      acknowledged += counter.acknowledged;
      lost += Math.max(0, counter.acknowledged - value);
      faults.push(...faultsOf(key, { counter, value, mayLose: allowed.losses }));
    }
    for (const [text, count] of this.errors) {
      if (!isAllowed(text, allowed)) faults.push(`${count} × ${text}`);
    }
    if (this.disorderCount > 0 && !allowed.disorder) faults.push(`${this.disorderCount} × wrong order of one client`);
    return { acknowledged, lost, faults };
  }

  /** The counters much later: nothing was raised in the meantime that nobody knows of. */
  auditAgain(counted: ReadonlyMap<string, number>): readonly string[] {
    return [...this.#counters].flatMap(([key, counter]) => {
      return faultsOf(key, { counter, value: counted.get(key) ?? 0, mayLose: true });
    });
  }
}

interface Found {
  readonly counter: Counter;
  readonly value: number;
  readonly mayLose: boolean;
}

function faultsOf(key: string, { counter, value, mayLose }: Found): string[] {
  const { acknowledged, sum, uncertain } = counter;
  const text = `${key}: counted ${value}, acknowledged ${acknowledged}, uncertain ${uncertain}`;
  if (value > acknowledged + uncertain) return [`counted twice: ${text}`];
  if (mayLose) return [];
  if (value < acknowledged) return [`acknowledged and lost: ${text}`];
  // Each value from 1 on was told once, to one client.
  const isComplete = uncertain > 0 || sum === (acknowledged * (acknowledged + 1)) / 2;
  return isComplete ? [] : [`a value was told twice: ${text}, sum ${sum}`];
}

function isAllowed(text: string, { errors }: Allowance): boolean {
  if (errors === 'none') return false;
  return errors === 'honest' ? HONEST.test(text) : text === OWN_CONNECTION_ENDED;
}

/** Addresses and times left out, so that equal errors count as one. */
function withoutAddress(text: string): string {
  return text
    .replaceAll(/\d+\.\d+\.\d+\.\d+:\d+/g, 'NODE')
    .replace(/slot \d+/, 'slot N')
    .replace(/answer for \d+ ms/, 'answer for N ms');
}

function add(counts: Map<string, number>, key: string): void {
  counts.set(key, (counts.get(key) ?? 0) + 1);
}

/** For a stretch in which nothing may go wrong. */
export const NOTHING: Allowance = Object.freeze({ errors: 'none', losses: false, disorder: false });

export function assertNoFaults(what: string, faults: readonly string[]): void {
  const more = faults.length > 20 ? `\n… and ${faults.length - 20} more` : '';
  assert.equal(faults.length, 0, `${what}:\n${faults.slice(0, 20).join('\n')}${more}`);
}
