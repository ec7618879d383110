/**
 * The Lua checks: body → report. Called once a body (EVAL, EVAL_RO, SCRIPT LOAD, preload, `evalgate check`); the
 * report is kept with it.
 *
 *     body ─▶ parse ─▶ facts (one walk) ─▶ rules of the profile ─▶ findings, in order ─▶ report
 *                 └──▶ profile safe: values of the keys ─▶ conditions for judge-call.ts
 */
import type { CommandTable } from '../command/table.ts';
import { accessOf } from './access.ts';
import { type Facts, factsOf } from './facts.ts';
import { judgeKeys, type KeyReport } from './key-conditions.ts';
import { mentionsOf } from './mention.ts';
import { MAX_TOKENS, parseScript } from './parse.ts';
import { RULES, rulesOf } from './profiles.ts';
import type { Finding, Report } from './report.ts';
import type { CheckPolicy, Rule, Script, Violation } from './rule.ts';
import { readOnlyScript } from './rules/read-only-script.ts';
import { writePrivilege } from './rules/write-privilege.ts';
import { Source } from './source.ts';

const NO_FACTS: Facts = { callSites: [], strayReferences: [], unpackCalls: [], opacity: 'the script does not parse' };
const NO_KEYS: KeyReport = { keys: 'unproven', conditions: undefined, hints: [] };

/** More help nobody; the first one answers. */
const MAX_FINDINGS = 100;

/** Judges a body. Never throws. */
export function check(body: Buffer, policy: CheckPolicy, table: CommandTable): Report {
  if (body.length > policy.maxBytes) return notAnalysed(`it is larger than ${policy.maxBytes} bytes`);
  const text = body.toString('latin1');
  const parsed = parseScript(text);
  if (parsed.kind === 'too-long') return notAnalysed(`it has more than ${MAX_TOKENS} tokens`);
  const chunk = parsed.kind === 'parsed' ? parsed.chunk : undefined;
  const facts = chunk === undefined ? undefined : factsOf(chunk, table);
  const source = new Source(text);
  const script = scriptOf(text, facts, { policy, table });
  const isFollowed = policy.profile === 'safe' && chunk !== undefined && facts !== undefined;
  return reportOf(script, source, isFollowed ? judgeKeys(chunk, source, table) : NO_KEYS);
}

function scriptOf(text: string, parsed: Facts | undefined, given: Pick<Script, 'policy' | 'table'>): Script {
  const facts = parsed ?? NO_FACTS;
  const { profile, alias } = given.policy;
  const hidesAliases = profile !== 'safe' && alias === 'reject';
  return {
    ...given,
    text,
    facts,
    isParsed: parsed !== undefined,
    mentions: parsed === undefined && profile !== 'safe' ? mentionsOf(text) : [],
    access: accessOf(text, facts),
    sites: hidesAliases ? facts.callSites.filter((site) => !site.isAlias) : facts.callSites,
  };
}

function notAnalysed(reason: string): Report {
  return {
    findings: [],
    refusal: undefined,
    refusalReadOnlyScript: undefined,
    refusalReadOnlyAccount: undefined,
    writesWithoutPrivilege: false,
    isReadOnly: false,
    isOpaque: true,
    notAnalysed: reason,
    ...NO_KEYS,
  };
}

function reportOf(script: Script, source: Source, keys: KeyReport): Report {
  const broken = rulesOf(script.policy.profile)
    .flatMap((rule) => brokenBy(script, rule))
    .sort(inOrder);
  const [first] = broken;
  return {
    findings: broken.slice(0, MAX_FINDINGS).map((one) => findingOf(one, source)),
    refusal: first?.violation.text,
    refusalReadOnlyScript: firstOf(first, brokenBy(script, readOnlyScript), source),
    refusalReadOnlyAccount: firstOf(first, brokenBy(script, writePrivilege), source),
    writesWithoutPrivilege: script.access.nonReads.length > 0,
    isReadOnly: script.isParsed && script.access.isReadOnly,
    isOpaque: script.access.isOpaque,
    notAnalysed: script.isParsed ? undefined : 'it does not parse',
    ...keys,
  };
}

interface Broken {
  readonly rule: Rule;
  readonly violation: Violation;
}

function brokenBy(script: Script, rule: Rule): Broken[] {
  return rule.check(script).map((violation) => ({ rule, violation }));
}

/** By call site as in the source; for one site in the order of RULES. */
function inOrder(a: Broken, b: Broken): number {
  return a.violation.site - b.violation.site || RULES.indexOf(a.rule) - RULES.indexOf(b.rule);
}

/** What answers when one more rule counts. */
function firstOf(first: Broken | undefined, more: readonly Broken[], source: Source): Finding | undefined {
  const all = [...(first === undefined ? [] : [first]), ...more.slice(0, 1)];
  const [broken] = all.sort(inOrder);
  return broken === undefined ? undefined : findingOf(broken, source);
}

function findingOf({ rule, violation: { site, at, text, advice } }: Broken, source: Source): Finding {
  const { line, column } = source.positionOf(at ?? site);
  return { rule: rule.id, severity: 'error', text, line, column, sourceLine: source.lineText(line), advice };
}
