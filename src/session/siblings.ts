/**
 * The other processes that serve the same port (`workers`): what concerns all clients of evalgate concerns theirs too.
 *
 *     CLIENT KILL … ─▶ here, at once ─┐
 *                  └─▶ Siblings.ask ──┴─▶ one reply out of all answers
 *
 * Operations are plain data, so that they can be sent. A process by itself has no siblings, and answers at once.
 */
import type { ClientType } from './client-filter.ts';
import { type ClientFilter, matches, typeOf } from './client-filter.ts';
import { clientLine } from './client-list.ts';
import type { PauseKind } from './client-pause.ts';
import type { Runtime } from './runtime.ts';
import type { Session } from './session.ts';
import type { SlowRequest } from './slow-log.ts';

/** By name: what is to be done, and what is answered. */
export type SiblingCalls = {
  /** Lines of CLIENT LIST. */
  readonly list: { readonly argument: ClientSelection; readonly answer: string };
  /** How many were killed. */
  readonly kill: { readonly argument: ClientFilter; readonly answer: number };
  readonly pause: {
    readonly argument: { readonly kind: PauseKind; readonly timeoutMs: number };
    readonly answer: undefined;
  };
  readonly unpause: { readonly argument: undefined; readonly answer: undefined };
  /** Whether that client was waiting. */
  readonly unblock: {
    readonly argument: { readonly id: number; readonly how: 'timeout' | 'error' };
    readonly answer: boolean;
  };
  /** So many at most, the newest first; undefined for all. */
  readonly slowRequests: { readonly argument: number | undefined; readonly answer: readonly SlowRequest[] };
  readonly slowCount: { readonly argument: undefined; readonly answer: number };
  readonly forgetSlow: { readonly argument: undefined; readonly answer: undefined };
  /** A login from that host failed. */
  readonly loginFailed: { readonly argument: string; readonly answer: undefined };
};

export type SiblingCall = keyof SiblingCalls;

/** Which clients are listed: all, those of a type, or those with these ids. */
export interface ClientSelection {
  readonly type?: ClientType;
  readonly ids?: readonly number[];
}

export interface Siblings {
  /** Clients of the others, when the last one of ours came. */
  readonly clientCount: number;
  /** This process has so many clients now. */
  onClientCount(count: number): void;
  /** What those answer that answer in time. Never rejects. */
  ask<K extends SiblingCall>(call: K, argument: SiblingCalls[K]['argument']): Promise<SiblingCalls[K]['answer'][]>;
}

type Operations = {
  readonly [K in SiblingCall]: (runtime: Runtime, argument: SiblingCalls[K]['argument']) => SiblingCalls[K]['answer'];
};

/** What is done with the clients of this process, for whoever asks. */
export const OPERATIONS: Operations = {
  list: ({ clients, turn }, selection) => {
    let lines = '';
    for (const session of selected(clients, selection)) lines += `${clientLine(session, turn.now())}\n`;
    return lines;
  },
  kill: ({ clients, counters }, filter) => {
    const killed = [...clients].filter((one) => matches(one, filter));
    counters.clientsKilled += killed.length;
    for (const one of killed) one.destroy();
    return killed.length;
  },
  pause: ({ clients }, { kind, timeoutMs }) => {
    clients.pause.begin(kind, timeoutMs);
    return undefined;
  },
  unpause: ({ clients }) => {
    clients.pause.end();
    return undefined;
  },
  unblock: ({ clients }, { id, how }) => clients.find(id)?.client.unblock?.(how) ?? false,
  slowRequests: ({ statistics }, count) => statistics.slowLog.newest(count),
  slowCount: ({ statistics }) => statistics.slowLog.length,
  forgetSlow: ({ statistics }) => {
    statistics.slowLog.reset();
    return undefined;
  },
  loginFailed: ({ logins }, host) => {
    logins.onFailedElsewhere(host);
    return undefined;
  },
};

function selected(clients: Runtime['clients'], { type, ids }: ClientSelection): Iterable<Session> {
  if (ids !== undefined) return ids.flatMap((id) => clients.find(id) ?? []);
  return type === undefined ? clients : [...clients].filter((one) => typeOf(one) === type);
}

/** An operation at the siblings, after it was done here. */
export interface AskedEverywhere<K extends SiblingCall> {
  readonly call: K;
  readonly argument: SiblingCalls[K]['argument'];
  /** What came of it here. */
  readonly own: SiblingCalls[K]['answer'];
}

/** Replies with what is made of all answers, ours first: at once when there are no siblings. `after` runs behind the reply. */
export function replyFromAll<K extends SiblingCall>(
  session: Session,
  { call, argument, own }: AskedEverywhere<K>,
  made: { readonly reply: (answers: readonly SiblingCalls[K]['answer'][]) => Buffer; readonly after?: () => void },
): void {
  const { siblings } = session.runtime;
  if (siblings === undefined) {
    session.reply(made.reply([own]));
    return made.after?.();
  }
  const exchange = session.dispatcher.newExchange(undefined, 0);
  session.expect(exchange);
  session.holdOthers(exchange);
  siblings
    .ask(call, argument)
    .then((others) =>
      session.guard(() => {
        session.deliver(exchange, made.reply([own, ...others]));
        made.after?.();
      }),
    )
    .catch((error: unknown) => session.runtime.onFault(error));
}
