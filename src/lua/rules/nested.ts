/** R3: no call of redis.call or redis.pcall anywhere inside the parentheses of another. */
import { LUA } from '../../resp/errors.ts';
import type { CallSite } from '../call-site.ts';
import type { Rule, Violation } from '../rule.ts';

const ADVICE = 'put the result of the inner call into a local first';

export const nested: Rule = {
  id: 'nested',
  texts: [LUA.nested],
  check({ sites }) {
    const judged = new Set(sites);
    // The outer call is what breaks the rule; its first inner call is what to look at.
    const innerOf = new Map<CallSite, CallSite>();
    for (const site of sites) {
      let outer = site.parent;
      while (outer !== undefined && !judged.has(outer)) outer = outer.parent;
      if (outer !== undefined && !innerOf.has(outer)) innerOf.set(outer, site);
    }
    return [...innerOf].map(([outer, inner]): Violation => {
      return { site: outer.start, at: inner.start, text: LUA.nested, advice: ADVICE };
    });
  },
};
