/**
 * Who a client is: as whom its commands run at the nodes and in which protocol (`Access`), and the account it has logged
 * in to, where the config has any. Changed only while nothing of the session is in flight (C3d).
 */
import type { Access, Identity } from '../upstream/access.ts';
import type { Account } from './accounts.ts';
import type { Visitor } from './logins.ts';
import type { Runtime } from './runtime.ts';

export class Standing implements Visitor {
  account: Account | undefined = undefined;
  /** What a node said to the question whether the request that is looked up is permitted (permission.ts). */
  answer: Buffer | undefined = undefined;
  readonly #runtime: Runtime;
  #access: Access;
  #isReleased = false;

  constructor(runtime: Runtime) {
    this.#runtime = runtime;
    this.#access = runtime.identities.own.access(2);
    this.#access.identity.hold();
  }

  get access(): Access {
    return this.#access;
  }

  get identity(): Identity {
    return this.#access.identity;
  }

  /** Whether it may use commands, or has to log in first. */
  get isAdmitted(): boolean {
    return this.#runtime.logins.admits(this);
  }

  /** Whether anything changed. */
  use(access: Access): boolean {
    if (access === this.#access || this.#isReleased) return false;
    access.identity.hold();
    this.#access.identity.release();
    this.#access = access;
    return true;
  }

  /** Other accounts are in force: false when the client had one, and has none any more. */
  isKept(): boolean {
    if (this.account === undefined) return true;
    this.account = this.#runtime.logins.accounts.successorOf(this.account);
    return this.account !== undefined;
  }

  /** The client is gone. */
  release(): void {
    if (this.#isReleased) return;
    this.#isReleased = true;
    this.#access.identity.release();
  }
}
