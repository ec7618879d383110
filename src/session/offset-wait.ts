/**
 * One WAIT at one master, by the offsets of its replicas: where the writes went over connections that cannot be asked, those
 * of EXEC and of blocking commands. It waits for all that the master had written when the WAIT began, which is no less
 * than what this session wrote.
 */
import type { Node } from '../cluster/topology.ts';
import { encodeInteger } from '../resp/encode.ts';
import { EVALGATE, errorLine, REDIS } from '../resp/errors.ts';
import type { Session } from './session.ts';

/** Between two looks: first and last. */
const FIRST_LOOK_MS = 5;
const MAX_LOOK_MS = 100;

export interface Wanted {
  readonly replicas: number;
  /** 0 is for ever. */
  readonly timeoutMs: number;
}

export class OffsetWait {
  readonly #session: Session;
  readonly #node: Node;
  readonly #wanted: Wanted;
  readonly #onReply: (reply: Buffer) => void;
  readonly #deadlineMs: number;
  #target: number | undefined;
  #reached = 0;
  #timer: NodeJS.Timeout | undefined;
  #isOver = false;

  constructor(session: Session, node: Node, wanted: Wanted, onReply: (reply: Buffer) => void) {
    this.#session = session;
    this.#node = node;
    this.#wanted = wanted;
    this.#onReply = onReply;
    this.#deadlineMs = wanted.timeoutMs === 0 ? Number.POSITIVE_INFINITY : performance.now() + wanted.timeoutMs;
    void this.#look(FIRST_LOOK_MS);
  }

  /** CLIENT UNBLOCK; whether it still waited. */
  unblock(how: 'timeout' | 'error'): boolean {
    if (this.#isOver) return false;
    this.#finish(how === 'error' ? errorLine(REDIS.unblocked) : encodeInteger(this.#reached));
    return true;
  }

  async #look(againMs: number): Promise<void> {
    try {
      const { offset, replicas } = await this.#session.runtime.replication.look(this.#node);
      const target = this.#target ?? offset;
      this.#target = target;
      this.#reached = replicas.filter((reached) => reached >= target).length;
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      return this.#finish(errorLine(EVALGATE.replicasUnknown(this.#node.address, reason)));
    }
    const leftMs = this.#deadlineMs - performance.now();
    if (this.#reached >= this.#wanted.replicas || leftMs <= 0 || this.#session.isGone) {
      return this.#finish(encodeInteger(this.#reached));
    }
    if (this.#isOver) return;
    this.#timer = setTimeout(() => void this.#look(Math.min(againMs * 2, MAX_LOOK_MS)), Math.min(againMs, leftMs));
  }

  #finish(reply: Buffer): void {
    if (this.#isOver) return;
    this.#isOver = true;
    clearTimeout(this.#timer);
    this.#session.guard(() => this.#onReply(reply));
  }
}
