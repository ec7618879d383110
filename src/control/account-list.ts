/**
 * The accounts that the config names, with their passwords: from the config itself, or each from a file of its own.
 * Called at start and reload.
 */
import { readFileSync } from 'node:fs';
import { OperatorError } from '../base/operator-error.ts';
import { type AccountEntry, Accounts } from '../session/accounts.ts';
import type { Config } from './config.ts';
import { type Change, MASK } from './config-diff.ts';

/** Throws an OperatorError that names every password file that cannot be used. */
export function accountsFrom({ accounts }: Pick<Config, 'accounts'>): Accounts {
  const problems: string[] = [];
  const entries = accounts.map(({ username, privilege, ...secret }, index): AccountEntry => {
    const path = secret.password_file;
    const password = path === undefined ? (secret.password ?? '') : passwordIn(path, index, problems);
    return { username, password, privilege };
  });
  if (problems.length > 0) {
    throw new OperatorError('EVALGATE_CONFIG', `Cannot use the accounts of the config: ${problems.join('; ')}`);
  }
  return new Accounts(entries);
}

/** That passwords changed in their files: the lists were made from the same config. */
export function changedPasswords(before: Accounts, now: Accounts): Change[] {
  return now.equals(before) ? [] : [{ key: 'accounts', from: MASK, to: MASK }];
}

/** The files that hold passwords. */
export function passwordPaths({ accounts }: Pick<Config, 'accounts'>): string[] {
  return accounts.flatMap(({ password_file: path }) => (path === undefined ? [] : [path]));
}

/** All bytes of the file but one line end behind them. */
function passwordIn(path: string, index: number, problems: string[]): Buffer {
  const problem = (text: string): Buffer => {
    problems.push(
      `accounts[${index}].password_file must be a file with a password, ${text}: current value is "${path}"`,
    );
    return Buffer.alloc(0);
  };
  try {
    const bytes = readFileSync(path);
    const end = bytes.at(-1) !== 0x0a ? bytes.length : bytes.at(-2) === 0x0d ? bytes.length - 2 : bytes.length - 1;
    return end === 0 ? problem('it is empty') : bytes.subarray(0, end);
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    return problem(code === 'ENOENT' ? 'there is no such file' : message);
  }
}
