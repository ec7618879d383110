/**
 * R8: every key must be exactly `KEYS[<number>]`. The check is about the text: what was assigned to KEYS[1] before does
 * not matter, and KEYS in the place of a value may stand in any expression.
 */
import { KeyPositions, keyPositions } from '../../command/key-positions.ts';
import { LUA } from '../../resp/errors.ts';
import { type CallSite, isKeysElement, SiteArguments } from '../call-site.ts';
import { siteRule } from '../rule.ts';
import { sort } from './sort.ts';
import { xread } from './xread.ts';
import { zstore } from './zstore.ts';

const ADVICE = 'pass the key in the KEYS array and write KEYS[n] here, with a number: no expression, no local, no ARGV';

/** Commands whose keys have texts of their own. */
const OTHERS: ReadonlySet<string> = new Set([zstore, xread, sort].flatMap((rule) => rule.commands));

/** The old proxies take the channel for a key; COMMAND does not. */
const PUBLISH_CHANNEL = 1;

export const keysArray = siteRule({ id: 'keys-array', texts: [LUA.keysArray] }, (site) => {
  const isWrong = keyIndexes(site).some((index) => !isKeysElement(site.args[index]));
  return isWrong ? { text: LUA.keysArray, advice: ADVICE } : undefined;
});

function keyIndexes({ args, command }: CallSite): number[] {
  if (command === undefined || OTHERS.has(command.name)) return [];
  if (command.name === 'publish') return args.length > PUBLISH_CHANNEL ? [PUBLISH_CHANNEL] : [];
  const positions = new KeyPositions();
  keyPositions(command.spec, new SiteArguments(args), positions);
  return Array.from({ length: positions.count }, (_, i) => positions.at(i));
}
