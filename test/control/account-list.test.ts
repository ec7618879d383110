import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { accountsFrom } from '../../src/control/account-list.ts';

describe('accountsFrom', () => {
  let folder: string;
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'evalgate-accounts-'));
  });
  after(() => rmSync(folder, { recursive: true }));

  function withFiles(...files: string[]) {
    const accounts = files.map((content, i) => {
      const path = join(folder, String(i));
      if (content === 'no file') rmSync(path, { force: true });
      else writeFileSync(path, content);
      return { username: String(i), password_file: path, privilege: 'read_write' } as const;
    });
    return accountsFrom({ accounts });
  }

  it('reads passwords from files, without one line end', () => {
    const accounts = withFiles('a', 'b\n', 'c\r\n', 'd\n\n', ' e ');
    for (const [i, password] of ['a', 'b', 'c', 'd\n', ' e '].entries()) {
      assert.ok(accounts.verify(Buffer.from(String(i)), Buffer.from(password)), password);
    }
  });

  it('names every file that cannot be used', () => {
    assert.throws(
      () => withFiles('a', 'no file', '\r\n'),
      /accounts\[1\]\.password_file .*there is no such file.*accounts\[2\]\.password_file .*it is empty/,
    );
  });
});
