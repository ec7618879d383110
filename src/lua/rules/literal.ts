/** R4: the command's name must be one string literal. */
import { LUA } from '../../resp/errors.ts';
import { siteRule } from '../rule.ts';

const ADVICE = "write the command's name out as a string: one call for each command";

export const literal = siteRule({ id: 'literal', texts: [LUA.literal] }, (site) =>
  // What is called without parentheses is refused for that.
  site.name === undefined && site.form === 'parentheses' ? { text: LUA.literal, advice: ADVICE } : undefined,
);
