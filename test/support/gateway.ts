/**
 * A real cluster with evalgate in front of it, in this process.
 */
import type { ConfigInput } from '../../src/control/config.ts';
import { configFrom } from '../../src/control/config.ts';
import { LocalCluster, type LocalClusterOptions } from '../../src/control/local-cluster.ts';
import { createLogger, type LineSink } from '../../src/control/log.ts';
import { ProxyServer } from '../../src/control/proxy.ts';

type Overrides = { readonly [K in keyof ConfigInput]?: Partial<ConfigInput[K]> };

export class Gateway {
  readonly cluster: LocalCluster;
  readonly proxy: ProxyServer;

  private constructor(cluster: LocalCluster, proxy: ProxyServer) {
    this.cluster = cluster;
    this.proxy = proxy;
  }

  /** The overrides may depend on the cluster, once its ports are known. */
  static async start(
    options: LocalClusterOptions = {},
    overrides: Overrides | ((cluster: LocalCluster) => Overrides) = {},
  ): Promise<Gateway> {
    const cluster = await LocalCluster.start(options);
    return new Gateway(
      cluster,
      await startProxy(cluster, typeof overrides === 'function' ? overrides(cluster) : overrides),
    );
  }

  get port(): number {
    return this.proxy.address.port;
  }

  async stop(): Promise<void> {
    await this.proxy.stop();
    await this.cluster.stop();
  }
}

/**
 * A proxy on a free port in front of a cluster; errors of its own are printed, the rest is silent, unless `log` of the
 * config and a sink say otherwise.
 */
export async function startProxy(
  cluster: LocalCluster,
  overrides: Overrides = {},
  sink?: LineSink,
): Promise<ProxyServer> {
  const config = configFrom({
    ...overrides,
    listen: { port: 0, ...overrides.listen },
    cluster: { nodes: [...cluster.seeds], ...overrides.cluster },
    log: { level: 'error', ...overrides.log },
  } as ConfigInput);
  return await ProxyServer.start(config, createLogger(config.log, sink));
}
