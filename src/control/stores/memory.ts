/** `scripting.store.type: memory`: scripts live in the registry alone, as long as the process does. */
import type { ScriptRegistry } from '../../script/registry.ts';
import type { ScriptKeeper } from '../../session/runtime.ts';

const DONE = Promise.resolve();

export class MemoryKeeper implements ScriptKeeper {
  readonly #registry: ScriptRegistry;

  readonly #onFlushed: () => void;

  /** `onFlushed`: scripts are forgotten. */
  constructor(registry: ScriptRegistry, onFlushed: () => void) {
    this.#registry = registry;
    this.#onFlushed = onFlushed;
  }

  keep(): Promise<void> {
    return DONE;
  }

  flush(): Promise<void> {
    this.#registry.clear();
    this.#onFlushed();
    return DONE;
  }

  /** There is nothing to ask. */
  lookUp(): undefined {
    return undefined;
  }
}
