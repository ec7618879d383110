/** The admin port and the facts behind it: loaded only when somebody wants them. */
import type { ListenAddress } from '../session/listener.ts';
import type { AdminServer } from './admin/admin-server.ts';
import type { Facts, FactTeller } from './admin/facts.ts';
import type { AdminHost, AdminSource } from './admin/source.ts';

export class AdminPort {
  #server: AdminServer | undefined;
  #facts: Facts | undefined;

  /** Where it is served, when it is. */
  get address(): ListenAddress | undefined {
    return this.#server?.address;
  }

  /** What tells of this process, when somebody may ask. */
  get tellers(): readonly FactTeller[] {
    return this.#facts === undefined ? [] : [this.#facts];
  }

  /** Serves it, if the config wants it. Throws an OperatorError when the address cannot be had. */
  async open(host: AdminHost): Promise<void> {
    if (host.config.admin.port === undefined) return;
    const { AdminServer } = await import('./admin/admin-server.ts');
    this.#server = await AdminServer.start(host);
  }

  /** The same for a proxy, of which this process then tells. */
  async openOf(proxy: AdminHost & AdminSource): Promise<void> {
    if (proxy.config.admin.port === undefined) return;
    const { Facts } = await import('./admin/facts.ts');
    this.#facts = new Facts(proxy);
    await this.open(proxy);
  }

  async close(): Promise<void> {
    await this.#server?.stop();
    this.#facts?.stop();
  }
}
