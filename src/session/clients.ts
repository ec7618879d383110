/**
 * All clients of this process: what CLIENT LIST, KILL and PAUSE are about. The listener adds and takes away; sessions
 * see each other only through it.
 */
import { ALONE, type Numbering, numberOf } from '../base/numbering.ts';
import { ClientPause } from './client-pause.ts';
import type { Session } from './session.ts';

export class Clients implements Iterable<Session> {
  readonly #numbering: Numbering;
  #lastNumber = 0;
  readonly pause = new ClientPause(() => {
    for (const session of this) session.release('unpaused');
  });
  readonly #byId = new Map<number, Session>();

  constructor(numbering = ALONE) {
    this.#numbering = numbering;
  }

  /** The id of the next client; none is given out twice. */
  nextId(): number {
    return numberOf(++this.#lastNumber, this.#numbering);
  }

  get size(): number {
    return this.#byId.size;
  }

  add(session: Session): void {
    this.#byId.set(session.client.id, session);
  }

  /** Whether it was there. */
  delete(session: Session): boolean {
    return this.#byId.delete(session.client.id);
  }

  find(id: number): Session | undefined {
    return this.#byId.get(id);
  }

  /** In the order of their ids; sessions may end while they are walked. */
  [Symbol.iterator](): Iterator<Session> {
    return this.#byId.values();
  }
}
