/** `scripting.store.type: memory`: scripts live in the registry alone, as long as the process does. */
import type { ScriptRegistry } from '../../script/registry.ts';
import type { ScriptKeeper } from '../../session/runtime.ts';

const DONE = Promise.resolve();

export class MemoryKeeper implements ScriptKeeper {
  readonly #registry: ScriptRegistry;

  constructor(registry: ScriptRegistry) {
    this.#registry = registry;
  }

  keep(): Promise<void> {
    return DONE;
  }

  flush(): Promise<void> {
    this.#registry.clear();
    return DONE;
  }

  /** There is nothing to ask. */
  lookUp(): undefined {
    return undefined;
  }
}
