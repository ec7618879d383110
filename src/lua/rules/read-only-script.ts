/** R12b: no write command in a script that comes by EVAL_RO or EVALSHA_RO. It counts for these calls, in every profile. */
import { LUA } from '../../resp/errors.ts';
import type { Rule } from '../rule.ts';

const ADVICE = 'send it with EVAL or EVALSHA';

export const readOnlyScript: Rule = {
  id: 'read-only-script',
  texts: [LUA.writeInReadOnlyScript],
  check({ access }) {
    return access.writes.map((site) => ({ site: site.start, text: LUA.writeInReadOnlyScript, advice: ADVICE }));
  },
};
