/**
 * CLIENT: the clients of this evalgate, as Redis shows and changes its own. Nodes know nothing of it.
 *
 * What a subcommand does to others (KILL, PAUSE, UNBLOCK) goes through `runtime.clients`, and to the clients of other
 * workers (siblings.ts). TRACKING is refused: nodes would have to tell evalgate which keys changed for which client.
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
import { clientTypeOf, killFilter, matches, type Parsed } from './client-filter.ts';
import { clientLine } from './client-list.ts';
import type { Session } from './session.ts';
import { type ClientSelection, OPERATIONS, replyFromAll } from './siblings.ts';

const ARGUMENT = 2;
/** Of a name of a client or its library: it is kept as long as the client is there. */
const MAX_NAME_BYTES = 1024;

export function runClient(session: Session, command: Command, request: Request): void {
  const { word } = command;
  const action = Object.hasOwn(ACTIONS, word) ? ACTIONS[word] : undefined;
  if (action !== undefined) return action(session, request);
  const answer = Object.hasOwn(ANSWERS, word) ? ANSWERS[word] : undefined;
  session.reply(
    answer === undefined ? errorLine(EVALGATE.notSupported(`CLIENT ${word.toUpperCase()}`)) : answer(session, request),
  );
}

type Answer = (session: Session, request: Request) => Buffer;

/** What concerns other clients too, by subcommand: replies by itself. */
const ACTIONS: Readonly<Record<string, (session: Session, request: Request) => void>> = {
  list,
  kill,
  pause,
  unpause,
  unblock,
};

/** What concerns the client alone: changes what is to be changed, and gives the reply. */
const ANSWERS: Readonly<Record<string, Answer>> = {
  id: ({ client }) => encodeInteger(client.id),
  getname: ({ client }) => (client.name === undefined ? encodeNull(client.protocol) : encodeBulk(client.name)),
  setname: (session, request) => setName(session, request.argCopy(ARGUMENT)),
  setinfo: setInfo,
  info: (session) => {
    const line = `${clientLine(session, session.runtime.turn.now())}\n`;
    return encodeVerbatim(session.client.protocol, Buffer.from(line, 'latin1'));
  },
  'no-evict': ({ client }, request) =>
    onOrOff(request, (isOn) => {
      client.isNoEvict = isOn;
    }),
  'no-touch': ({ client }, request) =>
    onOrOff(request, (isOn) => {
      client.isNoTouch = isOn;
    }),
  reply: setReplies,
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

/** LIST [TYPE type | ID id …] */
function list(session: Session, request: Request): void {
  const selection = selectionOf(request);
  if ('error' in selection) return session.reply(errorLine(selection.error));
  const argument = selection.value;
  const own = OPERATIONS.list(session.runtime, argument);
  const { protocol } = session.client;
  const reply = (all: readonly string[]) => encodeVerbatim(protocol, Buffer.from(all.join(''), 'latin1'));
  replyFromAll(session, { call: 'list', argument, own }, { reply });
}

function selectionOf(request: Request): Parsed<ClientSelection> {
  if (request.argc === 2) return { value: {} };
  if (request.argc === 4 && request.isWord(ARGUMENT, 'type')) {
    const type = clientTypeOf(request.argText(3));
    return type === undefined ? { error: REDIS.unknownClientType(request.argText(3)) } : { value: { type } };
  }
  if (request.argc < 4 || !request.isWord(ARGUMENT, 'id')) return { error: REDIS.syntax };
  const ids: number[] = [];
  for (let i = 3; i < request.argc; i++) ids.push(request.integerAt(i));
  return ids.some(Number.isNaN) ? { error: REDIS.invalidClientId } : { value: { ids } };
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
  const isCounted = request.argc > 3;
  replyFromAll(
    session,
    { call: 'kill', argument: filter, own: killed.length },
    {
      reply: (all) => {
        const count = all.reduce((sum, one) => sum + one, 0);
        if (isCounted) return encodeInteger(count);
        return count > 0 ? OK : errorLine(REDIS.noSuchClient);
      },
      after: () => {
        if (killed.includes(session)) session.close();
      },
    },
  );
}

/** PAUSE timeout [WRITE|ALL] */
function pause(session: Session, request: Request): void {
  const isWrite = request.argc > 3 && request.isWord(3, 'write');
  if (request.argc > 4) return session.reply(errorLine(REDIS.wrongSubcommand(request.argText(1), 'CLIENT')));
  if (request.argc > 3 && !isWrite && !request.isWord(3, 'all')) return session.reply(errorLine(REDIS.pauseMode));
  const timeoutMs = request.integerAt(ARGUMENT);
  if (Number.isNaN(timeoutMs)) return session.reply(errorLine(REDIS.timeoutNotAnInteger));
  if (timeoutMs < 0) return session.reply(errorLine(REDIS.timeoutNegative));
  const argument = { kind: isWrite ? 'write' : 'all', timeoutMs } as const;
  const own = OPERATIONS.pause(session.runtime, argument);
  replyFromAll(session, { call: 'pause', argument, own }, { reply: () => OK });
}

function unpause(session: Session): void {
  const own = OPERATIONS.unpause(session.runtime, undefined);
  replyFromAll(session, { call: 'unpause', argument: undefined, own }, { reply: () => OK });
}

/** UNBLOCK id [TIMEOUT|ERROR]: 1 if that client was waiting in a blocking command. */
function unblock(session: Session, request: Request): void {
  const isError = request.argc === 4 && request.isWord(3, 'error');
  if (request.argc > 4) return session.reply(errorLine(REDIS.wrongSubcommand(request.argText(1), 'CLIENT')));
  if (request.argc === 4 && !isError && !request.isWord(3, 'timeout')) {
    return session.reply(errorLine(REDIS.unblockReason));
  }
  const id = request.integerAt(ARGUMENT);
  if (Number.isNaN(id)) return session.reply(errorLine(REDIS.notAnInteger));
  const argument = { id, how: isError ? 'error' : 'timeout' } as const;
  const own = OPERATIONS.unblock(session.runtime, argument);
  replyFromAll(
    session,
    { call: 'unblock', argument, own },
    { reply: (all) => encodeInteger(all.some(Boolean) ? 1 : 0) },
  );
}
