/**
 * What a `read_only` account may do: commands that only read, those about its own connection, subscribing, and scripts
 * and functions that do not write.
 *
 *     EVAL, EVALSHA   writes for certain (R12a) ─▶ refused    proven to only read ─▶ as it is
 *                     anything else ─▶ EVAL_RO, EVALSHA_RO: the node enforces it
 *     FCALL           ─▶ FCALL_RO
 *
 * Commands that are not known are not forwarded: a node might know them after all.
 */
import type { Command } from '../command/table.ts';
import { encodeBulk } from '../resp/encode.ts';
import { errorLine, REDIS } from '../resp/errors.ts';
import { Request } from '../resp/request.ts';
import { unknownCommandLine } from './before-login.ts';
import type { Planner } from './planner.ts';

/** Those that act on other connections are not among them: CLIENT KILL, PAUSE, UNPAUSE, UNBLOCK. */
const CONNECTION: ReadonlySet<string> = new Set([
  ...['auth', 'hello', 'quit', 'reset', 'ping', 'echo', 'select', 'readonly', 'readwrite', 'asking', 'command'],
  ...['getname', 'setname', 'setinfo', 'id', 'info', 'list', 'reply', 'no-evict', 'no-touch', 'help'].map(
    (name) => `client|${name}`,
  ),
  ...['tracking', 'trackinginfo', 'caching', 'getredir'].map((name) => `client|${name}`),
  ...['count', 'docs', 'getkeys', 'getkeysandflags', 'info', 'list', 'help'].map((name) => `command|${name}`),
]);
const SUBSCRIBING: ReadonlySet<string> = new Set([
  ...['subscribe', 'psubscribe', 'ssubscribe', 'unsubscribe', 'punsubscribe', 'sunsubscribe'],
]);

/** The request as the account may send it, or the error line that refuses it. */
export function asReadOnly(planner: Planner, request: Request, username: string): Request | Buffer {
  const command = planner.commandOf(request);
  if (command === undefined) return unknownCommandLine(planner, request);
  if (!command.fitsArity(request.argc)) return errorLine(REDIS.arity(command.name));
  switch (command.handling) {
    case 'eval':
    case 'evalsha':
      return command.isReadonly ? request : scriptCall(planner, command, request);
    case 'fcall':
      return command.isReadonly ? request : renamed(request, 'FCALL_RO');
    default:
      return isAllowed(command) ? request : errorLine(REDIS.noPermission(username, command.name));
  }
}

function isAllowed({ name, handling, isReadonly }: Command): boolean {
  // `cluster`: what cluster clients ask before anything else; evalgate shows only itself there.
  return isReadonly || handling === 'cluster' || CONNECTION.has(name) || SUBSCRIBING.has(name);
}

function scriptCall(planner: Planner, command: Command, request: Request): Request | Buffer {
  const judged = planner.judgeForAccount(command, request);
  if (judged.kind === 'refused') return errorLine(judged.text);
  if (judged.kind === 'free') return request;
  return renamed(request, command.handling === 'eval' ? 'EVAL_RO' : 'EVALSHA_RO');
}

/** The same request under another name, on bytes of its own. */
function renamed(request: Request, name: string): Request {
  const head = Buffer.concat([Buffer.from(`*${request.argc}\r\n`), encodeBulk(name)]);
  const rest = request.headerStart(1);
  const shift = head.length - rest;
  const copy = new Request();
  copy.bytes = Buffer.concat([head, request.bytes.subarray(rest, request.end)]);
  copy.end = copy.bytes.length;
  copy.add(head.length - 2 - name.length, head.length - 2);
  for (let i = 1; i < request.argc; i++) copy.add(request.argStart(i) + shift, request.argEnd(i) + shift);
  return copy;
}
