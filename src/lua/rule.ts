/**
 * What a rule is: data (its name and its texts) plus one function that finds where a script breaks it. A rule knows no
 * order, no profile and no line numbers; check.ts puts the violations of all rules in order.
 */
import type { CommandTable } from '../command/table.ts';
import type { LUA } from '../resp/errors.ts';
import type { Access } from './access.ts';
import type { CallSite } from './call-site.ts';
import type { Facts } from './facts.ts';
import type { Mention } from './mention.ts';

/** What decides a script's verdict, besides its text: frozen switches of the config (SPEC.md 2). */
export interface CheckPolicy {
  readonly profile: 'tair' | 'tair_legacy' | 'safe';
  readonly unpack: 'reject' | 'args';
  readonly alias: 'reject' | 'resolve';
  /** A larger body is not analysed. */
  readonly maxBytes: number;
}

/** A script as the rules see it. All lists are empty when it does not parse. */
export interface Script {
  /** One character a byte of the body. */
  readonly text: string;
  readonly isParsed: boolean;
  readonly facts: Facts;
  /** Where redis.call is mentioned, by the tokens: only for a script that does not parse. */
  readonly mentions: readonly Mention[];
  readonly access: Access;
  /** The call sites that the policy judges: without those of aliases when these are refused as such. */
  readonly sites: readonly CallSite[];
  readonly policy: CheckPolicy;
  readonly table: CommandTable;
}

export interface Violation {
  /** Where the violation stands in the order of findings: the start of its call site. */
  readonly site: number;
  /** What a person should look at, when that is another place. */
  readonly at?: number;
  /** The error as it goes over the wire. */
  readonly text: string;
  /** What to change. */
  readonly advice: string;
}

/** An entry of the table of wire errors, or what makes one. */
export type WireText = (typeof LUA)[keyof typeof LUA];

export interface Rule {
  /** Names its file, its test and its heading in docs/rules.md. */
  readonly id: string;
  /** Every text that the rule can give. */
  readonly texts: readonly WireText[];
  check(script: Script): readonly Violation[];
}

/** A rule that looks at one call site at a time, and finds one violation there at most. */
export function siteRule(
  rule: Pick<Rule, 'id' | 'texts'>,
  judge: (site: CallSite, script: Script) => Pick<Violation, 'text' | 'advice'> | undefined,
): Rule {
  return {
    ...rule,
    check: (script) =>
      script.sites.flatMap((site) => {
        const violation = judge(site, script);
        return violation === undefined ? [] : [{ site: site.start, ...violation }];
      }),
  };
}
