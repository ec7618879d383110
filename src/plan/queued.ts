/**
 * What becomes of a request inside MULTI. The owner of the transaction's slot queues it, if that is what one Redis
 * server would do with it; everything else is refused, which spoils the transaction:
 *
 *     keys, any, blocking (does not block there), PING, ECHO ─▶ forward
 *     scripts, functions ─▶ call, unless SPEC 3 row 2 refuses them
 *     MULTI, EXEC, DISCARD, WATCH, QUIT, RESET ─▶ act at once; UNWATCH is queued
 *     several slots ─▶ CROSSSLOT
 *     many nodes, walks, what concerns the connection that ends here ─▶ not supported inside MULTI
 */
import type { Command } from '../command/table.ts';
import { EVALGATE, errorLine, REDIS, TAIR } from '../resp/errors.ts';
import { ANY_SLOT, forwardTo, type Plan } from './plan.ts';
import type { Policy } from './policy.ts';

/** Answered here outside of MULTI, queued by the node inside: their replies stand in that of EXEC. */
const QUEUED_LOCALS: ReadonlySet<string> = new Set(['ping', 'echo']);
const IMMEDIATE_LOCALS: ReadonlySet<string> = new Set(['quit', 'reset']);

/** The plan inside MULTI of a request that has this plan outside. */
export function queuedPlan(plan: Plan, command: Command | undefined): Plan {
  switch (plan.kind) {
    case 'forward':
    case 'call':
    case 'close':
      return plan;
    case 'block':
      return forwardTo(plan.slot);
    case 'split':
      return { kind: 'reply', bytes: errorLine(REDIS.crossSlot) };
    case 'transaction':
      return plan.action === 'unwatch' ? forwardTo(ANY_SLOT) : plan;
    case 'reply':
      return plan.bytes[0] === 0x2d ? plan : refuse(command);
    case 'local':
      if (QUEUED_LOCALS.has(plan.command.name)) return forwardTo(ANY_SLOT);
      return IMMEDIATE_LOCALS.has(plan.command.name) ? plan : refuse(command);
    default:
      return refuse(command);
  }
}

/** SPEC 3 row 2: the text that refuses scripts and SCRIPT subcommands inside MULTI, as Tair does. */
export function scriptInMulti(command: Command, policy: Policy): string | undefined {
  const { profile } = policy.checkPolicy;
  if (policy.checks !== 'refuse' || (profile !== 'tair' && profile !== 'tair_legacy')) return undefined;
  if (command.handling === 'eval' || command.handling === 'evalsha') {
    return TAIR.notInMulti(command.name.toUpperCase());
  }
  return command.name.startsWith('script|') ? TAIR.notInMulti('SCRIPT') : undefined;
}

/** `CONFIG SET` for `config|set`. */
export function displayName(command: Command): string {
  return command.name.replace('|', ' ').toUpperCase();
}

function refuse(command: Command | undefined): Plan {
  return { kind: 'reply', bytes: errorLine(EVALGATE.notInMulti(command === undefined ? '' : displayName(command))) };
}
