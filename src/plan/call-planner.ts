/**
 * Plans EVAL, EVALSHA, EVAL_RO, EVALSHA_RO, FCALL and FCALL_RO.
 *
 * Scripts are judged in one order, and the first that fails answers: arity (by the planner), numkeys is an integer,
 * keys are there, the arguments hold them, the Lua checks of the script, the keys share a slot, the Lua checks of the
 * call (profile `safe`). Functions are the node's to judge, except for keys in several slots.
 */
import { slotOf } from '../cluster/slot.ts';
import type { Command } from '../command/table.ts';
import type { CallArguments } from '../lua/judge-template.ts';
import { errorLine, REDIS, TAIR } from '../resp/errors.ts';
import type { Request } from '../resp/request.ts';
import type { Checked, Script } from '../script/script.ts';
import { SHA_LENGTH, shaOf, shaPrefix } from '../script/sha.ts';
import { ANY_SLOT, type CallPlan, type Plan } from './plan.ts';
import type { PlannerOptions } from './planner.ts';

const NUMKEYS = 2;
const FIRST_KEY = 3;
const CROSS_SLOT = -2;

const NO_BYTES = new Uint8Array(0);

const NOT_AN_INTEGER = refuse(REDIS.notAnInteger);
const KEYLESS = refuse(TAIR.keyless);
const NEGATIVE_KEYS = refuse(REDIS.negativeKeys);
const TOO_MANY_KEYS = refuse(REDIS.tooManyKeys);

/** What becomes of a script call of a read-only account (R12a). */
export type AccountVerdict =
  /** Proven to only read, or refused for another reason. */
  | { readonly kind: 'free' }
  /** Nobody knows: the node has to enforce it. */
  | { readonly kind: 'unproven' }
  | { readonly kind: 'refused'; readonly text: string };

export class CallPlanner {
  readonly #options: PlannerOptions;
  readonly #plan: CallPlan = {
    kind: 'call',
    slot: 0,
    script: undefined,
    form: 'eval',
    isReadOnly: false,
    keyCount: 0,
    isReplicaRead: false,
  };
  readonly #call = new RequestCall();

  constructor(options: PlannerOptions) {
    this.#options = options;
  }

  plan(command: Command, request: Request): Plan {
    return command.handling === 'fcall' ? this.#planFunction(command, request) : this.#planScript(command, request);
  }

  #planScript(command: Command, request: Request): Plan {
    const keyCount = request.integerAt(NUMKEYS);
    const misfit = this.#judgeKeyCount(keyCount, request.argc);
    if (misfit !== undefined) return misfit;
    const isEval = command.handling === 'eval';
    const known = isEval ? this.#findByBody(request) : this.#findBySha(request);
    const checked = known === undefined ? this.#checkUnknown(request, isEval) : this.#options.checks.ofScript(known);
    const slot = slotOfKeys(request, keyCount);
    const refusal = this.#judge(command, checked, this.#call.of(request, slot, keyCount));
    if (refusal !== undefined) return refuse(refusal);
    const plan = this.#plan;
    plan.form = isEval ? 'eval' : 'evalsha';
    plan.script = known ?? (isEval ? this.#learn(request) : undefined);
    plan.slot = slot === ANY_SLOT ? homeSlot(request, plan.form, plan.script) : slot;
    plan.isReadOnly = command.isReadonly;
    plan.keyCount = keyCount;
    plan.isReplicaRead = this.#isReplicaRead(command, checked);
    return plan;
  }

  /** Refuses a script that certainly writes; with the checks off too. */
  judgeForAccount(command: Command, request: Request): AccountVerdict {
    const { checks, registry } = this.#options;
    if (this.#judgeKeyCount(request.integerAt(NUMKEYS), request.argc) !== undefined) return { kind: 'free' };
    const [bytes, start, end] = [request.bytes, request.argStart(1), request.argEnd(1)] as const;
    const isEval = command.handling === 'eval';
    const known = isEval ? registry.findByBody(bytes, start, end) : registry.find(bytes, start, end);
    const body = known?.body ?? (isEval ? request.argView(1) : undefined);
    return body === undefined ? { kind: 'unproven' } : checks.judgeForAccount(body, known?.sha);
  }

  #judgeKeyCount(keyCount: number, argc: number): Plan | undefined {
    if (Number.isNaN(keyCount)) return NOT_AN_INTEGER;
    if (keyCount <= 0) {
      if (this.#options.policy.keylessScripts === 'reject') return KEYLESS;
      if (keyCount < 0) return NEGATIVE_KEYS;
    }
    return keyCount > argc - FIRST_KEY ? TOO_MANY_KEYS : undefined;
  }

  /** The text that refuses the call: by what the script is, by the slots of its keys, by what it does with them. */
  #judge(command: Command, checked: Checked | undefined, call: RequestCall): string | undefined {
    const { checks } = this.#options;
    if (checked !== undefined) {
      const refusal = checks.refusalOf(checked, command.isReadonly);
      if (refusal !== undefined) return refusal;
    }
    if (call.slot === CROSS_SLOT) return TAIR.sameSlot(command.name.toUpperCase());
    return checked !== undefined && checks.judgesCalls ? checks.refusalOfCall(checked, call) : undefined;
  }

  /** What is known of a script that the registry does not hold. */
  #checkUnknown(request: Request, isEval: boolean): Checked | undefined {
    const { checks } = this.#options;
    if (checks.isOff) return undefined;
    return isEval ? checks.ofBody(request.argView(1)) : checks.ofSha(request.argText(1));
  }

  #findBySha(request: Request): Script | undefined {
    const { registry } = this.#options;
    const script = registry.find(request.bytes, request.argStart(1), request.argEnd(1));
    if (script !== undefined) registry.touch(script);
    return script;
  }

  #findByBody(request: Request): Script | undefined {
    const { registry } = this.#options;
    const script = registry.findByBody(request.bytes, request.argStart(1), request.argEnd(1));
    if (script !== undefined) registry.touch(script);
    return script;
  }

  /** The body of an EVAL: from now on its sha is known, if there is room. */
  #learn(request: Request): Script | undefined {
    return this.#options.registry.learn(request.argView(1));
  }

  /** A call in any case: without keys too it may return what looks like a refusal, and must not run twice (C4). */
  #planFunction(command: Command, request: Request): Plan {
    const { policy } = this.#options;
    const keyCount = request.integerAt(NUMKEYS);
    const isJudgeable = keyCount > 0 && keyCount <= request.argc - FIRST_KEY;
    const slot = isJudgeable ? slotOfKeys(request, keyCount) : ANY_SLOT;
    if (slot === CROSS_SLOT) return refuse(TAIR.sameSlot(command.name.toUpperCase()));
    const plan = this.#plan;
    plan.form = 'function';
    plan.script = undefined;
    plan.slot = slot;
    plan.isReadOnly = command.isReadonly;
    plan.keyCount = isJudgeable ? keyCount : 0;
    plan.isReplicaRead = command.isReplicaRead && slot !== ANY_SLOT && policy.replicaReads?.commands === true;
    return plan;
  }

  /** Whether the script call that was planned only reads, as far as the config asks for that. */
  #isReplicaRead(command: Command, checked: Checked | undefined): boolean {
    const { replicaReads } = this.#options.policy;
    if (replicaReads === undefined) return false;
    // A sha that only nodes know, perhaps only the primary does.
    if (this.#plan.form === 'evalsha' && this.#plan.script === undefined) return false;
    return command.isReplicaRead || (replicaReads.provenScripts && checked?.report.isReadOnly === true);
  }
}

