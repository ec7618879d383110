/**
 * What is said on a new connection before it may be used: log in and choose the protocol; on the proxy's own ones also
 * ask what server it is, learn its NOSCRIPT text, and a SCRIPT FLUSH if this node still owes one.
 *
 *     AUTH … or HELLO 3 … │ READONLY │ INFO server │ EVALSHA <zeros> 0 │ SCRIPT FLUSH      ─▶ as many replies, in order
 *
 * READONLY at replicas that are read from, whoever's connection it is: without it they answer MOVED to everything. A
 * connection that was used by one session alone says RESET first, and all of it again. Only a refused login, RESET or
 * READONLY fails it. A node that is busy or loading says so to the rest; its facts then stay as they were.
 * Users are asked for no more than their login: they may not be allowed to, and the nodes' ACL LOG would fill.
 */
import { encodeCommand } from '../resp/encode.ts';
import { IMPOSSIBLE_SHA } from '../script/sha.ts';
import type { Access } from './access.ts';
import type { Pool } from './pool.ts';

interface Step {
  readonly request: Buffer;
  /** What is wrong, or undefined. */
  readonly onReply: (reply: Buffer) => HandshakeProblem | undefined;
}

export interface HandshakeProblem {
  /** The node answers, and does not take the login. */
  readonly isRefusal: boolean;
  readonly text: string;
}

const NOTHING = Buffer.alloc(0);
const INFO = encodeCommand('INFO', 'server');
const ASK_NOSCRIPT = encodeCommand('EVALSHA', IMPOSSIBLE_SHA, '0');
const FLUSH = encodeCommand('SCRIPT', 'FLUSH');
export const READONLY = encodeCommand('READONLY');
const RESET: Step = { request: encodeCommand('RESET'), onReply: resetProblem };

export class Handshake {
  readonly #pool: Pool;
  #steps: Step[] = [];
  /** What follows when all steps are answered. */
  #later: Step[] = [];

  constructor(pool: Pool) {
    this.#pool = pool;
  }

  get isDone(): boolean {
    return this.#steps.length === 0 && this.#later.length === 0;
  }

  /** The bytes to send; as many replies are then expected as there are requests in them. */
  begin(): Buffer {
    return this.#say(this.#plan());
  }

  /** As `begin`, for a connection that was used: RESET, and what `goOn` gives when that is answered. */
  renew(): Buffer {
    this.#later = this.#plan();
    return this.#say([RESET]);
  }

  /**
   * What is to be sent when nothing is unanswered; empty: nothing. Not in one write with RESET: servers from 7.2 on
   * refuse a login without a word while the reply before it has not left (`addAuthErrReply` in acl.c).
   */
  goOn(): Buffer {
    if (this.#steps.length > 0) return NOTHING;
    const steps = this.#later;
    this.#later = [];
    return this.#say(steps);
  }

  #say(steps: Step[]): Buffer {
    this.#steps = steps;
    return Buffer.concat(steps.map((step) => step.request));
  }

  /** Takes the next reply (one whole frame); says what is wrong with it, if it ends the connection. */
  onReply(reply: Buffer): HandshakeProblem | undefined {
    return this.#steps.shift()?.onReply(reply);
  }

  #plan(): Step[] {
    const pool = this.#pool;
    const { purpose } = pool.options;
    const begin = greeting(pool.access);
    const steps: Step[] = begin === undefined ? [] : [{ request: begin, onReply: problemOf }];
    if (pool.isReplica && purpose === 'shared') {
      steps.push({ request: READONLY, onReply: (reply) => readonlyProblemOf(reply, pool) });
    }
    if (purpose === 'control' || pool.access.identity.kind !== 'own') return steps;
    steps.push({ request: INFO, onReply: (reply) => pool.facts.learnServer(reply) });
    steps.push({ request: ASK_NOSCRIPT, onReply: (reply) => pool.facts.learnNoscript(reply) });
    if (pool.facts.owesFlush) steps.push({ request: FLUSH, onReply: (reply) => pool.facts.learnFlush(reply) });
    return steps;
  }
}

/** The login and the choice of the protocol in one command; undefined when there is neither to say. */
function greeting({ identity, protocol }: Access): Buffer | undefined {
  const { username, password } = identity;
  if (password === undefined) return protocol === 3 ? encodeCommand('HELLO', '3') : undefined;
  if (protocol === 3) return encodeCommand('HELLO', '3', 'AUTH', username ?? 'default', password);
  return username === undefined ? encodeCommand('AUTH', password) : encodeCommand('AUTH', username, password);
}

/** A user who may not say it reads from primaries; a node that cannot take it now is tried again. */
function readonlyProblemOf(reply: Buffer, pool: Pool): HandshakeProblem | undefined {
  pool.isReadonlyDenied = reply.toString('latin1', 0, 8) === '-NOPERM ';
  return pool.isReadonlyDenied ? undefined : problemOf(reply);
}

/** What a node says to a login that it does not take, or to one that is missing. */
const REFUSAL = /^-(?:WRONGPASS|NOAUTH|NOPERM|ERR (?:AUTH|invalid password|Client sent AUTH))/;

function problemOf(reply: Buffer): HandshakeProblem | undefined {
  if (reply[0] !== 0x2d) return undefined;
  const text = reply.toString('latin1', 1, reply.length - 2);
  const isRefusal = REFUSAL.test(reply.toString('latin1', 0, 64));
  return { isRefusal, text: isRefusal ? `login refused: ${text}` : text };
}

function resetProblem(reply: Buffer): HandshakeProblem | undefined {
  if (reply[0] !== 0x2d) return undefined;
  return { isRefusal: false, text: `RESET refused: ${reply.toString('latin1', 1, reply.length - 2)}` };
}
