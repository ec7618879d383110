/**
 * Certificates for tests, made by the openssl program in a temp folder: authorities, and what they sign for servers and
 * clients, good, expired or for another name.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Why tests that need certificates are skipped; false where openssl is there. */
export const NO_OPENSSL = hasOpenssl() ? false : 'there is no openssl program on PATH';

export interface Files {
  readonly caFile: string;
  readonly certFile: string;
  readonly keyFile: string;
}

export interface Wish {
  /** subjectAltName; the address and name of this machine unless given. */
  readonly names?: string;
  /** From now; one that is not above 0 makes it expired. 2 unless given. */
  readonly days?: number;
}

/** An authority of its own, with everything that it signs, in one folder. */
export class Authority {
  readonly folder = mkdtempSync(join(tmpdir(), 'evalgate-tls-'));
  readonly caFile = join(this.folder, 'ca.crt');
  readonly #caKey = join(this.folder, 'ca.key');

  constructor(name: string) {
    const extensions = ['-addext', 'basicConstraints=critical,CA:TRUE'];
    openssl(
      'req',
      '-x509',
      ...newKey(this.#caKey),
      '-subj',
      `/CN=${name}`,
      '-days',
      '2',
      ...extensions,
      '-out',
      this.caFile,
    );
  }

  /** A certificate in `<label>.crt`, its key in `<label>.key`; made anew when the label is there already. */
  sign(label: string, { names = 'IP:127.0.0.1,DNS:localhost', days = 2 }: Wish = {}): Files {
    const [certFile, keyFile, request, extensions] = ['crt', 'key', 'csr', 'ext'].map((end) =>
      join(this.folder, `${label}.${end}`),
    ) as [string, string, string, string];
    writeFileSync(extensions, `subjectAltName=${names}\n`);
    openssl('req', '-new', ...newKey(keyFile), '-subj', `/CN=${label}`, '-out', request);
    const signer = ['-CA', this.caFile, '-CAkey', this.#caKey, '-CAcreateserial'];
    openssl('x509', '-req', '-in', request, ...signer, '-days', String(days), '-extfile', extensions, '-out', certFile);
    return { caFile: this.caFile, certFile, keyFile };
  }

  remove(): void {
    rmSync(this.folder, { recursive: true });
  }
}

/** The contents, as node:tls takes them. */
export function material({ caFile, certFile, keyFile }: Files): { ca: Buffer; cert: Buffer; key: Buffer } {
  return { ca: readFileSync(caFile), cert: readFileSync(certFile), key: readFileSync(keyFile) };
}

function newKey(file: string): string[] {
  return ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-keyout', file];
}

function openssl(...argv: string[]): void {
  execFileSync('openssl', argv, { stdio: ['ignore', 'ignore', 'pipe'] });
}

function hasOpenssl(): boolean {
  try {
    openssl('version');
    return true;
  } catch {
    return false;
  }
}