/** A request as the Lua checks see a call: one object, filled anew. */
class RequestCall implements CallArguments {
  slot = 0;
  keyCount = 0;
  #request: Request | undefined;

  of(request: Request, slot: number, keyCount: number): this {
    this.#request = request;
    this.slot = slot;
    this.keyCount = keyCount;
    return this;
  }

  get bytes(): Uint8Array {
    return this.#request?.bytes ?? NO_BYTES;
  }

  get argvCount(): number {
    return (this.#request?.argc ?? FIRST_KEY + this.keyCount) - FIRST_KEY - this.keyCount;
  }

  keyStart(index: number): number {
    return this.#request?.argStart(FIRST_KEY + index) ?? 0;
  }

  keyEnd(index: number): number {
    return this.#request?.argEnd(FIRST_KEY + index) ?? 0;
  }

  argvStart(index: number): number {
    return this.#request?.argStart(FIRST_KEY + this.keyCount + index) ?? 0;
  }

  argvEnd(index: number): number {
    return this.#request?.argEnd(FIRST_KEY + this.keyCount + index) ?? 0;
  }
}

function slotOfKeys(request: Request, keyCount: number): number {
  const { bytes } = request;
  let slot = ANY_SLOT;
  for (let index = FIRST_KEY; index < FIRST_KEY + keyCount; index++) {
    const other = slotOf(bytes, request.argStart(index), request.argEnd(index));
    if (slot !== ANY_SLOT && slot !== other) return CROSS_SLOT;
    slot = other;
  }
  return slot;
}

/** A slot for a script without keys: always the same for the same script, so that few nodes hold it. */
function homeSlot(request: Request, form: CallPlan['form'], script: Script | undefined): number {
  const start = request.argStart(1);
  const end = request.argEnd(1);
  if (script !== undefined) return shaPrefix(script.shaBytes, 0) & 0x3fff;
  if (form === 'eval') return shaPrefix(Buffer.from(shaOf(request.bytes.subarray(start, end))), 0) & 0x3fff;
  const prefix = end - start === SHA_LENGTH ? shaPrefix(request.bytes, start) : 0;
  return prefix < 0 ? 0 : prefix & 0x3fff;
}

function refuse(text: string): Plan {
  return { kind: 'reply', bytes: errorLine(text) };
}
