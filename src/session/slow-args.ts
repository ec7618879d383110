/**
 * What the slow log shows of a request: its arguments, cut as Redis cuts them (slowlog.c), without secrets. Read from
 * the bytes that went to the node, and put back to what the client sent where evalgate sent a script by another name.
 */
import type { Command } from '../command/table.ts';
import type { Call, Exchange } from '../upstream/exchange.ts';

const MAX_ARGS = 32;
const MAX_ARG_BYTES = 128;
const CR = 0x0d;
const REDACTED = Buffer.from('(redacted)');

/** Copies of the arguments; none when the exchange's bytes are gone. */
export function shownArgs({ batch, start, command, call }: Exchange): Buffer[] {
  if (batch === undefined) return [];
  const { argc, args } = readArgs(batch.buffer, start);
  const sent = call === undefined ? args : asSent(args, call);
  const secret = secretsOf(sent, command);
  const isCut = argc > MAX_ARGS;
  const shown = sent
    .slice(0, isCut ? MAX_ARGS - 1 : argc)
    .map((arg, i) => (i >= secret.from && i < secret.to ? REDACTED : shownArg(arg)));
  if (isCut) shown.push(Buffer.from(`... (${argc - MAX_ARGS + 1} more arguments)`));
  return shown;
}

/** The first arguments of the multibulk frame at `start`, as views, and how many there are. */
function readArgs(bytes: Buffer, start: number): { argc: number; args: Buffer[] } {
  let at = start;
  const number = (): number => {
    const lineEnd = bytes.indexOf(CR, at);
    const value = Number(bytes.toString('latin1', at + 1, lineEnd));
    at = lineEnd + 2;
    return value;
  };
  const argc = number();
  const args: Buffer[] = [];
  while (args.length < Math.min(argc, MAX_ARGS)) {
    const length = number();
    args.push(bytes.subarray(at, at + length));
    at += length + 2;
  }
  return { argc, args };
}

/** EVALSHA for what went up with its body, EVAL for what went up by its sha. */
function asSent(args: readonly Buffer[], { form, bytesForm, script, isReadOnly }: Call): readonly Buffer[] {
  if (form === bytesForm || script === undefined) return args;
  const name = `${form === 'eval' ? 'EVAL' : 'EVALSHA'}${isReadOnly ? '_RO' : ''}`;
  return [Buffer.from(name), form === 'eval' ? script.body : script.shaBytes, ...args.slice(2)];
}

function shownArg(arg: Buffer): Buffer {
  if (arg.length <= MAX_ARG_BYTES) return Buffer.from(arg);
  const rest = Buffer.from(`... (${arg.length - MAX_ARG_BYTES} more bytes)`);
  return Buffer.concat([arg.subarray(0, MAX_ARG_BYTES), rest]);
}

/** Which arguments may be secrets: [from, to). */
function secretsOf(args: readonly Buffer[], command: Command | undefined): { from: number; to: number } {
  const to = args.length;
  switch (command?.name) {
    case 'auth':
      return { from: 1, to };
    case 'config|set':
    case 'acl|setuser':
      return { from: 2, to };
    case 'hello':
    case 'migrate': {
      const at = args.findIndex((arg, i) => i > 0 && /^auth2?$/i.test(arg.toString('latin1', 0, 6)));
      return { from: at < 0 ? to : at + 1, to };
    }
    default:
      return { from: to, to };
  }
}
