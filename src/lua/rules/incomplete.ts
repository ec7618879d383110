/** R5, the closing one: a `redis.call(` that is never closed. Only a script that does not parse can hold one. */
import { LUA } from '../../resp/errors.ts';
import type { Rule } from '../rule.ts';

export const incomplete: Rule = {
  id: 'incomplete',
  texts: [LUA.incomplete],
  check({ mentions }) {
    return mentions
      .filter((mention) => mention.isUnclosed)
      .map(({ start }) => ({ site: start, text: LUA.incomplete, advice: 'close the parenthesis of this call' }));
  },
};
