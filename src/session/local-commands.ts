/**
 * Commands that concern the client's own connection, which ends here: the session answers them itself.
 */
import type { Command } from '../command/table.ts';
import { EMPTY_ARRAY, encodeArray, encodeBulk, encodeInteger, OK, PONG } from '../resp/encode.ts';
import { EVALGATE, errorLine, REDIS } from '../resp/errors.ts';
import type { Request } from '../resp/request.ts';
import { isPrintable, runClient, setName } from './client-commands.ts';
import { runCluster } from './cluster-commands.ts';
import type { Session } from './session.ts';

const RESET = Buffer.from('+RESET\r\n');

export function runLocal(session: Session, command: Command, request: Request): void {
  if (command.handling === 'client') return runClient(session, command, request);
  if (command.handling === 'cluster') return runCluster(session, command, request);
  switch (command.name) {
    case 'ping':
      return session.reply(ping(command, request));
    case 'echo':
      return session.reply(encodeBulk(request.argCopy(1)));
    case 'hello':
      return session.reply(hello(session, request));
    case 'quit':
      session.reply(OK);
      return session.close();
    case 'reset':
      session.client.reset();
      session.dispatcher.abandonTransaction();
      return session.reply(RESET);
    default:
      return session.reply(OK);
  }
}

function ping(command: Command, request: Request): Buffer {
  if (request.argc > 2) return errorLine(REDIS.arity(command.name));
  return request.argc === 2 ? encodeBulk(request.argCopy(1)) : PONG;
}

/** HELLO [2 [SETNAME name]]: RESP2 only, so far. */
function hello(session: Session, request: Request): Buffer {
  if (request.argc > 1) {
    const version = request.integerAt(1);
    if (Number.isNaN(version)) return errorLine(REDIS.protocolNotAnInteger);
    if (version !== 2) return errorLine(REDIS.unsupportedProtocol);
  }
  let name: Buffer | undefined;
  for (let i = 2; i < request.argc; i++) {
    if (request.isWord(i, 'auth') && i + 2 < request.argc) return errorLine(EVALGATE.notSupported('HELLO AUTH'));
    if (!request.isWord(i, 'setname') || i + 1 >= request.argc) {
      return errorLine(REDIS.helloSyntax(request.argText(i)));
    }
    i++;
    name = request.argCopy(i);
    if (!isPrintable(name)) return errorLine(REDIS.clientNameInvalid);
  }
  if (name !== undefined) setName(session, name);
  return helloReply(session);
}

function helloReply(session: Session): Buffer {
  return encodeArray([
    ...['server', 'redis', 'version', session.runtime.serverVersion, 'proto'].map(encodeBulk),
    encodeInteger(2),
    encodeBulk('id'),
    encodeInteger(session.client.id),
    ...['mode', 'cluster', 'role', 'master', 'modules'].map(encodeBulk),
    EMPTY_ARRAY,
  ]);
}
