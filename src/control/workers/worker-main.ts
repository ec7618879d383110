/** What the process of a worker runs; started by the primary alone (worker-handle.ts). */
import { runWorker } from './worker.ts';

// The channel to the primary would keep the process alive.
process.exit(await runWorker());
