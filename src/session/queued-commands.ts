/**
 * The commands of an open transaction: those that the client waits for a reply to, and the bytes of all, so that they
 * can be said again to another node. Bounded: what outgrows its limits is no longer kept, and then cannot move.
 *
 *     kept     [ answered …           | waiting … ]
 *     replies  [ repeated: ignored    | for the client ]     after they were said again
 *
 * C5: a call by sha of a known script goes up with its body, because inside EXEC no NOSCRIPT can be healed. If the
 * client's user may not send bodies it goes up as it came, and its script has to be on the node when EXEC is sent.
 */
import { RingQueue } from '../base/ring-queue.ts';
import { isDenial } from '../plan/judge.ts';
import { isErrorReply } from '../plan/merge.ts';
import { elementsOf } from '../resp/elements.ts';
import type { Script } from '../script/script.ts';
import { withBody } from '../upstream/call-sender.ts';
import type { Connection } from '../upstream/connection.ts';
import type { Exchange } from '../upstream/exchange.ts';
import type { Pin } from './pin.ts';
import { type LoadEvents, loadScripts } from './script-loading.ts';
import type { Session } from './session.ts';

/** What keeping a command costs beside its bytes. */
const OVERHEAD_BYTES = 128;

export interface QueuedCommand {
  /** As it came. */
  readonly frame: Buffer;
  /** The script that it calls, when it is known. */
  readonly script?: Script | undefined;
  /** It calls that script by sha; `tail` is where numkeys begins. */
  readonly bySha?: { readonly argc: number; readonly isReadOnly: boolean; readonly tail: number } | undefined;
}

export class QueuedCommands {
  readonly #session: Session;
  readonly #waiting = new RingQueue<Exchange>();
  #kept: QueuedCommand[] = [];
  #bytes = 0;
  #isDropped = false;
  /** Replies to come for commands that were answered before. */
  #repeatedCount = 0;
  #callsScripts = false;
  /** Scripts called by sha. */
  readonly #calledBySha = new Set<Script>();
  /** The node was told a call in another form than it came. */
  #hasOurForms = false;

  constructor(session: Session) {
    this.#session = session;
  }

  /** Whether every command can be said again. */
  get isComplete(): boolean {
    return !this.#isDropped;
  }

  /** Commands that are kept. */
  get count(): number {
    return this.#kept.length;
  }

  get waitingCount(): number {
    return this.#waiting.length;
  }

  /** The oldest command without a reply. */
  get first(): Exchange | undefined {
    return this.#waiting.peek();
  }

  add(exchange: Exchange, command: QueuedCommand): void {
    this.#waiting.push(exchange);
    if (command.script !== undefined) this.#callsScripts = true;
    if (command.script !== undefined && command.bySha !== undefined) this.#calledBySha.add(command.script);
    if (this.#isDropped) return;
    const bytes = command.frame.length + OVERHEAD_BYTES;
    this.#kept.push(command);
    this.#bytes += bytes;
    this.#session.runtime.counters.keptBytes += bytes;
  }

  /** Says one to a node that queues. */
  say(pin: Pin, exchange: Exchange | undefined, command: QueuedCommand): void {
    pin.send(exchange, this.#formOf(command));
  }

  /** Says all of them to a node that queues. */
  sayTo(pin: Pin): void {
    this.#hasOurForms = false;
    this.#repeatedCount = this.#kept.length - this.#waiting.length;
    for (const [index, command] of this.#kept.entries()) {
      this.say(pin, index < this.#repeatedCount ? undefined : this.#waiting.at(index - this.#repeatedCount), command);
    }
    this.trim();
  }

  /** A script that was flushed meanwhile must not come back. */
  #formOf({ frame, script, bySha }: QueuedCommand): Buffer {
    if (script === undefined || bySha === undefined || script.number < 0) return frame;
    if (this.#session.standing.identity.mayOnlyEvalsha) return frame;
    this.#hasOurForms = true;
    return withBody(bySha, script, frame.subarray(bySha.tail));
  }

  /** Whether the node refuses a form that we chose, and all can be said again as it came. */
  isOursDenied(reply: Buffer): boolean {
    return this.#hasOurForms && !this.#isDropped && isDenial(reply);
  }

  /** Before EXEC: the node of the connection gets what it may lack, because the client's user may not send bodies. */
  loadScripts(target: Connection, events: LoadEvents): void {
    const scripts = this.#session.standing.identity.mayOnlyEvalsha ? [...this.#calledBySha].filter(mayBeLoaded) : [];
    if (scripts.length === 0) return void events.onLoaded();
    const { node } = target;
    loadScripts(
      this.#session,
      { node, scripts },
      {
        ...events,
        onLoaded: () => {
          if (target.state !== 'closed') events.onLoaded();
          else events.onFailure({ kind: 'not_sent', node, reason: 'closed' });
        },
      },
    );
  }

  /** The next reply is there; false when the client had one to this command already. */
  takeReply(): boolean {
    if (this.#repeatedCount > 0) {
      this.#repeatedCount--;
      return false;
    }
    this.#waiting.shift();
    return true;
  }

  /** The oldest command without a reply, which gets one from here. */
  shift(): Exchange | undefined {
    return this.#waiting.shift();
  }

  /** EXEC was answered: its array has a reply for each command. What is no longer kept is not counted. */
  countCalls(reply: Buffer): void {
    if (!this.#callsScripts) return;
    const replies = elementsOf(reply);
    if (replies.length !== this.#kept.length) return;
    for (const [index, { script, bySha }] of this.#kept.entries()) {
      if (script === undefined) continue;
      const isError = isErrorReply(replies[index] as Buffer);
      this.#session.runtime.statistics.onExecutedCall(script, isError);
      if (!isError && bySha === undefined) script.isAccepted = true;
    }
  }

  /** Forgets the bytes if they are too many; called when all was sent. */
  trim(): void {
    const { limits, counters } = this.#session.runtime;
    const isTooMuch = this.#bytes > limits.inFlightBytesPerClient || counters.keptBytes > limits.bufferedBytes / 4;
    if (!isTooMuch) return;
    this.forgetBytes();
    this.#isDropped = true;
  }

  forgetBytes(): void {
    this.#session.runtime.counters.keptBytes -= this.#bytes;
    this.#kept = [];
    this.#bytes = 0;
    this.#isDropped = false;
  }

  clear(): void {
    this.forgetBytes();
    this.#repeatedCount = 0;
    this.#callsScripts = false;
    this.#calledBySha.clear();
    this.#hasOurForms = false;
    while (this.#waiting.shift() !== undefined);
  }
}

/** Bytes of a command as it may go up. */
export function sizeOf({ frame, script, bySha }: QueuedCommand): number {
  return frame.length + (bySha === undefined ? 0 : (script?.body.length ?? 0));
}

/** It is held, and its body was allowed to come (`Script.isAccepted`). */
function mayBeLoaded({ isAccepted, number }: Script): boolean {
  return isAccepted && number >= 0;
}
