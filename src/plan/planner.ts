/**
 * Decides what happens with a request: bytes in, `Plan` out, nothing else touched but the script registry (a body that
 * is accepted in EVAL is known from then on).
 *
 *     name ─▶ Command ─▶ handling ─▶ keys → slot ─▶ forward │ split │ CROSSSLOT
 *                                 ├▶ script-call.ts: SPEC 3's order of judgement
 *                                 └▶ broadcast by tips, local, walks, refusals
 *
 * What the server can judge better (arity, syntax, unknown commands) is forwarded, so that its own text answers.
 */
import { SLOT_COUNT, slotOf } from '../cluster/slot.ts';
import { reasonOf } from '../command/handling.ts';
import { KeyPositions, keyPositions } from '../command/key-positions.ts';
import type { Command, CommandTable } from '../command/table.ts';
import { EVALGATE, errorLine, REDIS, TAIR } from '../resp/errors.ts';
import type { Request } from '../resp/request.ts';
import type { ScriptRegistry } from '../script/registry.ts';
import { blockPlan, hasBlock } from './blocking.ts';
import { type AccountVerdict, CallPlanner } from './call-planner.ts';
import { ANY_SLOT, forwardTo, type Plan, readFrom } from './plan.ts';
import type { Policy } from './policy.ts';
import { displayName, queuedPlan, scriptInMulti } from './queued.ts';
import type { ScriptChecks } from './script-checks.ts';
import { splitBySlot } from './split.ts';

const CROSS_SLOT = -2;

const CLOSE: Plan = { kind: 'close' };
const SCAN: Plan = { kind: 'scan' };
const RANDOMKEY: Plan = { kind: 'randomkey' };
const WAIT: Plan = { kind: 'wait' };
const LOAD: Plan = { kind: 'script_command', action: 'load' };
const EXISTS: Plan = { kind: 'script_command', action: 'exists' };
const FLUSH: Plan = { kind: 'script_command', action: 'flush' };
const SHOW: Plan = { kind: 'script_command', action: 'show' };
const KILL: Plan = { kind: 'script_command', action: 'kill' };
const STATS: Plan = { kind: 'script_command', action: 'stats' };
const MULTI: Plan = { kind: 'transaction', action: 'multi', slot: ANY_SLOT };
const EXEC: Plan = { kind: 'transaction', action: 'exec', slot: ANY_SLOT };
const DISCARD: Plan = { kind: 'transaction', action: 'discard', slot: ANY_SLOT };
const UNWATCH: Plan = { kind: 'transaction', action: 'unwatch', slot: ANY_SLOT };
const REFUSE_SELECT = refuse(REDIS.select);
const REFUSE_CROSS_SLOT = refuse(REDIS.crossSlot);
const REFUSE_DEBUG = refuse(TAIR.scriptDebug);

export interface PlannerOptions {
  readonly table: CommandTable;
  readonly registry: ScriptRegistry;
  readonly policy: Policy;
  readonly checks: ScriptChecks;
}

export class Planner {
  readonly table: CommandTable;
  /** The command of the request that was planned last. */
  command: Command | undefined;
  readonly #checks: ScriptChecks;
  readonly #calls: CallPlanner;
  readonly #policy: Policy;
  readonly #readsReplicas: boolean;
  readonly #positions = new KeyPositions();

  constructor(options: PlannerOptions) {
    const { table, checks, policy } = options;
    this.table = table;
    this.#checks = checks;
    this.#policy = policy;
    this.#readsReplicas = policy.replicaReads?.commands === true;
    this.#calls = new CallPlanner(options);
  }

  /** The plan for a request; both are borrowed until the next one. */
  plan(request: Request): Plan {
    const command = this.commandOf(request);
    this.command = command;
    if (command === undefined) return isAttack(request) ? CLOSE : forwardTo(ANY_SLOT);
    if (!command.fitsArity(request.argc)) return this.#misfit(command, request);
    if (command.soleKeyIndex > 0 && command.handling === 'keys') {
      const index = command.soleKeyIndex;
      return this.#forward(command, slotOf(request.bytes, request.argStart(index), request.argEnd(index)));
    }
    return this.#planByHandling(command, request);
  }

