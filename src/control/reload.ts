/**
 * A reload, all or nothing: read the config, refuse what needs a restart, check everything that it names, then switch
 * in one turn. Until the switch nothing has changed, so whatever is wrong leaves the proxy as it was.
 *
 *     read ─▶ diff ─▶ prepare (files read, scripts checked and compiled) ─▶ commit
 *       └────────┴──────── refused: one line a problem ─────┘
 *
 * Called by SIGHUP, by the watch of the file (config-watch.ts) and by whoever has the proxy; one at a time, and who asks
 * while one is under way gets the next.
 */
import type { Logger } from 'pino';
import { OperatorError } from '../base/operator-error.ts';
import { type Change, diffConfigs } from './config-diff.ts';
import type { Config } from './config-schema.ts';

export type ReloadOutcome =
  | { readonly kind: 'changed'; readonly changes: readonly Change[] }
  | { readonly kind: 'unchanged' }
  /** Nothing has changed; one text for each reason. */
  | { readonly kind: 'refused'; readonly problems: readonly string[] };

/** A checked config, ready to be used. */
export interface Prepared {
  /** Changes that do not show in the config: files that it names have another content. */
  readonly fileChanges: readonly Change[];
  /** Switches, at once; several processes one after the other. Throws an OperatorError before anything is switched, when it has become impossible. */
  commit(): void | Promise<void>;
}

export interface ReloadOptions {
  readonly log: Logger;
  /** Reads the config anew. Throws an OperatorError. Undefined: there is no file. */
  readonly read: (() => Config) | undefined;
  /** The config in force. */
  readonly current: () => Config;
  readonly isStopping: () => boolean;
  /** Checks all that goes with the config and changes nothing. Rejects with an OperatorError. */
  readonly prepare: (next: Config) => Promise<Prepared>;
}

const STOPS = 'evalgate stops';

export class Reloader {
  readonly #options: ReloadOptions;
  #last: Promise<unknown> = Promise.resolve();
  #waiting: Promise<ReloadOutcome> | undefined;

  constructor(options: ReloadOptions) {
    this.#options = options;
  }

  /** Settles as a reload does that begins after this call; never rejects. */
  reload(): Promise<ReloadOutcome> {
    this.#waiting ??= this.#last.then(() => {
      this.#waiting = undefined;
      const run = this.#run();
      this.#last = run;
      return run;
    });
    return this.#waiting;
  }

  async #run(): Promise<ReloadOutcome> {
    const { log } = this.#options;
    const outcome = await this.#attempt();
    switch (outcome.kind) {
      case 'changed':
        for (const { key, from, to } of outcome.changes) log.info({ key, from, to }, 'config changed');
        log.info({ changes: outcome.changes.length }, 'config reloaded');
        break;
      case 'unchanged':
        log.info('config reloaded: nothing has changed');
        break;
      case 'refused':
        for (const problem of outcome.problems) log.error({ problem }, 'reload refused: nothing has changed');
        break;
    }
    return outcome;
  }

  async #attempt(): Promise<ReloadOutcome> {
    try {
      return await this.#switch();
    } catch (error) {
      if (error instanceof OperatorError) return { kind: 'refused', problems: error.problems };
      this.#options.log.error({ err: error }, 'reload failed: this is a bug in evalgate');
      return { kind: 'refused', problems: [String(error)] };
    }
  }

  async #switch(): Promise<ReloadOutcome> {
    const { read, current, prepare, isStopping } = this.#options;
    if (read === undefined) return refused(['evalgate was not started with a config file']);
    if (isStopping()) return refused([STOPS]);
    const next = read();
    const keyChanges = diffConfigs(current(), next);
    const frozen = keyChanges.filter((change) => change.needsRestart);
    if (frozen.length > 0) {
      return refused(frozen.map(({ key, from, to }) => `${key} cannot change without a restart: ${from} → ${to}`));
    }
    const prepared = await prepare(next);
    if (isStopping()) return refused([STOPS]);
    const changes = [...keyChanges, ...prepared.fileChanges];
    await prepared.commit();
    return changes.length === 0 ? { kind: 'unchanged' } : { kind: 'changed', changes };
  }
}

function refused(problems: readonly string[]): ReloadOutcome {
  return { kind: 'refused', problems };
}
