/**
 * TLS towards nodes: what a connection needs to know, and OpenSSL's failures in words. The control plane makes it out of
 * the config; the context is read from the files once and serves all connections.
 */
import { isIP } from 'node:net';
import type { ConnectionOptions, SecureContext } from 'node:tls';

export interface NodeTls {
  readonly secureContext: SecureContext;
  /** The name that the certificates of all nodes carry; undefined: each carries the host by which it is reached. */
  readonly serverName: string | undefined;
}

/**
 * Options for `tls.connect` beside host and port. The host is held against the certificate anyway; it is also told to
 * the node (SNI) when it is given here, unless it is an IP address, which is no server name.
 */
export function tlsOptionsFor({ secureContext, serverName }: NodeTls, host?: string): ConnectionOptions {
  const name = serverName ?? (host !== undefined && isIP(host) === 0 ? host : undefined);
  return { secureContext, ...(name === undefined ? {} : { servername: name }) };
}

/**
 * Why a connection failed, in one line: with TLS OpenSSL's reason instead of its stack. `isHandshake`: it was meant to
 * speak TLS, and nothing has been answered yet.
 */
export function connectProblem(error: Error & { code?: string; reason?: string }, isHandshake: boolean): string {
  const { code = '', reason, message } = error;
  if (isHandshake && code === 'ECONNRESET') return 'TLS: closed by the node (does it ask for a certificate?)';
  if (code === 'ERR_SSL_WRONG_VERSION_NUMBER') return 'TLS: the node does not speak TLS on this port';
  if (code.startsWith('ERR_SSL_')) return `TLS: ${reason ?? code}`;
  return CERTIFICATE_CODE.test(code) ? `TLS: ${message}` : message;
}

/** Node's codes for a certificate that is not trusted. */
const CERTIFICATE_CODE = /^ERR_TLS_|CERT|^UNABLE_TO_|SIGNATURE|CRL_|PATH_LENGTH|PURPOSE/;
