/** What a command of the command line has of the world besides its arguments; tests give it their own. */
import type { Environment } from './config-environment.ts';

export interface CliIo {
  /** Writes to stdout; the text carries its line breaks. */
  readonly out: (text: string) => void;
  /** Writes to stderr; the text carries its line breaks. */
  readonly err: (text: string) => void;
  readonly environment: Environment;
  /**
   * Resolves when the process is told to stop; from the call on the first such signal no longer ends it, the second
   * does, at once. SIGHUP calls `onHangUp`; without one it stops too.
   */
  readonly untilStopSignal: (onHangUp?: () => void) => Promise<void>;
}

/** Exit codes of every command. */
export const EXIT = { ok: 0, failure: 1, usage: 2 } as const;