  /** The plan for a request inside MULTI: what a node can queue goes there, everything else is refused. */
  planQueued(request: Request): Plan {
    const command = this.commandOf(request);
    const refusal = command?.fitsArity(request.argc) ? scriptInMulti(command, this.#policy) : undefined;
    if (refusal === undefined) return queuedPlan(this.plan(request), this.command);
    this.command = command;
    return refuse(refusal);
  }

  /** The command, or the subcommand if it is a container; undefined when the cluster knows none of that name. */
  commandOf(request: Request): Command | undefined {
    const { bytes } = request;
    const command = this.table.find(bytes, request.argStart(0), request.argEnd(0));
    if (command?.subcommands === undefined || request.argc < 2) return command;
    return (
      command.subcommands.find(bytes, request.argStart(1), request.argEnd(1)) ?? unknownSubcommand(command, request)
    );
  }

  /** What a script may do for a read-only account. */
  judgeForAccount(command: Command, request: Request): AccountVerdict {
    return this.#calls.judgeForAccount(command, request);
  }

  /** Wrong arity: the node's own text, except for scripts, whose text is ours to keep, and what it must not see. */
  #misfit(command: Command, request: Request): Plan {
    switch (command.handling) {
      case 'eval':
      case 'evalsha':
        return refuse(REDIS.arity(command.name));
      case 'script_debug':
        return REFUSE_DEBUG;
      case 'unsupported':
        return refusal(command, request);
      case 'local':
      case 'client':
      case 'cluster':
      case 'transaction':
        return refuse(REDIS.arity(command.name));
      default:
        return forwardTo(ANY_SLOT);
    }
  }

  #planByHandling(command: Command, request: Request): Plan {
    switch (command.handling) {
      case 'keys':
        return this.#planKeys(command, request);
      case 'split':
        return this.#planSplit(command, request);
      case 'any':
        return forwardTo(ANY_SLOT);
      case 'broadcast':
        return broadcast(command);
      case 'eval':
      case 'evalsha':
      case 'fcall':
        return this.#calls.plan(command, request);
      case 'xread':
        return hasBlock(request) ? this.#planBlock(command, request) : this.#planKeys(command, request);
      case 'block':
        return this.#planBlock(command, request);
      case 'transaction':
        return this.#planTransaction(command, request);
      case 'wait':
        return WAIT;
      case 'subscription':
        return this.#planSubscription(command, request);
      case 'pubsub':
        return { kind: 'pubsub', command };
      case 'local':
      case 'client':
      case 'cluster':
        return { kind: 'local', command };
      case 'slot_number':
        return forwardTo(slotNamedBy(request));
      case 'select':
        return namesOtherDatabase(request) ? REFUSE_SELECT : forwardTo(ANY_SLOT);
      case 'unsupported':
        return refusal(command, request);
      default:
        return this.#planOwn(command, request);
    }
  }

  #planOwn(command: Command, request: Request): Plan {
    switch (command.handling) {
      case 'scan':
        return SCAN;
      case 'randomkey':
        return RANDOMKEY;
      case 'script_load':
        return this.#planLoad(request);
      case 'script_exists':
        return EXISTS;
      case 'script_flush':
        return FLUSH;
      case 'script_kill':
        return KILL;
      case 'function_stats':
        return STATS;
      case 'script_show':
        return SHOW;
      default:
        return REFUSE_DEBUG;
    }
  }

  #planBlock(command: Command, request: Request): Plan {
    keyPositions(command.spec, request, this.#positions);
    const slot = this.#commonSlot(request);
    return slot === CROSS_SLOT ? REFUSE_CROSS_SLOT : blockPlan(command, request, slot);
  }

  #planTransaction(command: Command, request: Request): Plan {
    switch (command.name) {
      case 'multi':
        return MULTI;
      case 'exec':
        return EXEC;
      case 'discard':
        return DISCARD;
      case 'unwatch':
        return UNWATCH;
      default: {
        keyPositions(command.spec, request, this.#positions);
        const slot = this.#commonSlot(request);
        return slot === CROSS_SLOT ? REFUSE_CROSS_SLOT : { kind: 'transaction', action: 'watch', slot };
      }
    }
  }

  /** SCRIPT LOAD: a body that the Lua checks refuse is loaded nowhere. */
  #planLoad(request: Request): Plan {
    const checked = this.#checks.ofBody(request.argView(2));
    const refusal = checked === undefined ? undefined : this.#checks.refusalOf(checked, false);
    return refusal === undefined ? LOAD : refuse(refusal);
  }

  #planKeys(command: Command, request: Request): Plan {
    keyPositions(command.spec, request, this.#positions);
    const slot = this.#commonSlot(request);
    return slot === CROSS_SLOT ? REFUSE_CROSS_SLOT : this.#forward(command, slot);
  }

  /** The channels of SSUBSCRIBE and SUNSUBSCRIBE have one slot; other names have none. */
  #planSubscription(command: Command, request: Request): Plan {
    const plan = this.#planKeys(command, request);
    return plan.kind === 'forward' ? { kind: 'subscription', command, slot: plan.slot } : plan;
  }

  #planSplit(command: Command, request: Request): Plan {
    const fits = keyPositions(command.spec, request, this.#positions);
    const slot = this.#commonSlot(request);
    if (slot !== CROSS_SLOT) return this.#forward(command, slot);
    if (!fits) return forwardTo(ANY_SLOT);
    const parts = splitBySlot(request, this.#positions);
    // A value is missing (MSET k v k2). A node would look at the slots first, and say CROSSSLOT.
    if (parts === undefined) return refuse(REDIS.arity(command.name));
    return { kind: 'split', parts, policy: command.spec.responsePolicy, isReplicaRead: this.#isReplicaRead(command) };
  }

  #forward(command: Command, slot: number): Plan {
    return this.#isReplicaRead(command) && slot !== ANY_SLOT ? readFrom(slot) : forwardTo(slot);
  }

  #isReplicaRead(command: Command): boolean {
    return this.#readsReplicas && command.isReplicaRead;
  }

  /** The slot of all keys found; ANY_SLOT without keys, CROSS_SLOT when they differ. */
  #commonSlot(request: Request): number {
    const { bytes } = request;
    const positions = this.#positions;
    let slot = ANY_SLOT;
    for (let i = 0; i < positions.count; i++) {
      const index = positions.at(i);
      const other = slotOf(bytes, request.argStart(index), request.argEnd(index));
      if (slot !== ANY_SLOT && other !== slot) return CROSS_SLOT;
      slot = other;
    }
    return slot;
  }
}

