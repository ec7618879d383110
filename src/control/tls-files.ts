/**
 * Reads the files of `listen.tls` and `cluster.tls`, at start and at every reload, and says of each what is wrong with
 * it; what the data plane gets works.
 */
import { createHash, createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createSecureContext, type SecureContextOptions, type TlsOptions } from 'node:tls';
import type { Logger } from 'pino';
import { OperatorError } from '../base/operator-error.ts';
import type { NodeTls } from '../upstream/node-tls.ts';
import { type Change, MASK } from './config-diff.ts';
import type { Config } from './config-schema.ts';

const MIN_VERSION = 'TLSv1.2';
const DIGEST_CHARS = 12;

export interface TlsSettings {
  /** Towards clients; undefined: none. */
  readonly listen: TlsOptions | undefined;
  /** Towards nodes; undefined: none. */
  readonly nodes: NodeTls | undefined;
  readonly files: readonly TlsFile[];
}

/** A file that was read. */
export interface TlsFile {
  /** `listen.tls.cert_file`. */
  readonly key: string;
  readonly path: string;
  /** Beginning of the sha256 of the content. */
  readonly digest: string;
  /** Of the first certificate in it: what is wrong with its dates now. */
  readonly dateProblem: string | undefined;
}

interface Paths {
  readonly ca_file?: string | undefined;
  readonly cert_file?: string | undefined;
  readonly key_file?: string | undefined;
}

/** Throws an OperatorError that names each file and what is wrong with it. */
export function readTls({ listen, cluster }: Pick<Config, 'listen' | 'cluster'>): TlsSettings {
  const reader = new Reader();
  const ofListen = listen.tls === undefined ? undefined : reader.material('listen.tls', listen.tls);
  const ofNodes = cluster.tls.enabled ? reader.material('cluster.tls', cluster.tls) : undefined;
  if (reader.problems.length > 0) {
    const problems = reader.problems;
    throw new OperatorError('EVALGATE_TLS', `Cannot use the files for TLS: ${problems.join('; ')}`, { problems });
  }
  const isRequired = listen.tls?.require_client_cert === true;
  return {
    listen: ofListen && { ...ofListen, requestCert: isRequired, rejectUnauthorized: isRequired },
    nodes: ofNodes && { secureContext: createSecureContext(ofNodes), serverName: cluster.tls.server_name },
    files: reader.files,
  };
}

/** The files that the config names; the watch looks at them too. */
export function tlsPaths({ listen, cluster }: Pick<Config, 'listen' | 'cluster'>): string[] {
  const used: readonly (Paths | undefined)[] = [listen.tls, cluster.tls.enabled ? cluster.tls : undefined];
  return used.flatMap((paths) =>
    [paths?.ca_file, paths?.cert_file, paths?.key_file].filter((path) => path !== undefined),
  );
}

/** Tells of certificates that are not valid yet, or no longer. */
export function warnOfDates(files: readonly TlsFile[], log: Logger): void {
  for (const { key, path, dateProblem } of files) {
    if (dateProblem !== undefined) log.warn({ key, path, problem: dateProblem }, 'a certificate is not valid');
  }
}

/** Files at the same path with another content. */
export function changedFiles(before: readonly TlsFile[], after: readonly TlsFile[]): Change[] {
  return after.flatMap(({ key, path, digest }) => {
    const old = before.find((file) => file.key === key);
    if (old === undefined || old.path !== path || old.digest === digest) return [];
    const shown = (text: string) => (key.endsWith('.key_file') ? MASK : `sha256 ${text}`);
    return [{ key: `${key} ${path}`, from: shown(old.digest), to: shown(digest) }];
  });
}

/** Reads on after a problem, so that all are told at once. */
class Reader {
  readonly problems: string[] = [];
  readonly files: TlsFile[] = [];

  /** What stands in the files of one section; of use only when there were no problems. */
  material(section: string, paths: Paths): SecureContextOptions {
    const ca = this.#read(`${section}.ca_file`, paths.ca_file, parseCertificate);
    const cert = this.#read(`${section}.cert_file`, paths.cert_file, parseCertificate);
    const key = this.#read(`${section}.key_file`, paths.key_file, parseKey);
    if (cert !== undefined && key !== undefined && !cert.parsed.checkPrivateKey(key.parsed)) {
      this.problems.push(`${section}.key_file "${paths.key_file}" must be the key of cert_file: it is another one`);
    }
    const material = { ca: ca?.bytes, cert: cert?.bytes, key: key?.bytes, minVersion: MIN_VERSION } as const;
    if (this.problems.length === 0) this.#try(section, material);
    return material;
  }

  /** What only OpenSSL finds, such as a key that is too short. */
  #try(section: string, material: SecureContextOptions): void {
    try {
      createSecureContext(material);
    } catch (error) {
      this.problems.push(`${section} cannot be used: ${reasonOf(error)}`);
    }
  }

  #read<T extends X509Certificate | KeyObject>(
    key: string,
    path: string | undefined,
    parse: (bytes: Buffer) => T,
  ): { bytes: Buffer; parsed: T } | undefined {
    if (path === undefined) return undefined;
    try {
      const bytes = readFileSync(path);
      const parsed = parse(bytes);
      const digest = createHash('sha256').update(bytes).digest('hex').slice(0, DIGEST_CHARS);
      const dateProblem = parsed instanceof X509Certificate ? problemOfDates(parsed) : undefined;
      this.files.push({ key, path, digest, dateProblem });
      return { bytes, parsed };
    } catch (error) {
      this.problems.push(`${key} "${path}" cannot be used: ${reasonOf(error)}`);
      return undefined;
    }
  }
}

function parseCertificate(bytes: Buffer): X509Certificate {
  if (!bytes.includes('-----BEGIN CERTIFICATE-----')) throw new Error('it holds no certificate in PEM');
  return new X509Certificate(bytes);
}

function parseKey(bytes: Buffer): KeyObject {
  if (bytes.includes('ENCRYPTED')) throw new Error('a key with a passphrase is not supported');
  if (!bytes.includes('PRIVATE KEY-----')) throw new Error('it holds no private key in PEM');
  return createPrivateKey(bytes);
}

function problemOfDates({ validFrom, validTo }: X509Certificate): string | undefined {
  if (Date.parse(validTo) < Date.now()) return `expired on ${validTo}`;
  return Date.parse(validFrom) > Date.now() ? `not valid before ${validFrom}` : undefined;
}

/** OpenSSL's texts are made for its authors: the reason is enough. */
function reasonOf(error: unknown): string {
  const { code, reason, message } = error as NodeJS.ErrnoException & { reason?: string };
  if (code === 'ENOENT') return 'there is no such file';
  if (code === 'EACCES') return 'it may not be read';
  return reason ?? message;
}
