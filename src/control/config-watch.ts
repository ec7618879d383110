/**
 * Notices that the config file, or a file that it names, has another content. It looks at the content itself, every
 * second: a Kubernetes ConfigMap changes by swapping a symbolic link two folders up, an editor by renaming, and neither
 * shows in the times or the inode of the path.
 *
 * A change counts once two looks in a row have seen the same: a file that is being written is left alone.
 */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';

const LOOK_EVERY_MS = 1000;

export interface ConfigWatchOptions {
  readonly onChange: () => void;
  readonly everyMs?: number;
}

export class ConfigWatch {
  readonly #options: ConfigWatchOptions;
  /** By path, the content of which no more needs to be said. */
  #known: ReadonlyMap<string, string> = new Map();
  #lastSeen = '';
  #timer: NodeJS.Timeout | undefined;
  #isStopped = false;

  constructor(options: ConfigWatchOptions) {
    this.#options = options;
    this.#schedule();
  }

  /** Looks at these paths from now on; to miss nothing, called before they are read. */
  cover(paths: readonly string[]): void {
    this.#known = new Map(paths.map((path) => [path, this.#known.get(path) ?? digestNow(path)]));
  }

  stop(): void {
    this.#isStopped = true;
    clearTimeout(this.#timer);
  }

  #schedule(): void {
    if (this.#isStopped) return;
    const look = () => void this.#look().then(() => this.#schedule());
    this.#timer = setTimeout(look, this.#options.everyMs ?? LOOK_EVERY_MS);
    this.#timer.unref();
  }

  async #look(): Promise<void> {
    const paths = [...this.#known.keys()];
    const contents = new Map(await Promise.all(paths.map(async (path) => [path, await digestOf(path)] as const)));
    const seen = [...contents.values()].join('\n');
    const isSettled = seen === this.#lastSeen;
    this.#lastSeen = seen;
    if (!isSettled || this.#isStopped) return;
    const known = this.#known;
    const isNews = paths.some((path) => known.has(path) && known.get(path) !== contents.get(path));
    if (!isNews) return;
    this.#known = new Map([...known].map(([path, content]) => [path, contents.get(path) ?? content]));
    this.#options.onChange();
  }
}

/** What stands in for the content; a file that cannot be read has its reason. Never rejects. */
async function digestOf(path: string): Promise<string> {
  try {
    return sha256(await readFile(path));
  } catch (error) {
    return reasonOf(error);
  }
}

function digestNow(path: string): string {
  try {
    return sha256(readFileSync(path));
  } catch (error) {
    return reasonOf(error);
  }
}

function sha256(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}

function reasonOf(error: unknown): string {
  return (error as NodeJS.ErrnoException).code ?? String(error);
}
