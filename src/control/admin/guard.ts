/**
 * Who may ask the admin port: decided before anything of a request is read but its head.
 *
 *     without a token, on a loopback address   the Host header must be the configured host, localhost or an IP literal:
 *                                              a web page whose name was pointed here (DNS rebinding) carries its name
 *     with a token                             `Authorization: Bearer TOKEN`, but for what is public
 *     a request that changes something         not from another site's page
 */
import { createHash, timingSafeEqual } from 'node:crypto';
import { isIP } from 'node:net';
import type { FastifyReply, FastifyRequest } from 'fastify';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Needs no token: holds no data. */
    readonly isPublic?: boolean;
  }
}

export interface GuardOptions {
  /** `admin.host`. */
  readonly host: string;
  readonly token: string | undefined;
}

/** Sent with every reply. */
export const SECURITY_HEADERS: Readonly<Record<string, string>> = {
  'cache-control': 'no-store',
  'content-security-policy': "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  'cross-origin-resource-policy': 'same-origin',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
};

export interface Denial {
  readonly status: 401 | 403;
  readonly error: string;
}

export class Guard {
  readonly #options: GuardOptions;
  readonly #tokenDigest: Buffer | undefined;

  constructor(options: GuardOptions) {
    this.#options = options;
    this.#tokenDigest = options.token === undefined ? undefined : digestOf(options.token);
  }

  /** The hook for every request; answers those that are denied. */
  readonly onRequest = async (request: FastifyRequest, reply: FastifyReply): Promise<void> => {
    reply.headers(SECURITY_HEADERS);
    const denial = this.#judge(request);
    if (denial === undefined) return;
    if (denial.status === 401) reply.header('www-authenticate', 'Bearer');
    await reply.code(denial.status).send({ error: denial.error });
  };

  #judge(request: FastifyRequest): Denial | undefined {
    const { host, origin, authorization } = request.headers;
    if (!this.#isHostAllowed(host)) return { status: 403, error: 'this Host is not served here' };
    if (request.method === 'POST' && origin !== undefined && !isSameHost(origin, host)) {
      return { status: 403, error: 'requests from other sites are not served' };
    }
    if (this.#tokenDigest === undefined || request.routeOptions.config.isPublic) return undefined;
    return this.#isToken(authorization) ? undefined : { status: 401, error: 'a bearer token is needed' };
  }

  #isHostAllowed(header: string | undefined): boolean {
    const { host, token } = this.#options;
    if (token !== undefined || !isLoopback(host)) return true;
    const name = nameOf(header ?? '');
    return name === 'localhost' || name === host.toLowerCase() || isIP(name) > 0;
  }

  /** Compared by digest: in constant time, whatever the length. */
  #isToken(authorization: string | undefined): boolean {
    const [, given] = /^Bearer +(.+)$/i.exec(authorization ?? '') ?? [];
    return this.#tokenDigest !== undefined && timingSafeEqual(digestOf(given ?? ''), this.#tokenDigest);
  }
}

export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127\./.test(host);
}

/** The name or address of a Host header, without port and brackets, in lower case. */
function nameOf(header: string): string {
  return header
    .replace(/:\d*$/, '')
    .replace(/^\[(.*)\]$/, '$1')
    .toLowerCase();
}

function isSameHost(origin: string, host: string | undefined): boolean {
  return URL.canParse(origin) && new URL(origin).host === host;
}

function digestOf(token: string): Buffer {
  return createHash('sha256').update(token).digest();
}
