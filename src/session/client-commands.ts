/**
 * CLIENT: the clients of this evalgate, as Redis shows and changes its own. Nodes know nothing of it.
 *
 * What a subcommand does to others (KILL, PAUSE, UNBLOCK) goes through `runtime.clients`. TRACKING is refused: nodes
 * would have to tell evalgate which keys changed for which client.
 */
import type { Command } from '../command/table.ts';
import {
  EMPTY_ARRAY,
  encodeBulk,
  encodeInteger,
  encodeMap,
  encodeNull,
  encodeSet,
  encodeVerbatim,
  OK,
} from '../resp/encode.ts';
import { EVALGATE, errorLine, REDIS } from '../resp/errors.ts';
import type { Request } from '../resp/request.ts';
import { clientTypeOf, killFilter, matches, typeOf } from './client-filter.ts';
import { clientLine } from './client-list.ts';
import type { Session } from './session.ts';

const ARGUMENT = 2;
/** Of a name of a client or its library: it is kept as long as the client is there. */
const MAX_NAME_BYTES = 1024;

export function runClient(session: Session, command: Command, request: Request): void {
  const { word } = command;
  if (word === 'kill') return kill(session, request);
  const answer = Object.hasOwn(ANSWERS, word) ? ANSWERS[word] : undefined;
  session.reply(
    answer === undefined ? errorLine(EVALGATE.notSupported(`CLIENT ${word.toUpperCase()}`)) : answer(session, request),
  );
}

type Answer = (session: Session, request: Request) => Buffer;

/** By subcommand: changes what is to be changed, and gives the reply. */
const ANSWERS: Readonly<Record<string, Answer>> = {
  id: ({ client }) => encodeInteger(client.id),
  getname: ({ client }) => (client.name === undefined ? encodeNull(client.protocol) : encodeBulk(client.name)),
  setname: (session, request) => setName(session, request.argCopy(ARGUMENT)),
  setinfo: setInfo,
  info: (session) => encodeVerbatim(session.client.protocol, linesOf([session])),
  list,
  'no-evict': ({ client }, request) =>
    onOrOff(request, (isOn) => {
      client.isNoEvict = isOn;
    }),
  'no-touch': ({ client }, request) =>
    onOrOff(request, (isOn) => {
      client.isNoTouch = isOn;
    }),
  reply: setReplies,
  pause,
  unpause: (session) => {
    session.runtime.clients.pause.end();
    return OK;
  },
  unblock,
  // What a client can do, so that a server may ask it to: evalgate never asks.
  capa: () => OK,
  getredir: () => encodeInteger(-1),
  trackinginfo: ({ client: { protocol } }) =>
    encodeMap(protocol, [
      [encodeBulk('flags'), encodeSet(protocol, [encodeBulk('off')])],
      [encodeBulk('redirect'), encodeInteger(-1)],
      [encodeBulk('prefixes'), EMPTY_ARRAY],
    ]),
  caching: () => errorLine(REDIS.cachingWithoutTracking),
  tracking: track,
};

// ── of the client itself ────────────────────────────────────────────────────────────────────────────────────────

/** Redis: printable ASCII without blanks; an empty name takes the name away. */
export function setName(session: Session, name: Buffer): Buffer {
  const problem = nameProblem(name);
  if (problem !== undefined) return errorLine(problem);
  session.client.name = name.length === 0 ? undefined : name;
  return OK;
}

/** What is wrong with a name; undefined when nothing is. */
export function nameProblem(name: Buffer): string | undefined {
  if (name.length > MAX_NAME_BYTES) return EVALGATE.nameTooLong(MAX_NAME_BYTES);
  return isPrintable(name) ? undefined : REDIS.clientNameInvalid;
}

function isPrintable(text: Buffer): boolean {
  return text.every((byte) => byte >= 0x21 && byte <= 0x7e);
}

function setInfo(session: Session, request: Request): Buffer {
  const value = request.argCopy(3);
  const isVersion = request.isWord(ARGUMENT, 'lib-ver');
  if (!isVersion && !request.isWord(ARGUMENT, 'lib-name')) {
    return errorLine(`ERR Unrecognized option '${request.argText(ARGUMENT)}'`);
  }
  if (value.length > MAX_NAME_BYTES) return errorLine(EVALGATE.nameTooLong(MAX_NAME_BYTES));
  if (!isPrintable(value)) {
    return errorLine(`ERR ${request.argText(ARGUMENT)} cannot contain spaces, newlines or special characters.`);
  }
  if (isVersion) session.client.libraryVersion = value;
  else session.client.libraryName = value;
  return OK;
}

function onOrOff(request: Request, set: (isOn: boolean) => void): Buffer {
  const isOn = request.isWord(ARGUMENT, 'on');
  if (!isOn && !request.isWord(ARGUMENT, 'off')) return errorLine(REDIS.syntax);
  set(isOn);
  return OK;
}

