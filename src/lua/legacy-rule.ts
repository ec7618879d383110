/** The rules of old proxy versions that have texts of their own for some commands (R9 to R11). */
import type { CallSite } from './call-site.ts';
import { type Rule, siteRule } from './rule.ts';

export interface LegacyRule extends Rule {
  /** Lower case. The rule `keys-array` leaves these commands alone. */
  readonly commands: readonly string[];
}

/** A rule for some commands; `judge` gives the wire text, if any. */
export function legacyRule(
  rule: Pick<LegacyRule, 'id' | 'texts' | 'commands'> & { readonly advice: string },
  judge: (site: CallSite) => string | undefined,
): LegacyRule {
  const { advice, commands } = rule;
  const checked = siteRule(rule, (site) => {
    if (site.command === undefined || !commands.includes(site.command.name)) return undefined;
    const text = judge(site);
    return text === undefined ? undefined : { text, advice };
  });
  return { ...checked, commands };
}
