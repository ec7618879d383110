/** Checks as tests write them: from a text, with the shipped table. */
import { slotOf } from '../../../src/cluster/slot.ts';
import { SHIPPED_TABLE } from '../../../src/command/table.ts';
import { check } from '../../../src/lua/check.ts';
import { judgeCall } from '../../../src/lua/judge-call.ts';
import type { CallArguments } from '../../../src/lua/judge-template.ts';
import type { Report } from '../../../src/lua/report.ts';
import type { CheckPolicy } from '../../../src/lua/rule.ts';

export const TAIR: CheckPolicy = { profile: 'tair', unpack: 'reject', alias: 'reject', maxBytes: 262_144 };
export const LEGACY: CheckPolicy = { ...TAIR, profile: 'tair_legacy' };
export const SAFE: CheckPolicy = { ...TAIR, profile: 'safe' };
export const RESOLVE: CheckPolicy = { ...TAIR, alias: 'resolve' };

/** The report of a script (one character a byte). */
export function reportFor(text: string, policy: CheckPolicy = TAIR): Report {
  return check(Buffer.from(text, 'latin1'), policy, SHIPPED_TABLE);
}

/** What `safe` says of one call: proven, unproven, or the text of its refusal. */
export function verdictOf(text: string, keys: readonly string[], argv: readonly string[] = []): string {
  const report = reportFor(text, SAFE);
  if (report.refusal !== undefined) return report.refusal;
  if (report.conditions === undefined) return report.keys;
  const verdict = judgeCall(report.conditions, callOf(keys, argv));
  return verdict.kind === 'refused' ? verdict.finding.text : verdict.kind;
}

/** A call's arguments, one after the other in one buffer. */
export function callOf(keys: readonly string[], argv: readonly string[]): CallArguments {
  const all = [...keys, ...argv].map((text) => Buffer.from(text, 'latin1'));
  const starts: number[] = [];
  let length = 0;
  for (const one of all) {
    starts.push(length);
    length += one.length;
  }
  const bytes = Buffer.concat(all);
  const start = (index: number) => starts[index] ?? length;
  const end = (index: number) => start(index + 1);
  return {
    bytes,
    slot: keys.length === 0 ? 0 : slotOf(bytes, 0, end(0)),
    keyCount: keys.length,
    keyStart: start,
    keyEnd: end,
    argvCount: argv.length,
    argvStart: (index) => start(keys.length + index),
    argvEnd: (index) => end(keys.length + index),
  };
}
