/** Asks the admin API of a running evalgate; what goes wrong is one line for people. Used by `evalgate top`. */
import { OperatorError } from '../base/operator-error.ts';

const PATIENCE_MS = 5000;
const MAX_SHOWN_CHARS = 200;

export class AdminClient {
  readonly #base: URL;
  readonly #token: string | undefined;

  /** `base`: http://host:port; a path in it stays in front of every path. */
  constructor(base: URL, token: string | undefined) {
    this.#base = base;
    this.#token = token;
  }

  /** The JSON at a path. Throws an OperatorError when nobody answers within 5 s, or not with what was asked for. */
  async get(path: string): Promise<unknown> {
    const response = await this.#fetch(path);
    const text = await response.text().catch(() => '');
    if (response.status === 401) throw this.#cannot('it wants a token: give --token-file or EVALGATE_ADMIN_TOKEN');
    if (!response.ok) throw this.#cannot(`it answered ${response.status}: ${text.slice(0, MAX_SHOWN_CHARS)}`);
    try {
      return JSON.parse(text);
    } catch {
      throw this.#cannot('what answers there is no evalgate');
    }
  }

  async #fetch(path: string): Promise<Response> {
    const headers = this.#token === undefined ? {} : { authorization: `Bearer ${this.#token}` };
    const url = new URL(this.#base.pathname.replace(/\/$/, '') + path, this.#base);
    try {
      return await fetch(url, { headers, redirect: 'error', signal: AbortSignal.timeout(PATIENCE_MS) });
    } catch (error) {
      throw this.#cannot(reasonOf(error));
    }
  }

  #cannot(reason: string): OperatorError {
    const { origin } = this.#base;
    return new OperatorError(
      'EVALGATE_ADMIN',
      `Cannot read the admin port at ${origin}: ${reason.replaceAll(/\s+/g, ' ')}`,
    );
  }
}

/** fetch says only "fetch failed"; why stands in its cause. */
function reasonOf(error: unknown): string {
  const { name, message, cause } = error as Error;
  if (name === 'TimeoutError') return `no answer within ${PATIENCE_MS} ms`;
  const { code, message: inner } = (cause ?? {}) as { code?: string; message?: string };
  if (code === 'ECONNREFUSED') return 'nothing listens there';
  return inner === undefined || inner === '' ? (code ?? message) : inner;
}
