/**
 * What is said on a new connection before it may be used: log in, ask what server it is, learn its NOSCRIPT text, and
 * a SCRIPT FLUSH if this node still owes one.
 *
 *     AUTH … │ INFO server │ EVALSHA <zeros> 0 │ SCRIPT FLUSH      ─▶ as many replies, in order
 *
 * A connection that was used by one session alone says RESET first, and all of it again. Only a refused login or RESET
 * fails it. A node that is busy or loading says so to the rest; its facts then stay as they were.
 */
import { encodeCommand } from '../resp/encode.ts';
import { IMPOSSIBLE_SHA } from '../script/sha.ts';
import type { Pool } from './pool.ts';

interface Step {
  readonly request: Buffer;
  /** What is wrong, or undefined. */
  readonly onReply: (reply: Buffer) => string | undefined;
}

const INFO = encodeCommand('INFO', 'server');
const ASK_NOSCRIPT = encodeCommand('EVALSHA', IMPOSSIBLE_SHA, '0');
const FLUSH = encodeCommand('SCRIPT', 'FLUSH');
const RESET: Step = { request: encodeCommand('RESET'), onReply: resetProblem };

export class Handshake {
  readonly #pool: Pool;
  #steps: Step[] = [];

  constructor(pool: Pool) {
    this.#pool = pool;
  }

  get isDone(): boolean {
    return this.#steps.length === 0;
  }

  /** The bytes to send; as many replies are then expected as there are requests in them. */
  begin(): Buffer {
    this.#steps = this.#plan();
    return Buffer.concat(this.#steps.map((step) => step.request));
  }

  /** As `begin`, for a connection that was used. */
  renew(): Buffer {
    this.#steps = [RESET, ...this.#plan()];
    return Buffer.concat(this.#steps.map((step) => step.request));
  }

  /** Takes the next reply (one whole frame); says what is wrong with it, if it ends the connection. */
  onReply(reply: Buffer): string | undefined {
    return this.#steps.shift()?.onReply(reply);
  }

  #plan(): Step[] {
    const pool = this.#pool;
    const { username, password } = pool.options.identity;
    const steps: Step[] = [];
    if (password !== undefined) {
      const login = username === undefined ? ['AUTH', password] : ['AUTH', username, password];
      steps.push({ request: encodeCommand(...login), onReply: loginProblem });
    }
    if (pool.options.purpose === 'control') return steps;
    steps.push({ request: INFO, onReply: (reply) => pool.facts.learnServer(reply) });
    steps.push({ request: ASK_NOSCRIPT, onReply: (reply) => pool.facts.learnNoscript(reply) });
    if (pool.facts.owesFlush) steps.push({ request: FLUSH, onReply: (reply) => pool.facts.learnFlush(reply) });
    return steps;
  }
}

function loginProblem(reply: Buffer): string | undefined {
  if (reply[0] !== 0x2d) return undefined;
  return `login refused: ${reply.toString('latin1', 1, reply.length - 2)}`;
}

function resetProblem(reply: Buffer): string | undefined {
  if (reply[0] !== 0x2d) return undefined;
  return `RESET refused: ${reply.toString('latin1', 1, reply.length - 2)}`;
}
