/**
 * SLOWLOG GET, LEN and RESET: evalgate's own slow log, in the shape of Redis's. Entries have Redis's six elements and
 * no more, because some client libraries (go-redis) read elements one by one and would lose the thread; which node and
 * which script stands in `/api/slowlog` of the admin port.
 */
import type { Command } from '../command/table.ts';
import { encodeArray, encodeBulk, encodeInteger, OK } from '../resp/encode.ts';
import { errorLine, REDIS } from '../resp/errors.ts';
import type { Request } from '../resp/request.ts';
import type { Session } from './session.ts';
import { OPERATIONS, replyFromAll } from './siblings.ts';
import { newestOf, type SlowRequest } from './slow-log.ts';

const DEFAULT_COUNT = 10;
const COUNT = 2;
const ALL = -1;

export function runSlowlog(session: Session, command: Command, request: Request): void {
  const { runtime } = session;
  switch (command.name) {
    case 'slowlog|len': {
      const own = OPERATIONS.slowCount(runtime, undefined);
      const reply = (all: readonly number[]) => encodeInteger(all.reduce((sum, count) => sum + count, 0));
      return replyFromAll(session, { call: 'slowCount', argument: undefined, own }, { reply });
    }
    case 'slowlog|reset': {
      const own = OPERATIONS.forgetSlow(runtime, undefined);
      return replyFromAll(session, { call: 'forgetSlow', argument: undefined, own }, { reply: () => OK });
    }
    default:
      return get(session, request);
  }
}

function get(session: Session, request: Request): void {
  if (request.argc > COUNT + 1) return session.reply(errorLine(REDIS.slowlogSyntax));
  const wanted = request.argc === COUNT ? DEFAULT_COUNT : request.integerAt(COUNT);
  if (!(wanted >= ALL)) return session.reply(errorLine(REDIS.slowlogCount));
  const count = wanted === ALL ? undefined : wanted;
  const own = OPERATIONS.slowRequests(session.runtime, count);
  replyFromAll(
    session,
    { call: 'slowRequests', argument: count, own },
    { reply: (all) => encodeArray(newestOf(all).slice(0, count).map(encodeEntry)) },
  );
}

function encodeEntry({ id, unixMs, durationUs, args, clientAddress, clientName }: SlowRequest): Buffer {
  return encodeArray([
    encodeInteger(id),
    encodeInteger(Math.floor(unixMs / 1000)),
    encodeInteger(durationUs),
    encodeArray(args.map(encodeBulk)),
    encodeBulk(clientAddress),
    encodeBulk(clientName ?? ''),
  ]);
}
