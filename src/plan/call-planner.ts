/**
 * Plans EVAL, EVALSHA, EVAL_RO, EVALSHA_RO, FCALL and FCALL_RO.
 *
 * Scripts are judged in one order, and the first that fails answers: arity (by the planner), numkeys is an integer,
 * keys are there, the arguments hold them, the keys share a slot. Functions are the node's to judge, except
 * for keys in several slots.
 */
import { slotOf } from '../cluster/slot.ts';
import type { Command } from '../command/table.ts';
import { errorLine, REDIS, TAIR } from '../resp/errors.ts';
import type { Request } from '../resp/request.ts';
import type { Script } from '../script/script.ts';
import { SHA_LENGTH, shaOf, shaPrefix } from '../script/sha.ts';
import { ANY_SLOT, type CallPlan, type Plan } from './plan.ts';
import type { PlannerOptions } from './planner.ts';

const NUMKEYS = 2;
const FIRST_KEY = 3;
const CROSS_SLOT = -2;

const NOT_AN_INTEGER = refuse(REDIS.notAnInteger);
const KEYLESS = refuse(TAIR.keyless);
const NEGATIVE_KEYS = refuse(REDIS.negativeKeys);
const TOO_MANY_KEYS = refuse(REDIS.tooManyKeys);

export class CallPlanner {
  readonly #options: PlannerOptions;
  readonly #plan: CallPlan = {
    kind: 'call',
    slot: 0,
    script: undefined,
    form: 'eval',
    isReadOnly: false,
    keyCount: 0,
  };

  constructor(options: PlannerOptions) {
    this.#options = options;
  }

  plan(command: Command, request: Request): Plan {
    return command.handling === 'fcall' ? this.#planFunction(command, request) : this.#planScript(command, request);
  }

  #planScript(command: Command, request: Request): Plan {
    const keyCount = request.integerAt(NUMKEYS);
    if (Number.isNaN(keyCount)) return NOT_AN_INTEGER;
    if (keyCount <= 0) {
      if (this.#options.policy.keylessScripts === 'reject') return KEYLESS;
      if (keyCount < 0) return NEGATIVE_KEYS;
    }
    if (keyCount > request.argc - FIRST_KEY) return TOO_MANY_KEYS;
    const slot = slotOfKeys(request, keyCount);
    if (slot === CROSS_SLOT) return refuse(TAIR.sameSlot(command.name.toUpperCase()));
    const plan = this.#plan;
    plan.form = command.handling === 'eval' ? 'eval' : 'evalsha';
    plan.script = plan.form === 'eval' ? this.#learn(request) : this.#find(request);
    plan.slot = slot === ANY_SLOT ? homeSlot(request, plan.form, plan.script) : slot;
    plan.isReadOnly = command.isReadonly;
    plan.keyCount = keyCount;
    return plan;
  }

  #find(request: Request): Script | undefined {
    const { registry } = this.#options;
    const script = registry.find(request.bytes, request.argStart(1), request.argEnd(1));
    if (script !== undefined) registry.touch(script);
    return script;
  }

  /** The script of an EVAL: from now on its sha is known, if there is room. */
  #learn(request: Request): Script | undefined {
    const { registry } = this.#options;
    const start = request.argStart(1);
    const end = request.argEnd(1);
    const known = registry.findByBody(request.bytes, start, end);
    if (known === undefined) return registry.learn(request.bytes.subarray(start, end));
    registry.touch(known);
    return known;
  }

  /** A call in any case: without keys too it may return what looks like a refusal, and must not run twice (C4). */
  #planFunction(command: Command, request: Request): Plan {
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
    return plan;
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
