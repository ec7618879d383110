/**
 * Holds scripts against the Lua checks: once a body, then the report is kept. One object for one policy and one command
 * table; a new policy makes a new object, by which every script is judged anew when it is used next.
 *
 *     held by the registry ─▶ what was found stands on the script
 *     anything else ────────▶ among the last REMEMBERED shas: so a sha that was refused stays refused, whether or not
 *                             a node has it, and a body that comes again is not parsed again
 */
import type { CommandTable } from '../command/table.ts';
import { check } from '../lua/check.ts';
import { judgeCall } from '../lua/judge-call.ts';
import type { CallArguments } from '../lua/judge-template.ts';
import type { Finding, Report } from '../lua/report.ts';
import { LUA } from '../resp/errors.ts';
import type { Checked, Script } from '../script/script.ts';
import { type Sha, shaOf } from '../script/sha.ts';
import type { AccountVerdict } from './call-planner.ts';
import type { Policy } from './policy.ts';

const REMEMBERED = 10_000;
/** A larger body is not even hashed, which would hold up everybody for longer than 10 ms. */
const MAX_HASHED_BYTES = 16 * 1024 * 1024;

/** What is kept of a report: the finding that answers. The others, and the hints, are for the linter. */
function slim(report: Report): Report {
  return { ...report, findings: report.findings.slice(0, 1), hints: [] };
}

/** A refusal, or what would be one: for the log and the counters. */
export interface Refusal {
  readonly sha: Sha;
  /** Where and why, and the text on the wire. */
  readonly finding: Finding;
  /** Forwarded all the same: mode `observe`. */
  readonly isObserved: boolean;
}

export interface CheckEvents {
  onRefusal(refusal: Refusal): void;
  /** A body that is not analysed, once. */
  onNotAnalysed(sha: Sha, reason: string): void;
}

/** What was found out about calls and bodies; plain counters. */
export class CheckCounters {
  refused = 0;
  observed = 0;
  notAnalysed = 0;
  callsProven = 0;
  callsUnproven = 0;
}

export class ScriptChecks {
  readonly counters: CheckCounters;
  readonly #policy: Policy;
  readonly #table: CommandTable;
  readonly #events: CheckEvents;
  /** What marks a script as judged by this object: scripts must not keep the object itself alive after a reload. */
  readonly #judge = {};
  /** Bodies that the registry does not hold, the least recently asked for first. */
  readonly #remembered = new Map<Sha, Checked>();

  constructor(options: { policy: Policy; table: CommandTable; events: CheckEvents; counters: CheckCounters }) {
    this.#policy = options.policy;
    this.#table = options.table;
    this.#events = options.events;
    this.counters = options.counters;
  }

  get isOff(): boolean {
    return this.#policy.checks === 'off';
  }

  /** What is known of a script that the registry holds; undefined when it is not to be checked. */
  ofScript(script: Script): Checked | undefined {
    if (script.judgedBy === this.#judge) return script.checked;
    script.judgedBy = this.#judge;
    script.checked = this.#isExempt(script.sha)
      ? undefined
      : (this.#recall(script.sha) ?? this.#check(script.body, script.sha));
    return script.checked;
  }

  /** What is known of a body that the registry does not hold (yet). */
  ofBody(body: Buffer): Checked | undefined {
    if (this.isOff) return undefined;
    if (body.length > MAX_HASHED_BYTES) {
      this.counters.notAnalysed++;
      return undefined;
    }
    const sha = shaOf(body);
    if (this.#isExempt(sha)) return undefined;
    return this.#recall(sha) ?? this.#remember(this.#check(body, sha));
  }

  /** What is known of a sha that nobody holds, if its body came by before. */
  ofSha(sha: string): Checked | undefined {
    return this.isOff ? undefined : this.#recall(sha.toLowerCase() as Sha);
  }

  /** All that can be said of a script, for people, whether or not it may be refused: what is kept of a report is less. */
  explain(script: Script): Report {
    return check(script.body, this.#policy.checkPolicy, this.#table);
  }

  /** The text that refuses the script, or undefined: then it may run. Tells of it, and in mode `observe` only tells. */
  refusalOf({ sha, report }: Checked, isReadOnlyForm: boolean): string | undefined {
    const finding = isReadOnlyForm ? report.refusalReadOnlyScript : report.findings[0];
    return finding === undefined ? undefined : this.#refuse(sha, finding);
  }

  /** What a read-only account may do with the script (R12a): also when the checks are off or do not apply to it. */
  judgeForAccount(body: Buffer, knownSha: Sha | undefined): AccountVerdict {
    if (body.length > MAX_HASHED_BYTES) return { kind: 'unproven' };
    const sha = knownSha ?? shaOf(body);
    const { report } = this.#recall(sha) ?? this.#remember(this.#check(body, sha));
    const finding = report.refusalReadOnlyAccount;
    if (!report.writesWithoutPrivilege || finding === undefined) {
      return { kind: report.isReadOnly && !report.isOpaque ? 'free' : 'unproven' };
    }
    this.counters.refused++;
    this.#events.onRefusal({ sha, finding, isObserved: false });
    const isAlone = this.#policy.checks !== 'refuse' || this.#isExempt(sha);
    return { kind: 'refused', text: isAlone ? LUA.writeWithoutPrivilege : finding.text };
  }

  /** Whether calls are judged by their keys and arguments: `refusalOfCall`. */
  get judgesCalls(): boolean {
    return this.#policy.checkPolicy.profile === 'safe';
  }

  /** Profile `safe`: the text that refuses this call, by its keys and arguments; calls that may run are counted. */
  refusalOfCall({ sha, report }: Checked, call: CallArguments): string | undefined {
    const { conditions, keys } = report;
    const verdict = conditions === undefined ? undefined : judgeCall(conditions, call);
    if (verdict?.kind === 'refused') return this.#refuse(sha, verdict.finding);
    if ((verdict?.kind ?? keys) === 'proven') this.counters.callsProven++;
    else this.counters.callsUnproven++;
    return undefined;
  }

  #refuse(sha: Sha, finding: Finding): string | undefined {
    const isObserved = this.#policy.checks === 'observe';
    if (isObserved) this.counters.observed++;
    else this.counters.refused++;
    this.#events.onRefusal({ sha, finding, isObserved });
    return isObserved ? undefined : finding.text;
  }

  #isExempt(sha: Sha): boolean {
    return this.isOff || this.#policy.exempt.has(sha);
  }

  #check(body: Buffer, sha: Sha): Checked {
    const report = slim(check(body, this.#policy.checkPolicy, this.#table));
    if (report.notAnalysed !== undefined) {
      this.counters.notAnalysed++;
      this.#events.onNotAnalysed(sha, report.notAnalysed);
    }
    return { sha, report };
  }

  #recall(sha: Sha): Checked | undefined {
    const checked = this.#remembered.get(sha);
    if (checked === undefined) return undefined;
    this.#remembered.delete(sha);
    this.#remembered.set(sha, checked);
    return checked;
  }

  #remember(checked: Checked): Checked {
    this.#remembered.set(checked.sha, checked);
    if (this.#remembered.size > REMEMBERED) {
      const [oldest] = this.#remembered.keys();
      if (oldest !== undefined) this.#remembered.delete(oldest);
    }
    return checked;
  }
}