/** A container whose subcommand is unknown: the container's own facts, no arity, so that the node answers. */
function unknownSubcommand(container: Command, { argc }: Request): Command | undefined {
  if (container.handling === 'unsupported') return container;
  // Before 7.0 containers have keys, and a node that does not own them redirects before it looks at the subcommand.
  return container.hasKeys && argc > container.soleKeyIndex ? container : undefined;
}

function broadcast(command: Command): Plan {
  const { requestPolicy, responsePolicy } = command.spec;
  return { kind: 'broadcast', scope: requestPolicy === 'all_nodes' ? 'nodes' : 'shards', policy: responsePolicy };
}

/** Why it is refused; a container stands for a subcommand that nobody knows. */
function refusal(command: Command, request: Request): Plan {
  if (command.subcommands === undefined) {
    return refuse(EVALGATE.notSupported(displayName(command), reasonOf(command.spec)));
  }
  if (request.argc < 2) return refuse(REDIS.arity(command.name));
  return refuse(REDIS.unknownSubcommand(request.argText(1), displayName(command)));
}

/** The slot whose number is argument 2; any node says what is wrong with another. */
function slotNamedBy(request: Request): number {
  const slot = request.integerAt(2);
  return slot >= 0 && slot < SLOT_COUNT ? slot : ANY_SLOT;
}

/** Whether SELECT is for a database other than 0; what is no number is the node's to judge. */
function namesOtherDatabase(request: Request): boolean {
  const index = request.argText(1);
  return index !== '0' && /^[-+]?\d+$/.test(index);
}

function refuse(text: string): Plan {
  return { kind: 'reply', bytes: errorLine(text) };
}

/** HTTP spoken to a Redis port (`securityWarningCommand` in Redis's networking.c). */
export function isAttack(request: Request): boolean {
  return request.isWord(0, 'post') || request.isWord(0, 'host:');
}
