/**
 * Commands that concern the client's own connection, which ends here: the session answers them itself.
 */
import type { Command } from '../command/table.ts';
import { EMPTY_ARRAY, encodeArray, encodeBulk, encodeInteger, NULL_BULK, OK, PONG } from '../resp/encode.ts';
import { EVALGATE, errorLine, REDIS } from '../resp/errors.ts';
import type { Request } from '../resp/request.ts';
import type { Session } from './session.ts';

const RESET = Buffer.from('+RESET\r\n');

export function runLocal(session: Session, command: Command, request: Request): void {
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
      return session.reply(RESET);
    case 'client|id':
      return session.reply(encodeInteger(session.client.id));
    case 'client|getname':
      return session.reply(session.client.name === undefined ? NULL_BULK : encodeBulk(session.client.name));
    case 'client|setname':
      return session.reply(setName(session, request.argCopy(2)));
    case 'client|setinfo':
      return session.reply(setInfo(session, request));
    default:
      return session.reply(OK);
  }
}

function ping(command: Command, request: Request): Buffer {
  if (request.argc > 2) return errorLine(REDIS.arity(command.name));
  return request.argc === 2 ? encodeBulk(request.argCopy(1)) : PONG;
}

/** Redis: printable ASCII without blanks; an empty name takes the name away. */
function setName(session: Session, name: Buffer): Buffer {
  if (!isPrintable(name)) return errorLine(REDIS.clientNameInvalid);
  session.client.name = name.length === 0 ? undefined : name;
  return OK;
}

function isPrintable(text: Buffer): boolean {
  return text.every((byte) => byte >= 0x21 && byte <= 0x7e);
}

function setInfo(session: Session, request: Request): Buffer {
  const value = request.argCopy(3);
  const isVersion = request.isWord(2, 'lib-ver');
  if (!isVersion && !request.isWord(2, 'lib-name')) {
    return errorLine(`ERR Unrecognized option '${request.argText(2)}'`);
  }
  if (!isPrintable(value)) {
    return errorLine(`ERR ${request.argText(2)} cannot contain spaces, newlines or special characters.`);
  }
  if (isVersion) session.client.libraryVersion = value;
  else session.client.libraryName = value;
  return OK;
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
    ...['mode', 'standalone', 'role', 'master', 'modules'].map(encodeBulk),
    EMPTY_ARRAY,
  ]);
}
