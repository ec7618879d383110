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
import type { SlowRequest } from './slow-log.ts';

const DEFAULT_COUNT = 10;
const COUNT = 2;
const ALL = -1;

/** The reply to a SLOWLOG command. */
export function slowlogReply(session: Session, command: Command, request: Request): Buffer {
  const { slowLog } = session.runtime.statistics;
  switch (command.name) {
    case 'slowlog|len':
      return encodeInteger(slowLog.length);
    case 'slowlog|reset':
      slowLog.reset();
      return OK;
    default: {
      if (request.argc > COUNT + 1) return errorLine(REDIS.slowlogSyntax);
      const count = request.argc === COUNT ? DEFAULT_COUNT : request.integerAt(COUNT);
      if (!(count >= ALL)) return errorLine(REDIS.slowlogCount);
      return encodeArray(slowLog.newest(count === ALL ? undefined : count).map(encodeEntry));
    }
  }
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
