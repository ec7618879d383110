/**
 * R12a: a read-only account may run only commands that are flagged readonly. Part of no profile: it counts for calls
 * of such accounts, with the checks switched off too.
 */
import { LUA } from '../../resp/errors.ts';
import type { Rule } from '../rule.ts';

const ADVICE = 'use an account with privilege: read_write';

export const writePrivilege: Rule = {
  id: 'write-privilege',
  texts: [LUA.writeWithoutPrivilege],
  check({ access }) {
    return access.nonReads.map((site) => ({ site: site.start, text: LUA.writeWithoutPrivilege, advice: ADVICE }));
  },
};
