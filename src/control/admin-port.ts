/** The admin port and the facts behind it: loaded only when somebody wants them. */
import type { ListenAddress } from '../session/listener.ts';
import type { AdminServer } from './admin/admin-server.ts';
import type { Facts } from './admin/facts.ts';
import type { AdminHost, AdminSource } from './admin/source.ts';

export class AdminPort {
  #server: AdminServer | undefined;
  #facts: Facts | undefined;

  /** Where it is served, when it is. */
  get address(): ListenAddress | undefined {
    return this.#server?.address;
  }

  /** Of this process, when it tells any. */
  get facts(): Facts | undefined {
    return this.#facts;
  }

  /** From now on this process tells of itself. */
  async tellOf(source: AdminSource): Promise<Facts> {
    const { Facts } = await import('./admin/facts.ts');
    this.#facts ??= new Facts(source);
    return this.#facts;
  }

  /** Serves it, if the config wants it. Throws an OperatorError when the address cannot be had. */
  async open(host: AdminHost): Promise<void> {
    if (host.config.admin.port === undefined) return;
    const { AdminServer } = await import('./admin/admin-server.ts');
    this.#server = await AdminServer.start(host);
  }

  async close(): Promise<void> {
    await this.#server?.stop();
    this.#facts?.stop();
  }
}
