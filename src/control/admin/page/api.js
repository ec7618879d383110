/**
 * Asks the admin API. A token lives in the session storage of this tab and travels as a bearer. What goes wrong is an
 * ApiError that says which of three things it is; nothing is tried again here.
 */

const TIMEOUT_MS = 5000;
const TOKEN_KEY = 'evalgate.token';

export class ApiError extends Error {
  /** @param {'away' | 'denied' | 'failed'} kind nobody answers; a token is wanted; an answer that is an error */
  constructor(kind, message, status) {
    super(message);
    this.kind = kind;
    this.status = status;
  }
}

export function storedToken() {
  return sessionStorage.getItem(TOKEN_KEY);
}

export function storeToken(token) {
  if (token === null) sessionStorage.removeItem(TOKEN_KEY);
  else sessionStorage.setItem(TOKEN_KEY, token);
}

/** The JSON at `/api/` + path. Throws an ApiError. */
export async function ask(path, parameters = {}) {
  const query = new URLSearchParams(parameters).toString();
  const response = await answerTo(query === '' ? path : `${path}?${query}`);
  const body = await response.json().catch(() => undefined);
  if (response.ok && body !== undefined) return body;
  const said = body?.error ?? `it answered ${response.status}`;
  throw new ApiError(response.status === 401 ? 'denied' : 'failed', said, response.status);
}

async function answerTo(path) {
  const token = storedToken();
  const headers = token === null ? {} : { authorization: `Bearer ${token}` };
  try {
    // Relative to the page: it may be served below a path by a proxy in front of it.
    return await fetch(`api/${path}`, { headers, cache: 'no-store', signal: AbortSignal.timeout(TIMEOUT_MS) });
  } catch (error) {
    const reason = error.name === 'TimeoutError' ? `no answer within ${TIMEOUT_MS / 1000} s` : 'no connection';
    throw new ApiError('away', reason);
  }
}
