/**
 * A TCP load balancer: each client goes to the next backend in turn that accepts it. Half-closed connections are passed
 * on as they are, so that what a backend has said before it ends reaches the client.
 */
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';

export class Balancer {
  readonly #server: Server;
  readonly #ports: readonly number[];
  #next = 0;

  private constructor(ports: readonly number[]) {
    this.#ports = ports;
    this.#server = createServer({ allowHalfOpen: true, noDelay: true }, (client) => void this.#serve(client));
  }

  static async start(ports: readonly number[]): Promise<Balancer> {
    const balancer = new Balancer(ports);
    balancer.#server.listen(0, '127.0.0.1');
    await once(balancer.#server, 'listening');
    return balancer;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  stop(): void {
    this.#server.close();
  }

  async #serve(client: Socket): Promise<void> {
    client.on('error', () => {});
    const backend = await this.#connect();
    if (backend === undefined) return void client.destroy();
    backend.on('error', () => client.destroy());
    client.on('error', () => backend.destroy());
    client.on('close', () => backend.destroy());
    client.pipe(backend);
    backend.pipe(client);
  }

  async #connect(): Promise<Socket | undefined> {
    for (let i = 0; i < this.#ports.length; i++) {
      const port = this.#ports[this.#next++ % this.#ports.length] ?? 0;
      const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true, noDelay: true });
      try {
        await once(socket, 'connect');
        return socket;
      } catch {
        // That one is away: the next.
      }
    }
    return undefined;
  }
}
