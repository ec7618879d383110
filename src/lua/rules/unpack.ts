/** R7: no call of the global unpack or of table.unpack; `script_check_unpack: args` allows it behind the command's name. */
import { LUA } from '../../resp/errors.ts';
import type { Rule } from '../rule.ts';

const ADVICE =
  'pass the elements one by one, in a loop if need be; script_check_unpack: args allows it behind the command';

export const unpack: Rule = {
  id: 'unpack',
  texts: [LUA.unpack],
  check({ facts, policy }) {
    return facts.unpackCalls
      .filter((call) => policy.unpack === 'reject' || !call.isArgument)
      .map(({ start }) => ({ site: start, text: LUA.unpack, advice: ADVICE }));
  },
};
