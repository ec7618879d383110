/**
 * The other end of a channel between two processes: questions with answers, in both directions, at the same time.
 *
 *     ask ──▶ {ask, id, call, value} ──▶ handler
 *      ▲                                   │
 *      └─── {answer, id, value} ◀──────────┤ or
 *      └─── {refusal, id, text} ◀──────────┘ it threw
 *
 * Both ends are evalgate, of one version: messages are not checked. A question that is not answered in time, or whose
 * other end is gone, rejects; so nobody waits for a process that hangs.
 */

/** By name: what is asked with, and what is answered. */
export type Calls = Readonly<Record<string, { readonly argument: unknown; readonly answer: unknown }>>;

/** `handle`: what came along with the question, if something did. */
export type Handlers<C extends Calls> = {
  readonly [K in keyof C]: (argument: C[K]['argument'], handle: unknown) => C[K]['answer'] | Promise<C[K]['answer']>;
};

/** One end of the channel. */
export interface Channel {
  /** `onFailed` is called when the message cannot be handed over; then, or never. `handle`: an open connection. */
  send(message: Message, onFailed: (error: Error) => void, handle?: unknown): void;
  onMessage(listener: (message: Message, handle?: unknown) => void): void;
}

export type Message =
  | { readonly kind: 'ask'; readonly id: number; readonly call: string; readonly value: unknown }
  | { readonly kind: 'answer'; readonly id: number; readonly value: unknown }
  | { readonly kind: 'refusal'; readonly id: number; readonly text: string };

interface Question {
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: Error) => void;
  readonly timer: NodeJS.Timeout | undefined;
}

/** Unless a question says otherwise. */
const ANSWER_MS = 2000;

export interface AskOptions {
  /** Infinity: until the other end is gone. */
  readonly timeoutMs?: number;
  /** An open connection that goes along: the other end has it then, too. */
  readonly handle?: unknown;
}

/** `In` is what the other end may ask, `Out` what it answers. */
export class Peer<In extends Calls, Out extends Calls> {
  readonly #channel: Channel;
  readonly #handlers: Handlers<In>;
  readonly #questions = new Map<number, Question>();
  #lastId = 0;
  #end: string | undefined;

  constructor(channel: Channel, handlers: Handlers<In>) {
    this.#channel = channel;
    this.#handlers = handlers;
    channel.onMessage((message, handle) => void this.#onMessage(message, handle));
  }

  /** Rejects when the other end throws, is gone, or does not answer in time. */
  ask<K extends keyof Out & string>(
    call: K,
    argument: Out[K]['argument'],
    { timeoutMs = ANSWER_MS, handle }: AskOptions = {},
  ): Promise<Out[K]['answer']> {
    if (this.#end !== undefined) return Promise.reject(new Error(this.#end));
    const id = ++this.#lastId;
    return new Promise<unknown>((resolve, reject) => {
      const late = () => this.#fail(id, new Error(`no answer within ${timeoutMs} ms`));
      const timer = Number.isFinite(timeoutMs) ? setTimeout(late, timeoutMs) : undefined;
      this.#questions.set(id, { resolve, reject, timer });
      this.#channel.send({ kind: 'ask', id, call, value: argument }, (error) => this.#fail(id, error), handle);
    });
  }

  /** The other end is gone: nobody waits for it any more. */
  close(reason: string): void {
    this.#end ??= reason;
    for (const id of [...this.#questions.keys()]) this.#fail(id, new Error(reason));
  }

  async #onMessage(message: Message, handle: unknown): Promise<void> {
    if (message.kind === 'ask') return await this.#answer(message, handle);
    const question = this.#take(message.id);
    if (message.kind === 'answer') question?.resolve(message.value);
    else question?.reject(new Error(message.text));
  }

  async #answer({ id, call, value }: Message & { readonly kind: 'ask' }, handle: unknown): Promise<void> {
    // Whose answer cannot be handed over is gone, and asks no more.
    const send = (answer: Message) => this.#channel.send(answer, () => {});
    try {
      const handler = this.#handlers[call];
      if (handler === undefined) throw new Error(`nobody answers ${call} here`);
      send({ kind: 'answer', id, value: await handler(value, handle) });
    } catch (error) {
      send({ kind: 'refusal', id, text: error instanceof Error ? error.message : String(error) });
    }
  }

  #fail(id: number, error: Error): void {
    this.#take(id)?.reject(error);
  }

  /** What came late is nobody's answer. */
  #take(id: number): Question | undefined {
    const question = this.#questions.get(id);
    this.#questions.delete(id);
    clearTimeout(question?.timer);
    return question;
  }
}
