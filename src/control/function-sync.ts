/**
 * Keeps the functions of the masters alike, so far as nothing has to be guessed: a master that lacks a library gets it
 * with its code (dumps do not go from newer servers to older ones). Nothing is deleted and nothing overwritten.
 *
 *     a master arrived ────────▶ lists of all masters, twice: what all others have alike is loaded there
 *     Function not found ──────▶ its list: lacks the function too? then the library of whichever master has it
 *
 * A master that has a library otherwise, or one that the others lack, is left so and named in the log. At the start
 * nobody can tell who came later: only masters without any library count as such. Servers without functions (6.2) are
 * left alone. One round at a time; whoever asks meanwhile is answered by the next.
 */
import { setTimeout as pause } from 'node:timers/promises';
import type { Logger } from 'pino';
import { SingleFlight } from '../base/single-flight.ts';
import type { Node, Topology } from '../cluster/topology.ts';
import type { FunctionSupply } from '../session/runtime.ts';
import type { ControlClients } from './control-clients.ts';
import { type Libraries, type Library, librariesFrom, libraryWith } from './function-lists.ts';
import { bounded } from './stores/bounded.ts';
import { isReply } from './topology-source.ts';

const REPEAT_MS = 500;
/** A call waits for so long. */
const SUPPLY_MS = 2000;
const GRACE_MS = 20;
const TRIES = 20;
/** So many times a round is put off for masters that have not arrived. */
const PATIENCE = 4;
/** Loads that are remembered, for calls that were refused before them. */
const MAX_REMEMBERED = 10_000;
/** Differences that are remembered as told. */
const MAX_TOLD = 1000;

export interface FunctionSyncOptions {
  readonly clients: ControlClients;
  readonly log: Logger;
  readonly topology: () => Topology;
}

export class FunctionSync implements FunctionSupply {
  /** Libraries that were loaded on a master that lacked them. */
  loadedCount = 0;
  readonly #options: FunctionSyncOptions;
  readonly #rounds = new SingleFlight(() => this.#round());
  /** Masters that arrived since the last round that reached them. */
  readonly #arrived = new Map<string, Node>();
  /** Masters that have been through a round since. */
  readonly #settled = new Set<string>();
  /** What an arrived master lacked when it was looked at before, by address. */
  readonly #missing = new Map<string, ReadonlySet<string>>();
  /** What calls wait for: names of functions by address. */
  #wanted = new Map<string, { readonly node: Node; readonly names: Set<string> }>();
  /** When a function was loaded: address and name → milliseconds of the process. */
  readonly #loadedAtMs = new Map<string, number>();
  readonly #told = new Set<string>();
  #failures = 0;
  #timer: NodeJS.Timeout | undefined;
  #isStopped = false;

  constructor(options: FunctionSyncOptions) {
    this.#options = options;
  }

