/**
 * What a client gets that has to log in first: as in Redis unknown commands and wrong numbers of arguments are told as
 * usual, and everything else but logging in and leaving is refused. Nothing is sent to a node and nothing is learned,
 * so the texts are made here, as Redis 7.0 words them (`rejectCommand` in its server.c).
 */
import { errorLine, REDIS } from '../resp/errors.ts';
import type { Request } from '../resp/request.ts';
import type { Plan } from './plan.ts';
import { isAttack, type Planner } from './planner.ts';

const OPEN_TO_ALL: ReadonlySet<string> = new Set(['auth', 'hello', 'quit', 'reset']);
const SHOWN_CHARS = 128;

/** `noauth` is the reply to what may not be asked yet. */
export function planBeforeLogin(planner: Planner, request: Request, noauth: Buffer): Plan {
  const command = planner.commandOf(request);
  if (command === undefined)
    return isAttack(request) ? { kind: 'close' } : { kind: 'reply', bytes: unknownCommandLine(planner, request) };
  if (!command.fitsArity(request.argc)) return { kind: 'reply', bytes: errorLine(REDIS.arity(command.name)) };
  return OPEN_TO_ALL.has(command.name) ? { kind: 'local', command } : { kind: 'reply', bytes: noauth };
}

/** What Redis says to a command or subcommand that it does not know. */
export function unknownCommandLine(planner: Planner, request: Request): Buffer {
  const container = planner.table.find(request.bytes, request.argStart(0), request.argEnd(0));
  const text =
    container === undefined
      ? REDIS.unknownCommand(shown(request, 0, SHOWN_CHARS), firstArguments(request))
      : REDIS.unknownSubcommand(shown(request, 1, SHOWN_CHARS), container.name.toUpperCase());
  return errorLine(text);
}

function firstArguments(request: Request): string {
  let text = '';
  for (let i = 1; i < request.argc && text.length < SHOWN_CHARS; i++) {
    text += `'${shown(request, i, SHOWN_CHARS - text.length)}' `;
  }
  return text;
}

/** At most so many characters of an argument, without a copy of the rest of it. */
function shown(request: Request, index: number, chars: number): string {
  const start = request.argStart(index);
  const text = request.bytes.toString('latin1', start, Math.min(request.argEnd(index), start + chars));
  const nul = text.indexOf('\0');
  return nul < 0 ? text : text.slice(0, nul);
}