/** ON, OFF or SKIP. The reply that is made here is itself among those left out. */
function setReplies({ client }: Session, request: Request): Buffer {
  if (request.isWord(ARGUMENT, 'on')) client.mutedCount = 0;
  else if (request.isWord(ARGUMENT, 'off')) client.mutedCount = Number.POSITIVE_INFINITY;
  else if (!request.isWord(ARGUMENT, 'skip')) return errorLine(REDIS.syntax);
  else client.mutedCount = Math.max(client.mutedCount, 2);
  return OK;
}

/** Off is what it always is; on is refused. */
function track(_session: Session, request: Request): Buffer {
  if (request.isWord(ARGUMENT, 'on')) {
    return errorLine(EVALGATE.notSupported('CLIENT TRACKING', 'nodes do not tell evalgate which keys changed'));
  }
  return request.isWord(ARGUMENT, 'off') ? OK : errorLine(REDIS.syntax);
}

// ── of all clients ──────────────────────────────────────────────────────────────────────────────────────────────

function linesOf(sessions: Iterable<Session>): Buffer {
  let text = '';
  for (const session of sessions) text += `${clientLine(session, session.runtime.turn.now())}\n`;
  return Buffer.from(text, 'latin1');
}

/** LIST [TYPE type | ID id …] */
function list(session: Session, request: Request): Buffer {
  const { client, runtime } = session;
  const { clients } = runtime;
  if (request.argc === 2) return encodeVerbatim(client.protocol, linesOf(clients));
  if (request.argc === 4 && request.isWord(ARGUMENT, 'type')) {
    const type = clientTypeOf(request.argText(3));
    if (type === undefined) return errorLine(REDIS.unknownClientType(request.argText(3)));
    return encodeVerbatim(client.protocol, linesOf([...clients].filter((one) => typeOf(one) === type)));
  }
  if (request.argc < 4 || !request.isWord(ARGUMENT, 'id')) return errorLine(REDIS.syntax);
  const listed: Session[] = [];
  for (let i = 3; i < request.argc; i++) {
    const id = request.integerAt(i);
    if (Number.isNaN(id)) return errorLine(REDIS.invalidClientId);
    const one = clients.find(id);
    if (one !== undefined) listed.push(one);
  }
  return encodeVerbatim(client.protocol, linesOf(listed));
}

/** KILL address, or KILL with filters: a client that ends itself gets its reply first. */
function kill(session: Session, request: Request): void {
  const { clients, counters } = session.runtime;
  const parsed = killFilter(request);
  if ('error' in parsed) return session.reply(errorLine(parsed.error));
  const filter = parsed.value;
  const killed = [...clients].filter((one) => matches(one, filter) && !(filter.skipMe && one === session));
  counters.clientsKilled += killed.length;
  for (const one of killed) if (one !== session) one.destroy();
  if (request.argc > 3) session.reply(encodeInteger(killed.length));
  else session.reply(killed.length > 0 ? OK : errorLine(REDIS.noSuchClient));
  if (killed.includes(session)) session.close();
}

/** PAUSE timeout [WRITE|ALL] */
function pause(session: Session, request: Request): Buffer {
  const isWrite = request.argc > 3 && request.isWord(3, 'write');
  if (request.argc > 4) return errorLine(REDIS.wrongSubcommand(request.argText(1), 'CLIENT'));
  if (request.argc > 3 && !isWrite && !request.isWord(3, 'all')) return errorLine(REDIS.pauseMode);
  const timeoutMs = request.integerAt(ARGUMENT);
  if (Number.isNaN(timeoutMs)) return errorLine(REDIS.timeoutNotAnInteger);
  if (timeoutMs < 0) return errorLine(REDIS.timeoutNegative);
  session.runtime.clients.pause.begin(isWrite ? 'write' : 'all', timeoutMs);
  return OK;
}

/** UNBLOCK id [TIMEOUT|ERROR]: 1 if that client was waiting in a blocking command. */
function unblock(session: Session, request: Request): Buffer {
  const isError = request.argc === 4 && request.isWord(3, 'error');
  if (request.argc > 4) return errorLine(REDIS.wrongSubcommand(request.argText(1), 'CLIENT'));
  if (request.argc === 4 && !isError && !request.isWord(3, 'timeout')) return errorLine(REDIS.unblockReason);
  const id = request.integerAt(ARGUMENT);
  if (Number.isNaN(id)) return errorLine(REDIS.notAnInteger);
  const isUnblocked = session.runtime.clients.find(id)?.client.unblock?.(isError ? 'error' : 'timeout') ?? false;
  return encodeInteger(isUnblocked ? 1 : 0);
}
