/**
 * The accounts of the config (`accounts`): clients log in here, and the proxy's own identity serves upstream. Immutable;
 * a reload makes a new one.
 *
 * Passwords are held as keyed hashes only, and compared in constant time; a user who does not exist costs the same.
 */
import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';

export interface AccountEntry {
  readonly username: string;
  readonly password: string | Buffer;
  readonly privilege: 'read_write' | 'read_only';
}

export interface Account {
  readonly username: string;
  readonly privilege: AccountEntry['privilege'];
  readonly passwordHash: Buffer;
}

const HASH_KEY = randomBytes(32);
/** What the password of a user who does not exist is compared with. */
const NO_PASSWORD = randomBytes(32);

function hashOf(password: string | Buffer): Buffer {
  return createHmac('sha256', HASH_KEY).update(password).digest();
}

export class Accounts {
  readonly #byName: ReadonlyMap<string, Account>;

  constructor(entries: readonly AccountEntry[]) {
    this.#byName = new Map(
      entries.map(({ username, password, privilege }) => {
        const name = Buffer.from(username).toString('latin1');
        return [name, { username: name, privilege, passwordHash: hashOf(password) }];
      }),
    );
  }

  /** Whether clients log in here at all; if not, AUTH passes through to the nodes. */
  get isOn(): boolean {
    return this.#byName.size > 0;
  }

  /** The account, if the password is right. */
  verify(username: Buffer, password: Buffer): Account | undefined {
    const account = this.#byName.get(username.toString('latin1'));
    const isRight = timingSafeEqual(hashOf(password), account?.passwordHash ?? NO_PASSWORD);
    return isRight ? account : undefined;
  }

  equals(other: Accounts): boolean {
    const mine = [...this.#byName.values()];
    const isSame = (account: Account) => other.successorOf(account)?.privilege === account.privilege;
    return mine.length === other.#byName.size && mine.every(isSame);
  }

  /** What became of an account of an earlier list; undefined when it is gone, or has another password. */
  successorOf(earlier: Account): Account | undefined {
    const account = this.#byName.get(earlier.username);
    return account?.passwordHash.equals(earlier.passwordHash) ? account : undefined;
  }
}
