/**
 * As whom, and in which protocol, requests go to the nodes. Connections are shared only among sessions of one and the
 * same `Access`: objects of it are made once (`Identities`), so that they are compared by identity.
 *
 *     Identity ─▶ access(2), access(3) ─▶ the pools of each node (upstream.ts)
 *
 * A user is known by name and password together: whoever proved one password never gets a connection that was opened
 * with another. Passwords are kept for logging in, never as keys, and never written anywhere.
 */
import { createHmac, randomBytes } from 'node:crypto';
import type { Protocol } from '../resp/encode.ts';

/** So many users may be logged in at a time: each has connections of its own. */
export const MAX_USERS = 1000;
/** A user whom no client uses any more keeps the connections for so long. */
export const IDLE_USER_MS = 60_000;

export interface Credentials {
  readonly username: Buffer | undefined;
  readonly password: Buffer | undefined;
}

export class Access {
  readonly identity: Identity;
  readonly protocol: Protocol;

  constructor(identity: Identity, protocol: Protocol) {
    this.identity = identity;
    this.protocol = protocol;
  }
}

export class Identity implements Credentials {
  /** `own`: the proxy's, by `cluster.username` and `cluster.password`. `user`: a client's. */
  readonly kind: 'own' | 'user' | 'nobody';
  readonly username: Buffer | undefined;
  readonly password: Buffer | undefined;
  /** Its ACL refused a SCRIPT LOAD or EVALSHA that we made of an EVAL: its EVALs go up untouched. */
  sendsEvalAsIs = false;
  /** Its ACL refused an EVAL or SCRIPT LOAD that we made of an EVALSHA: its scripts are loaded by the proxy first. */
  mayOnlyEvalsha = false;
  /** Whether one of these holds. */
  isLimited = false;
  /** A login of the same user makes a new one: the connections of this one are of no use. */
  isForgotten = false;
  readonly #accesses: readonly [Access, Access];
  #sessionCount = 0;
  #unusedSinceMs = performance.now();

  constructor(kind: Identity['kind'], { username, password }: Credentials) {
    this.kind = kind;
    this.username = username;
    this.password = password;
    this.#accesses = [new Access(this, 2), new Access(this, 3)];
  }

  /** The ACL refused what we made of an EVAL. */
  denyForEval(): void {
    this.sendsEvalAsIs = true;
    this.isLimited = true;
  }

  /** The ACL refused what we made of an EVALSHA. */
  denyForEvalsha(): void {
    this.mayOnlyEvalsha = true;
    this.isLimited = true;
  }

  access(protocol: Protocol): Access {
    return this.#accesses[protocol - 2] as Access;
  }

  /** A session uses it from now on, until `release`. */
  hold(): void {
    this.#sessionCount++;
  }

  release(): void {
    this.#sessionCount--;
    this.#unusedSinceMs = performance.now();
  }

  /** For how long no session has used it. */
  unusedMs(nowMs: number): number {
    return this.#sessionCount > 0 ? 0 : nowMs - this.#unusedSinceMs;
  }

  /** For error texts and logs. */
  get displayName(): string {
    return this.username?.toString('latin1') ?? 'default';
  }
}

export class Identities {
  readonly own: Identity;
  /** Not logged in: to ask what nodes say to that, and to log in. Nobody's commands go over it. */
  readonly nobody = new Identity('nobody', { username: undefined, password: undefined });
  /** By a keyed hash of name and password; the key lives as long as the process. */
  readonly #users = new Map<string, Identity>();
  readonly #hashKey = randomBytes(32);

  constructor(own: { readonly username: string | undefined; readonly password: string | undefined }) {
    this.own = new Identity('own', {
      username: own.username === undefined ? undefined : Buffer.from(own.username),
      password: own.password === undefined ? undefined : Buffer.from(own.password),
    });
  }

  /** The identity of a user who has proven the password; undefined when too many are logged in. */
  user(username: Buffer, password: Buffer): Identity | undefined {
    const key = this.#keyOf(username, password);
    const known = this.#users.get(key);
    if (known !== undefined) return known;
    if (this.#users.size >= MAX_USERS) this.#dropUnused(performance.now(), 0);
    if (this.#users.size >= MAX_USERS) return undefined;
    const identity = new Identity('user', { username: Buffer.from(username), password: Buffer.from(password) });
    this.#users.set(key, identity);
    return identity;
  }

  /** Forgets whom no session has used for long. */
  forgetUnused(nowMs: number): void {
    this.#dropUnused(nowMs, IDLE_USER_MS);
  }

  #dropUnused(nowMs: number, afterMs: number): void {
    for (const [key, identity] of this.#users) {
      if (identity.unusedMs(nowMs) <= afterMs) continue;
      identity.isForgotten = true;
      this.#users.delete(key);
    }
  }

  /** The length of the name keeps `a`, `bc` and `ab`, `c` apart. */
  #keyOf(username: Buffer, password: Buffer): string {
    const hash = createHmac('sha256', this.#hashKey);
    return hash.update(`${username.length}:`).update(username).update(password).digest('base64');
  }
}
