/**
 * `scripting.store.type: directory`: one folder, one file a script, named by its sha, so that it can be read, copied and
 * put there by hand.
 *
 *     <sha>.lua     the body, byte for byte: held against its name whenever it is read
 *     <sha>.stamp   `load 1732108790000`: origin and epoch. Without it a body counts as of LOAD origin, and not void
 *     epoch         the epoch in force
 *     .<name>.tmp   being written: fsynced, then renamed, so that no half file ever has a good name
 *
 * The stamp is written before its body and removed after it. Several evalgates may share a folder on one machine; they
 * have no channel and hear of each other's flushes when they next look at the epoch.
 */
import { randomBytes } from 'node:crypto';
import { mkdir, open, readdir, readFile, rename, stat, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { type Sha, shaOf } from '../../script/sha.ts';
import {
  formatStamp,
  type OnDamaged,
  outranks,
  parseEpoch,
  parseStamp,
  type ScriptStore,
  type StoredScript,
} from './script-store.ts';

const EPOCH = 'epoch';
const BODY_NAME = /^([0-9a-f]{40})\.lua$/;
const PIECE = 64;
/** What a crash left behind. */
const LEFTOVER = /^\..+\.tmp$/;
const LEFTOVER_MS = 60_000;

type Stamp = Pick<StoredScript, 'origin' | 'epoch'>;

export class DirectoryStore implements ScriptStore {
  readonly name: string;
  readonly #folder: string;
  readonly #onDamaged: OnDamaged;
  /** One write after the other: two for one sha must not mix. */
  #writing: Promise<void> = Promise.resolve();

  constructor(folder: string, onDamaged: OnDamaged) {
    this.name = `directory "${folder}"`;
    this.#folder = folder;
    this.#onDamaged = onDamaged;
  }

  async open(): Promise<void> {
    await mkdir(this.#folder, { recursive: true });
    for (const name of await readdir(this.#folder)) {
      if (LEFTOVER.test(name)) await this.#removeLeftover(name);
    }
  }

  /** Unless another evalgate may be writing it just now. */
  async #removeLeftover(name: string): Promise<void> {
    const { mtimeMs } = await stat(join(this.#folder, name));
    if (mtimeMs < Date.now() - LEFTOVER_MS) await this.#remove(name);
  }

  async epoch(): Promise<number> {
    const text = (await this.#read(EPOCH))?.toString('latin1');
    // The folder may be gone altogether: then what memory holds is written back.
    if (text === undefined) await mkdir(this.#folder, { recursive: true });
    return parseEpoch(text?.trim() ?? null);
  }

  keepEpoch(epoch: number): Promise<void> {
    return this.#inTurn(async () => {
      if ((await this.epoch()) < epoch) await this.#write(EPOCH, Buffer.from(`${epoch}\n`));
      await this.#sync();
    });
  }

  put(scripts: readonly StoredScript[]): Promise<void> {
    return this.#inTurn(async () => {
      for (const script of scripts) await this.#putOne(script);
      await this.#sync();
    });
  }

  async #putOne(script: StoredScript): Promise<void> {
    const held = await this.find(script.sha);
    if (held !== undefined && outranks(held, script)) return;
    await this.#write(`${script.sha}.stamp`, Buffer.from(`${formatStamp(script)}\n`));
    if (held === undefined) await this.#write(`${script.sha}.lua`, script.body);
  }

  async find(sha: Sha): Promise<StoredScript | undefined> {
    const body = await this.#read(`${sha}.lua`);
    if (body === undefined) return undefined;
    if (shaOf(body) !== sha) {
      this.#onDamaged(join(this.#folder, `${sha}.lua`), `its content has the sha ${shaOf(body)}`);
      return undefined;
    }
    const stamp = await this.#stampIn(sha);
    if (stamp !== undefined) return { sha, body, ...stamp };
    // Put here by hand; or just being removed, body first: then its flush counts, and not what stands for a stamp.
    return (await this.#read(`${sha}.lua`)) === undefined ? undefined : { sha, body, ...(await this.#unstamped()) };
  }

  async #stampOf(sha: Sha): Promise<Stamp> {
    return (await this.#stampIn(sha)) ?? (await this.#unstamped());
  }

  /** Undefined when there is none that can be read. */
  async #stampIn(sha: Sha): Promise<Stamp | undefined> {
    const text = (await this.#read(`${sha}.stamp`))?.toString('latin1').trim();
    return text === undefined ? undefined : parseStamp(text);
  }

  /** A body without a stamp counts as loaded after the last flush. */
  async #unstamped(): Promise<Stamp> {
    return { origin: 'load', epoch: await this.epoch() };
  }

  async *all(): AsyncGenerator<readonly StoredScript[]> {
    const names = await readdir(this.#folder);
    const shas = names.flatMap((name) => BODY_NAME.exec(name)?.[1] ?? []) as Sha[];
    for (let at = 0; at < shas.length; at += PIECE) {
      const found = await Promise.all(shas.slice(at, at + PIECE).map((sha) => this.find(sha)));
      yield found.filter((script) => script !== undefined);
    }
  }

  async missing(scripts: readonly Pick<StoredScript, 'sha' | 'epoch'>[]): Promise<readonly Sha[]> {
    const present = new Set(await readdir(this.#folder));
    const missing: Sha[] = [];
    for (const { sha, epoch } of scripts) {
      if (!present.has(`${sha}.lua`) || (await this.#stampOf(sha)).epoch < epoch) missing.push(sha);
    }
    return missing;
  }

  removeOlder(epoch: number): Promise<void> {
    return this.#inTurn(async () => {
      for (const name of await readdir(this.#folder)) {
        const sha = /^([0-9a-f]{40})\.(?:lua|stamp)$/.exec(name)?.[1] as Sha | undefined;
        if (sha === undefined || (await this.#stampOf(sha)).epoch >= epoch) continue;
        await this.#remove(`${sha}.lua`);
        await this.#remove(`${sha}.stamp`);
      }
      await this.#sync();
    });
  }

  async announce(): Promise<void> {}

  close(): void {}

  #inTurn(write: () => Promise<void>): Promise<void> {
    const done = this.#writing.then(write);
    this.#writing = done.catch(() => {});
    return done;
  }

  async #read(name: string): Promise<Buffer | undefined> {
    try {
      return await readFile(join(this.#folder, name));
    } catch (error) {
      if (isAbsent(error)) return undefined;
      throw error;
    }
  }

  async #write(name: string, content: Uint8Array): Promise<void> {
    const temporary = join(this.#folder, `.${name}.${randomBytes(6).toString('hex')}.tmp`);
    try {
      const file = await open(temporary, 'wx', 0o600);
      try {
        await file.writeFile(content);
        await file.sync();
      } finally {
        await file.close();
      }
      await rename(temporary, join(this.#folder, name));
    } catch (error) {
      await unlink(temporary).catch(() => {});
      throw error;
    }
  }

  async #remove(name: string): Promise<void> {
    try {
      await unlink(join(this.#folder, name));
    } catch (error) {
      if (!isAbsent(error)) throw error;
    }
  }

  /** A rename is durable when its folder is. */
  async #sync(): Promise<void> {
    const folder = await open(this.#folder, 'r');
    try {
      await folder.sync();
    } finally {
      await folder.close();
    }
  }
}

function isAbsent(error: unknown): boolean {
  return (error as NodeJS.ErrnoException).code === 'ENOENT';
}
