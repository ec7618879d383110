/** R10: XREAD and XREADGROUP, whose keys follow the word STREAMS. */
import { LUA } from '../../resp/errors.ts';
import { isKeysElement, SiteArguments } from '../call-site.ts';
import { type LegacyRule, legacyRule } from '../legacy-rule.ts';

const ADVICE = "write 'STREAMS', then each stream as KEYS[n], then as many ids";

export const xread: LegacyRule = legacyRule(
  {
    id: 'xread',
    commands: ['xread', 'xreadgroup'],
    texts: [LUA.xreadSyntax, LUA.xreadNoStreams, LUA.xreadKeys],
    advice: ADVICE,
  },
  ({ args, command }) => {
    if (command?.fitsArity(args.length) !== true) return LUA.xreadSyntax;
    const view = new SiteArguments(args);
    const streams = args.findIndex((_, i) => i > 0 && view.isWord(i, 'streams'));
    if (streams < 0) return LUA.xreadNoStreams;
    const streamsAndIds = args.slice(streams + 1);
    const count = streamsAndIds.length / 2;
    if (count === 0 || !Number.isInteger(count)) return LUA.xreadSyntax;
    return streamsAndIds.slice(0, count).every(isKeysElement) ? undefined : LUA.xreadKeys;
  },
);
