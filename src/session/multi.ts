/**
 * What a client's requests do to its transaction: MULTI, EXEC, DISCARD, WATCH and UNWATCH at any time, everything inside
 * MULTI. The transaction itself, on its connection, is transaction.ts.
 */
import type { Command } from '../command/table.ts';
import { ANY_SLOT, type CallPlan, type Plan, type TransactionPlan } from '../plan/plan.ts';
import { OK } from '../resp/encode.ts';
import { errorLine, REDIS } from '../resp/errors.ts';
import type { Request } from '../resp/request.ts';
import { ABORTED } from './fate.ts';
import { runLocal } from './local-commands.ts';
import type { QueuedCommand } from './queued-commands.ts';
import type { Session } from './session.ts';
import type { Transaction } from './transaction.ts';

export function runTransaction(
  session: Session,
  transaction: Transaction,
  plan: TransactionPlan,
  request: Request,
): void {
  switch (plan.action) {
    case 'multi':
      if (transaction.isOpen) return session.reply(errorLine(REDIS.nestedMulti));
      if (session.inFlightCount > 0) return session.dispatchWhenIdle(request);
      return transaction.open();
    case 'watch':
      if (transaction.isOpen) return session.reply(errorLine(REDIS.watchInMulti));
      if (session.inFlightCount > 0) return session.dispatchWhenIdle(request);
      return transaction.watch(plan.slot, request.copy().bytes);
    case 'unwatch':
      transaction.abandon();
      return session.reply(OK);
    case 'exec':
    case 'discard':
      if (transaction.isOpen) return transaction.end(plan.action);
      return session.reply(errorLine(plan.action === 'exec' ? REDIS.execWithoutMulti : REDIS.discardWithoutMulti));
  }
}

/** A request inside MULTI, whose plan is one of `planQueued`. */
export function dispatchQueued(session: Session, transaction: Transaction, plan: Plan, request: Request): void {
  const { command } = session.runtime.planner;
  switch (plan.kind) {
    case 'transaction':
      return runTransaction(session, transaction, plan, request);
    case 'forward':
      return transaction.queue(plan.slot, command, { frame: request.copy().bytes });
    case 'call':
      return transaction.queue(plan.keyCount === 0 ? ANY_SLOT : plan.slot, command, queuedCall(plan, request));
    case 'local':
      // QUIT or RESET; what RESET forgets must have its replies first.
      if (session.inFlightCount > 0 && plan.command.name === 'reset') return session.dispatchWhenIdle(request);
      return runLocal(session, plan.command, request);
    case 'close':
      return session.destroy();
    default:
      return refuse(session, transaction, plan.kind === 'reply' ? plan.bytes : ABORTED, { command, request });
  }
}

/** A call as it came, and what is needed to send it with its body. */
function queuedCall({ script, form, isReadOnly }: CallPlan, request: Request): QueuedCommand {
  const frame = request.copy().bytes;
  const isBySha = form === 'evalsha' && script !== undefined;
  const bySha = isBySha ? { argc: request.argc, isReadOnly, tail: request.headerStart(2) - request.start } : undefined;
  return { frame, script, bySha };
}

/** Refused here, which spoils the transaction; an EXEC that is refused ends it, as in Redis. */
function refuse(
  session: Session,
  transaction: Transaction,
  reply: Buffer,
  { command, request }: { command: Command | undefined; request: Request },
): void {
  if (command?.name !== 'exec') return transaction.refuse(reply);
  if (session.inFlightCount > 0) return session.dispatchWhenIdle(request);
  transaction.abandon();
  session.reply(errorLine(REDIS.execAbortBecause(reply.toString('latin1', '-ERR '.length, reply.length - 2))));
}
