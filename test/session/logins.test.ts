import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { EMPTY_TOPOLOGY, topologyFromSlots } from '../../src/cluster/topology.ts';
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

describe('clients without a login, where evalgate has one', () => {
  const topology = topologyFromSlots([[0, 16_383, ['127.0.0.1', 7000, 'a'.repeat(40)]]], {
    askedHost: '127.0.0.1',
    natMap: new Map(),
  });

  for (const [reply, isAdmitted, noauth] of [
    ['+PONG', true, undefined],
    ['-NOAUTH Authentication required.', false, '-NOAUTH Authentication required.'],
    ['-DENIED Redis is running in protected mode', false, '-DENIED Redis is running in protected mode'],
    ["-NOPERM this user has no permissions to run the 'ping' command", false, '-NOAUTH Authentication required.'],
    ['-LOADING Redis is loading the dataset in memory', true, undefined],
  ] as const) {
    it(`are ${isAdmitted ? 'let in' : 'shut out'} when a node says ${reply.split(' ', 1)} to their PING`, async () => {
      const identities = new Identities({ username: undefined, password: 'own' });
      const door = { knock: async () => Buffer.from(`${reply}\r\n`) } as unknown as FrontDoor;
      const logins = new Logins({ identities, door, accounts: new Accounts([]), topology: () => topology });
      const visitor = { account: undefined, identity: identities.own };
      assert.equal(logins.admits(visitor), false, 'not before that is known');
      await logins.look();
      assert.equal(logins.admits(visitor), isAdmitted);
      if (noauth !== undefined) assert.equal(String(logins.noauth), `${noauth}\r\n`);
    });
  }
});