  onArrival(node: Node): void {
    if (this.#isStopped) return;
    this.#arrived.set(node.address, node);
    this.#failures = 0;
    void this.#rounds.run();
  }

  async supply(node: Node, name: string, refusedAtMs: number): Promise<boolean> {
    const key = keyOf(node, name);
    if (this.#isStopped || refusedAtMs <= (this.#loadedAtMs.get(key) ?? 0)) return !this.#isStopped;
    const wanted = this.#wanted.get(node.address) ?? { node, names: new Set<string>() };
    this.#wanted.set(node.address, wanted);
    wanted.names.add(name);
    await bounded(this.#rounds.run(), SUPPLY_MS).catch(() => {});
    return refusedAtMs <= (this.#loadedAtMs.get(key) ?? 0);
  }

  stop(): void {
    this.#isStopped = true;
    clearTimeout(this.#timer);
  }

  /** Never rejects. */
  async #round(): Promise<void> {
    const wanted = this.#wanted;
    this.#wanted = new Map();
    try {
      for (const { node, names } of wanted.values()) await this.#supplyAll(node, names);
      if (this.#arrived.size > 0) await this.#levelAll();
    } catch (error) {
      this.#options.log.error({ err: error }, 'keeping functions alike failed');
    }
  }

  get #masters(): Node[] {
    return this.#options.topology().shards.map(({ primary }) => primary);
  }

  // ── a call was refused ──────────────────────────────────────────────────────────────────────────────────────

  async #supplyAll(node: Node, names: ReadonlySet<string>): Promise<void> {
    const own = await this.#list(node);
    if (typeof own === 'string') return;
    const lacked = [...names].filter((name) => libraryWith(own, name) === undefined);
    const sources = await this.#sourcesOf(lacked, node);
    if (sources.size === 0) return;
    // A client may be loading it everywhere right now, and would be told that it exists already.
    await pause(GRACE_MS);
    const now = await this.#list(node);
    if (typeof now === 'string') return;
    const brought = new Set<string>();
    for (const [name, { from, library }] of sources) {
      if (libraryWith(now, name) !== undefined) this.#remember(keyOf(node, name));
      else if (!brought.has(library)) await this.#bring(library, { from, to: node, own: now });
      brought.add(library);
    }
  }

  /** Which master has each of these functions, and in which library. */
  async #sourcesOf(names: readonly string[], except: Node): Promise<Map<string, { from: Node; library: string }>> {
    const sources = new Map<string, { from: Node; library: string }>();
    for (const from of this.#masters) {
      if (sources.size === names.length) break;
      if (from.address === except.address) continue;
      const theirs = await this.#list(from);
      if (typeof theirs === 'string') continue;
      for (const name of names) {
        const library = sources.has(name) ? undefined : libraryWith(theirs, name)?.name;
        if (library !== undefined) sources.set(name, { from, library });
      }
    }
    return sources;
  }

  async #bring(name: string, way: { from: Node; to: Node; own: Libraries }): Promise<void> {
    const found = await this.#list(way.from, 'LIBRARYNAME', name, 'WITHCODE');
    const library = typeof found === 'string' ? undefined : found.get(name);
    if (library !== undefined) await this.#loadUnlessOther(way.to, way.own, library);
  }

  // ── a master arrived ────────────────────────────────────────────────────────────────────────────────────────

  async #levelAll(): Promise<void> {
    const masters = this.#masters;
    this.#keepMasters(masters);
    if (this.#arrived.size === 0) return;
    const isKnown = ({ address }: Node) => this.#arrived.has(address) || this.#settled.has(address);
    // At the start they arrive one by one, and those who come first are no older than the others.
    if (!masters.every(isKnown) && this.#failures < PATIENCE) return this.#tryAgain();
    const lists = new Map<Node, Libraries>();
    const answers = await Promise.all(masters.map((master) => this.#list(master, 'WITHCODE')));
    if (answers.includes('without functions')) return this.#arrived.clear();
    answers.forEach((list, i) => {
      const master = masters[i];
      if (master !== undefined && typeof list !== 'string') lists.set(master, list);
    });
    const arrived = [...lists.keys()].filter(({ address }) => this.#arrived.has(address));
    let due = arrived;
    let others = [...lists.keys()].filter(({ address }) => !this.#arrived.has(address) && this.#settled.has(address));
    if (others.length === 0) {
      due = arrived.filter((node) => lists.get(node)?.size === 0);
      others = arrived.filter((node) => !due.includes(node));
    }
    const wholes = others.map((node) => lists.get(node)).filter((list) => list !== undefined);
    const unequal = new Set<Node>();
    for (const node of due) {
      if (!(await this.#level(node, lists.get(node) ?? new Map(), wholes))) unequal.add(node);
    }
    for (const node of arrived) {
      if (unequal.has(node)) continue;
      this.#arrived.delete(node.address);
      this.#settled.add(node.address);
    }
    this.#tryAgain();
  }

  /** Replicas get functions from their master. */
  #keepMasters(masters: readonly Node[]): void {
    const addresses = new Set(masters.map(({ address }) => address));
    for (const address of this.#arrived.keys()) if (!addresses.has(address)) this.#arrived.delete(address);
    for (const address of this.#settled) {
      if (!addresses.has(address) || this.#arrived.has(address)) this.#settled.delete(address);
    }
  }

  /**
   * Gives a master what all others have alike, and tells what differs. False when something is missing that was not
   * when it was looked at before: somebody may be loading it right now, so it is looked at again.
   */
  async #level(node: Node, own: Libraries, others: readonly Libraries[]): Promise<boolean> {
    const [first = new Map<string, Library>()] = others;
    const common = [...first.values()].filter(({ name, code }) =>
      others.every((list) => list.get(name)?.code.equals(code) === true),
    );
    const missing = common.filter(({ name }) => !own.has(name)).map(({ name }) => name);
    const before = this.#missing.get(node.address);
    if (!missing.every((name) => before?.has(name) === true)) {
      this.#missing.set(node.address, new Set(missing));
      return false;
    }
    this.#missing.delete(node.address);
    for (const library of common) await this.#loadUnlessOther(node, own, library);
    for (const name of own.keys()) {
      if (!others.some((list) => list.has(name))) this.#tell(node, name, 'the other masters lack it');
    }
    return true;
  }

  /** Masters that did not answer are tried again for a while. */
  #tryAgain(): void {
    if (this.#arrived.size === 0 || this.#isStopped) return;
    this.#failures++;
    if (this.#failures > TRIES) {
      this.#missing.clear();
      return this.#arrived.clear();
    }
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#rounds.run(), REPEAT_MS);
  }

  // ── one node ────────────────────────────────────────────────────────────────────────────────────────────────

  async #list(node: Node, ...how: string[]): Promise<Libraries | 'no answer' | 'without functions'> {
    try {
      return librariesFrom(await this.#options.clients.callBuffer(node, 'FUNCTION', 'LIST', ...how));
    } catch (error) {
      const isUnknown = isReply(error) && /^ERR unknown command/.test((error as Error).message);
      return isUnknown ? 'without functions' : 'no answer';
    }
  }

  async #loadUnlessOther(node: Node, own: Libraries, library: Library): Promise<void> {
    const { name, code, functions } = library;
    const same = own.get(name);
    if (same !== undefined) {
      if (!same.code.equals(code)) this.#tell(node, name, 'its code differs from that of the other masters');
      return;
    }
    const { clients, log } = this.#options;
    try {
      // Without REPLACE: what came meanwhile is newer.
      await clients.call(node, 'FUNCTION', 'LOAD', code);
    } catch (error) {
      this.#tell(node, name, `it cannot be loaded: ${error instanceof Error ? error.message : String(error)}`);
      return;
    }
    this.loadedCount++;
    for (const functionName of functions) this.#remember(keyOf(node, functionName));
    log.info({ node: node.address, library: name }, 'functions loaded on a master that lacked them');
  }

  #remember(key: string): void {
    this.#loadedAtMs.delete(key);
    this.#loadedAtMs.set(key, performance.now());
    if (this.#loadedAtMs.size <= MAX_REMEMBERED) return;
    const [oldest] = this.#loadedAtMs.keys();
    if (oldest !== undefined) this.#loadedAtMs.delete(oldest);
  }

  #tell(node: Node, library: string, difference: string): void {
    const key = `${node.address} ${library} ${difference}`;
    if (this.#told.has(key) || this.#told.size >= MAX_TOLD) return;
    this.#told.add(key);
    this.#options.log.warn(
      { node: node.address, library, difference },
      'functions of a master differ: left as they are',
    );
  }
}

function keyOf(node: Node, functionName: string): string {
  return `${node.address} ${functionName.toLowerCase()}`;
}
