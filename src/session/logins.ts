/**
 * Who may do what before, by and after logging in; one for all sessions.
 *
 *     accounts in the config   clients log in here; upstream serves the proxy's own identity
 *     none                     the nodes decide: AUTH goes to one of them, and what it says is the reply. A client that
 *                              has not logged in may use the proxy's own identity if the nodes would have let it in
 *                              without a login; else it gets their NOAUTH (until that is known, nobody gets in)
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Node, Topology } from '../cluster/topology.ts';
import { encodeCommand, OK } from '../resp/encode.ts';
import { EVALGATE, errorLine, REDIS } from '../resp/errors.ts';
import type { Identities, Identity } from '../upstream/access.ts';
import type { FrontDoor } from '../upstream/front-door.ts';
import type { Account, Accounts } from './accounts.ts';
import { LoginBackoff } from './login-backoff.ts';
import type { Siblings } from './siblings.ts';

export interface Credentials {
  /** Undefined: AUTH with a password alone. */
  readonly username: Buffer | undefined;
  readonly password: Buffer;
}

/** Who a client is, as far as that matters here. */
export interface Visitor {
  readonly account: Account | undefined;
  readonly identity: Identity;
}

export type Outcome =
  | { readonly kind: 'accepted'; readonly identity: Identity; readonly account: Account | undefined }
  | { readonly kind: 'refused'; readonly reply: Buffer };

export interface LoginsOptions {
  readonly identities: Identities;
  readonly door: FrontDoor;
  readonly accounts: Accounts;
  readonly topology: () => Topology;
  readonly siblings?: Siblings | undefined;
}

const NOAUTH = errorLine(REDIS.noauth);
const WRONGPASS = errorLine(REDIS.wrongPassword);
/** The nodes are not asked more often whether they let anybody in. */
const LOOK_AGAIN_MS = 1000;

export class Logins {
  readonly #options: LoginsOptions;
  readonly #backoff = new LoginBackoff();
  #accounts: Accounts;
  /** What the nodes say to those who are not logged in; empty: they are let in. Undefined: not known yet. */
  #nodesSay: Buffer | undefined;
  #looking: Promise<void> | undefined;
  #lookedAtMs = Number.NEGATIVE_INFINITY;

  constructor(options: LoginsOptions) {
    this.#options = options;
    this.#accounts = options.accounts;
    // Without a password of our own there is nothing to lend: the nodes answer everybody themselves.
    if (options.identities.own.password === undefined) this.#nodesSay = OK;
  }

  get accounts(): Accounts {
    return this.#accounts;
  }

  /** Other accounts from now on; the sessions are told by the listener (`Listener.onAccounts`). */
  useAccounts(accounts: Accounts): void {
    this.#accounts = accounts;
  }

  /** Whether a client may use commands; if not, only those that log in and leave. */
  admits({ account, identity }: Visitor): boolean {
    if (this.#accounts.isOn) return account !== undefined;
    return identity.kind === 'user' || this.#nodesSay === OK;
  }

  /** What those get who are not admitted. */
  get noauth(): Buffer {
    if (this.#accounts.isOn) return NOAUTH;
    return this.#nodesSay ?? errorLine(EVALGATE.noTopology);
  }

  /** A login from an address failed at a sibling: guessing is no faster with several processes. */
  onFailedElsewhere(from: string): void {
    this.#backoff.onFailure(from, performance.now());
  }

  /** Asks the nodes again whether they let anybody in; settles when that is known, or nobody tells. */
  look(): Promise<void> {
    const isRecent = this.#nodesSay !== undefined && performance.now() - this.#lookedAtMs < LOOK_AGAIN_MS;
    if (this.#options.identities.own.password === undefined || isRecent) return Promise.resolve();
    this.#looking ??= this.#knock().finally(() => {
      this.#looking = undefined;
    });
    return this.#looking;
  }

  async #knock(): Promise<void> {
    this.#lookedAtMs = performance.now();
    for (const node of this.#nodes()) {
      const reply = await this.#options.door.knock(node);
      if (reply === undefined) continue;
      const word = /^-(NOAUTH|DENIED|NOPERM)/.exec(reply.toString('latin1', 0, 8))?.[1];
      // A user without a login who may not even PING is shut out like one who needs a login.
      this.#nodesSay = word === undefined ? OK : word === 'NOPERM' ? NOAUTH : reply;
      return;
    }
  }

  /** Tries a login from an address; settles with what came of it, which may be made to wait. */
  attempt(from: string, credentials: Credentials): Promise<Outcome> {
    return this.#accounts.isOn ? this.#attemptHere(from, credentials) : this.#attemptThere(credentials);
  }

  async #attemptHere(from: string, { username, password }: Credentials): Promise<Outcome> {
    const account = this.#accounts.verify(username ?? Buffer.from('default'), password);
    const nowMs = performance.now();
    if (account === undefined) {
      this.#backoff.onFailure(from, nowMs);
      void this.#options.siblings?.ask('loginFailed', from);
    }
    const delayMs = this.#backoff.delayMs(from, nowMs);
    if (delayMs > 0) await sleep(delayMs, undefined, { ref: false });
    // A reload may have taken it away meanwhile.
    const current = account === undefined ? undefined : this.#accounts.successorOf(account);
    if (current === undefined) return { kind: 'refused', reply: WRONGPASS };
    return { kind: 'accepted', identity: this.#options.identities.own, account: current };
  }

  /** The first node that answers decides. */
  async #attemptThere({ username, password }: Credentials): Promise<Outcome> {
    const auth = username === undefined ? encodeCommand('AUTH', password) : encodeCommand('AUTH', username, password);
    for (const node of this.#nodes()) {
      const reply = await this.#options.door.login(node, auth);
      if (reply === undefined) continue;
      if (!reply.equals(OK)) {
        void this.look();
        return { kind: 'refused', reply };
      }
      const identity = this.#options.identities.user(username ?? Buffer.from('default'), password);
      if (identity === undefined) return { kind: 'refused', reply: errorLine(EVALGATE.tooManyUsers) };
      return { kind: 'accepted', identity, account: undefined };
    }
    return { kind: 'refused', reply: errorLine(EVALGATE.noTopology) };
  }

  #nodes(): Node[] {
    return this.#options.topology().shards.map((shard) => shard.primary);
  }
}
