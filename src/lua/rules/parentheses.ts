/**
 * R5, the opening one: redis.call and redis.pcall must be called with `(` on the spot. In a script that does not parse
 * the tokens are looked at instead of the tree.
 */
import { LUA } from '../../resp/errors.ts';
import type { Rule, Script, Violation } from '../rule.ts';

const ADVICE = 'write redis.call(…) out at every call; script_check_alias: resolve allows `local X = redis.call`';

export const parentheses: Rule = {
  id: 'parentheses',
  texts: [LUA.parenthesis],
  check(script) {
    const places = script.isParsed ? placesInTree(script) : placesInTokens(script);
    return places.map((site): Violation => ({ site, text: LUA.parenthesis, advice: ADVICE }));
  },
};

function placesInTree({ sites, facts, policy }: Script): number[] {
  const odd = sites.filter((site) => site.form !== 'parentheses');
  const stray = policy.alias === 'resolve' ? [] : facts.strayReferences;
  return [...odd, ...stray].map((place) => place.start);
}

function placesInTokens({ mentions, policy }: Script): number[] {
  const isWrong = (next: string) => (policy.alias === 'resolve' ? /^["'[{]$/.test(next) : next !== '(');
  return mentions.filter((mention) => isWrong(mention.next)).map((mention) => mention.start);
}
