import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { IDLE_USER_MS, Identities, MAX_USERS } from '../../src/upstream/access.ts';

const B = (text: string) => Buffer.from(text);

function identities(): Identities {
  return new Identities({ username: undefined, password: 'own' });
}

describe('Identities', () => {
  it('gives the same identity for the same user and password only', () => {
    const all = identities();
    const one = all.user(B('a'), B('bc'));
    assert.equal(all.user(B('a'), B('bc')), one);
    for (const [username, password] of [
      ['a', 'bd'],
      ['ab', 'c'],
      ['A', 'bc'],
      ['', 'abc'],
    ] as const) {
      assert.notEqual(all.user(B(username), B(password)), one, `${username} ${password}`);
    }
    assert.equal(one?.access(2), one?.access(2));
    assert.notEqual(one?.access(2), one?.access(3));
  });

  it('keeps a copy of the credentials', () => {
    const password = B('secret');
    const user = identities().user(B('a'), password);
    password.fill(0);
    assert.equal(user?.password?.toString(), 'secret');
  });

  it('forgets users whom no session holds for long, and only those', () => {
    const all = identities();
    const [used, unused] = [all.user(B('used'), B('x')), all.user(B('unused'), B('x'))];
    used?.hold();
    all.forgetUnused(performance.now() + IDLE_USER_MS - 1000);
    assert.equal(unused?.isForgotten, false);
    all.forgetUnused(performance.now() + IDLE_USER_MS + 1000);
    assert.deepEqual([used?.isForgotten, unused?.isForgotten], [false, true]);
    assert.notEqual(all.user(B('unused'), B('x')), unused);
    used?.release();
    all.forgetUnused(performance.now() + IDLE_USER_MS + 1000);
    assert.equal(used?.isForgotten, true);
  });

  it(`knows at most ${MAX_USERS} users that are in use`, () => {
    const all = identities();
    for (let i = 0; i < MAX_USERS; i++) all.user(B(`user ${i}`), B('x'))?.hold();
    assert.equal(all.user(B('one more'), B('x')), undefined);
    const known = all.user(B('user 7'), B('x'));
    assert.ok(known, 'whoever is known stays');
    known.release();
    while (known.unusedMs(performance.now()) <= 0);
    assert.ok(all.user(B('one more'), B('x')));
    assert.equal(known.isForgotten, true);
  });
});
