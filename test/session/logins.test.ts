import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { EMPTY_TOPOLOGY } from '../../src/cluster/topology.ts';
import { Accounts } from '../../src/session/accounts.ts';
import { Logins } from '../../src/session/logins.ts';
import { Identities } from '../../src/upstream/access.ts';
import type { FrontDoor } from '../../src/upstream/front-door.ts';

const RIGHT = { username: Buffer.from('a'), password: Buffer.from('right') };
const WRONG = { username: Buffer.from('a'), password: Buffer.from('wrong') };

function accountsWith(password: string, privilege: 'read_write' | 'read_only' = 'read_write'): Accounts {
  return new Accounts([{ username: 'a', password, privilege }]);
}

/** Logins of one address that failed so often that every answer is delayed; with accounts no node is asked. */
async function delayedLogins(): Promise<Logins> {
  const logins = new Logins({
    identities: new Identities({ username: undefined, password: undefined }),
    door: {} as FrontDoor,
    accounts: accountsWith('right'),
    topology: () => EMPTY_TOPOLOGY,
  });
  for (let i = 0; i < 5; i++) assert.equal((await logins.attempt('here', WRONG)).kind, 'refused');
  return logins;
}

describe('a login that is delayed', () => {
  // The delay itself does not keep the process.
  const alive = setInterval(() => {}, 1000);
  alive.unref();

  for (const [what, accounts, wanted] of [
    ['is refused when its account has gone meanwhile', new Accounts([]), 'refused'],
    ['is refused when its password was changed meanwhile', accountsWith('other'), 'refused'],
    ['gets the privilege that it has then', accountsWith('right', 'read_only'), 'read_only'],
  ] as const) {
    it(what, async () => {
      alive.ref();
      const logins = await delayedLogins();
      const attempt = logins.attempt('here', RIGHT);
      logins.useAccounts(accounts);
      const outcome = await attempt;
      alive.unref();
      assert.equal(outcome.kind === 'accepted' ? outcome.account?.privilege : outcome.kind, wanted);
    });
  }
});
