import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Accounts } from '../../src/session/accounts.ts';

const B = (text: string) => Buffer.from(text);
const LIST = new Accounts([
  { username: 'app', password: 'secret', privilege: 'read_write' },
  { username: 'müller', password: B('\0ÿ'), privilege: 'read_only' },
]);

describe('Accounts', () => {
  it('are off without any', () => {
    assert.equal(new Accounts([]).isOn, false);
    assert.equal(LIST.isOn, true);
  });

  const attempts: [username: string, password: string, privilege: string | undefined][] = [
    ['app', 'secret', 'read_write'],
    ['app', 'Secret', undefined],
    ['app', '', undefined],
    ['app', 'secretsecret', undefined],
    ['App', 'secret', undefined],
    ['nobody', 'secret', undefined],
    ['', '', undefined],
    ['müller', '\0ÿ', 'read_only'],
    ['__proto__', 'x', undefined],
  ];
  for (const [username, password, privilege] of attempts) {
    it(`verify ${username} / ${JSON.stringify(password)}: ${privilege ?? 'no'}`, () => {
      assert.equal(LIST.verify(B(username), B(password))?.privilege, privilege);
    });
  }

  it('successorOf finds the same user with the same password, and its new privilege', () => {
    const account = LIST.verify(B('app'), B('secret'));
    assert.ok(account);
    const entry = { username: 'app', password: 'secret', privilege: 'read_only' } as const;
    assert.equal(new Accounts([entry]).successorOf(account)?.privilege, 'read_only');
    assert.equal(new Accounts([{ ...entry, password: 'other' }]).successorOf(account), undefined);
    assert.equal(new Accounts([{ ...entry, username: 'other' }]).successorOf(account), undefined);
  });
});
