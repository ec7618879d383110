/**
 * The composition root: makes everything, hands each part what it needs, and keeps the few things that change while
 * the proxy runs (topology, command table).
 *
 *     config ─▶ Proxy ─▶ ControlClients ─▶ TopologySource ─┐ publishes
 *                    ├▶ Upstream ◀─ NodeWatch              ▼
 *                    └▶ Listener ─▶ Session … ◀──────── Runtime (topology, planner)
 */
import type { Logger } from 'pino';
import type { Redirect } from '../cluster/redirect.ts';
import { EMPTY_TOPOLOGY, type Node, type Topology } from '../cluster/topology.ts';
import { type CommandTable, SHIPPED_TABLE, tableFromReply } from '../command/table.ts';
import { Planner } from '../plan/planner.ts';
import type { Policy } from '../plan/policy.ts';
import { CheckCounters, ScriptChecks } from '../plan/script-checks.ts';
import type { ScriptRegistry } from '../script/registry.ts';
import type { Accounts } from '../session/accounts.ts';
import { Clients } from '../session/clients.ts';
import { Counters } from '../session/counters.ts';
import { type ListenAddress, Listener } from '../session/listener.ts';
import { Logins } from '../session/logins.ts';
import type { Limits, Runtime, ScriptKeeper } from '../session/runtime.ts';
import { type Access, Identities } from '../upstream/access.ts';
import { FrontDoor } from '../upstream/front-door.ts';
import { Turn } from '../upstream/turn.ts';
import { Upstream } from '../upstream/upstream.ts';
import { accountsFrom } from './account-list.ts';
import type { Config } from './config.ts';
import { ControlClients } from './control-clients.ts';
import { FunctionSync } from './function-sync.ts';
import { parseHostPort } from './host-port.ts';
import { NodeArrivals } from './node-arrivals.ts';
import { NodeWatch } from './node-watch.ts';
import { preload } from './preload.ts';
import { RefusalLog } from './refusal-log.ts';
import { ScriptMemory } from './script-memory.ts';
import { ScriptWarmer } from './script-warmer.ts';
import { SlowScripts } from './slow-scripts.ts';
import { TopologySource } from './topology-source.ts';

export class ProxyServer implements Runtime {
  readonly turn = new Turn();
  readonly counters = new Counters();
  readonly clients = new Clients();
  readonly checkCounters = new CheckCounters();
  readonly registry: ScriptRegistry;
  readonly keeper: ScriptKeeper;
  readonly warming: ScriptWarmer;
  readonly functions: FunctionSync;
  readonly upstream: Upstream;
  readonly identities: Identities;
  readonly logins: Logins;
  readonly limits: Limits;
  topology: Topology = EMPTY_TOPOLOGY;
  planner: Planner;
  serverVersion = '7.0.0';
  address: ListenAddress = { host: '', port: 0 };
  readonly #config: Config;
  readonly #log: Logger;
  readonly #controls: ControlClients;
  readonly #door: FrontDoor;
  readonly #source: TopologySource;
  readonly #watch: NodeWatch;
  readonly #arrivals: NodeArrivals;
  readonly #slowScripts: SlowScripts;
  readonly #listener: Listener;
  readonly #refusalLog: RefusalLog;
  #isServing = false;
  #isStopping = false;
  readonly #scripts: ScriptMemory;
  /** Of the policy and command table in force. */
  #checks: ScriptChecks;
  /** Settles when the commands of the cluster are known, or nobody tells. */
  #learning: Promise<void> = Promise.resolve();
  /** The COMMAND reply that the planner in force was made from. */
  #commands = '';

  /** Starts a proxy that listens; resolves when it does, whether or not the cluster is there. Throws OperatorError. */
  static async start(config: Config, log: Logger): Promise<ProxyServer> {
    const proxy = new ProxyServer(config, log);
    try {
      await proxy.#source.refresh(undefined);
      // Another command table would judge every script anew, and forget which were refused.
      await proxy.#learning;
      await proxy.logins.look();
      await proxy.#recallScripts();
      // Now the registry has what nodes may lack.
      proxy.#isServing = true;
      proxy.#arrivals.onTopology(proxy.topology);
      proxy.address = await proxy.#listener.listen(config.listen);
    } catch (error) {
      await proxy.stop();
      throw error;
    }
    log.info({ ...proxy.address, shards: proxy.topology.shards.length }, 'listening');
    return proxy;
  }

  private constructor(config: Config, log: Logger) {
    const { cluster, scripting } = config;
    this.#config = config;
    this.#log = log;
    this.limits = limitsFrom(config);
    this.#scripts = new ScriptMemory(config, log, {
      onForgotten: (script) => this.upstream.forgetScript(script),
      onFlushed: () => this.upstream.flushScripts(),
    });
    this.registry = this.#scripts.registry;
    this.keeper = this.#scripts.keeper;
    this.#refusalLog = new RefusalLog(log);
    this.#checks = this.#checksFor(SHIPPED_TABLE);
    this.planner = this.#plannerFor(SHIPPED_TABLE);
    const own = { username: cluster.username, password: cluster.password };
    this.#controls = new ControlClients(own, (address) => this.#arrivals.suspect(address));
    this.identities = new Identities(own);
    this.upstream = new Upstream({
      turn: this.turn,
      identities: this.identities,
      events: {
        onConnected: (node) => this.#onConnected(node),
        onDisconnected: (node, reason) => this.#onDisconnected(node, reason),
        onRefused: (node, access, reason) => this.#onRefused(node, access, reason),
        onFault: (error) => this.onFault(error),
      },
      options: {
        maxConnections: cluster.connections_per_node,
        maxDedicated: cluster.dedicated_per_node,
        connectTimeoutMs: cluster.connect_timeout_ms,
        maxReplyBytes: config.limits.buffered_bytes,
        maxPendingBytes: config.limits.node_pending_bytes,
        evalToEvalsha: scripting.eval_to_evalsha,
        purpose: 'shared',
      },
    });
    this.#door = new FrontDoor(this.upstream, this.identities);
    this.logins = new Logins({
      identities: this.identities,
      door: this.#door,
      accounts: accountsFrom(config),
      topology: () => this.topology,
    });
    this.#source = new TopologySource({
      seeds: cluster.nodes.map(parseHostPort),
      natMap: new Map(Object.entries(cluster.nat_map).map(([from, to]) => [from, parseHostPort(to)])),
      refreshIntervalMs: cluster.refresh_interval_ms,
      clients: this.#controls,
      log,
      onChange: (topology) => this.#publish(topology),
      onRefreshed: () => void this.logins.look(),
    });
    this.#watch = new NodeWatch({
      upstream: this.upstream,
      clients: this.#controls,
      nodeSilenceMs: cluster.node_silence_ms,
      topology: () => this.topology,
      onSuspect: (pool) => this.#source.suspect(pool.node),
    });
    const { registry, upstream } = this;
    const clients = this.#controls;
    const owesFlush = (node: Node) => upstream.factsOf(node).owesFlush;
    this.warming = new ScriptWarmer({ clients, registry, log, owesFlush });
    this.functions = new FunctionSync({ clients, log, topology: () => this.topology });
    this.#slowScripts = new SlowScripts({ maxRunMs: scripting.max_run_ms, upstream, clients, log });
    this.#arrivals = new NodeArrivals({ clients, onArrival: (node) => this.#onArrival(node) });
    this.#listener = new Listener(this);
  }

  /** Stops accepting, finishes what is in flight within `listen.drain_ms`, closes everything. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    this.#source.stop();
    await this.#listener.stop(this.#config.listen.drain_ms);
    await this.#scripts.stop();
    for (const part of [this.#watch, this.#arrivals, this.warming, this.functions, this.#slowScripts]) part.stop();
    this.#door.close();
    this.upstream.destroy();
    this.#controls.close();
    this.#log.info('stopped');
  }

  locate(redirect: Redirect, answering: Node): Node | undefined {
    return this.#source.locate(redirect, answering);
  }

  refresh(first: Node | undefined): Promise<void> {
    return this.#source.refresh(first);
  }

  get announced(): ListenAddress | undefined {
    const { announce } = this.#config.listen;
    return announce === undefined ? undefined : parseHostPort(announce);
  }

  /** Other accounts from now on: clients of accounts that are gone, or have another password, are closed. */
  useAccounts(accounts: Accounts): void {
    this.logins.useAccounts(accounts);
    this.#listener.onAccounts();
  }

  onFault(error: unknown): void {
    this.#log.error({ err: error }, 'a connection was closed: this is a bug in evalgate');
  }

  #checksFor(table: CommandTable): ScriptChecks {
    const policy = policyFrom(this.#config);
    return new ScriptChecks({ policy, table, events: this.#refusalLog, counters: this.checkCounters });
  }

  /** With the checks in force. */
  #plannerFor(table: CommandTable): Planner {
    return new Planner({ table, registry: this.registry, policy: policyFrom(this.#config), checks: this.#checks });
  }

  /** Before the first client comes: the scripts of the store, and those that the config names. */
  async #recallScripts(): Promise<void> {
    await this.#scripts.open();
    const { preload: paths } = this.#config.scripting;
    if (paths.length === 0) return;
    const { registry, topology } = this;
    await preload({ paths, registry, topology, checks: this.#checks, clients: this.#controls, log: this.#log });
  }

  #publish(topology: Topology): void {
    this.topology = topology;
    this.upstream.retain(topology);
    this.warming.onTopology(topology);
    if (this.#isServing) this.#arrivals.onTopology(topology);
    const shards = topology.shards.map(({ primary, replicas, slotCount }) => ({
      primary: primary.address,
      replicas: replicas.map((node) => node.address),
      slots: slotCount,
    }));
    this.#log.info({ shards }, 'topology changed');
    this.#listener.onTopology();
    this.#scripts.onTopology();
    this.#learning = this.#learnCommands(topology);
  }

  /** The commands of the live cluster, from whichever primary answers first. */
  async #learnCommands(topology: Topology): Promise<void> {
    for (const { primary } of topology.shards) {
      try {
        const reply = await this.#controls.call(primary, 'COMMAND');
        const info = String(await this.#controls.call(primary, 'INFO', 'server'));
        if (this.topology !== topology) return;
        this.#useCommands(reply);
        this.serverVersion = /^redis_version:(\S+)/m.exec(info)?.[1] ?? this.serverVersion;
        return;
      } catch (error) {
        this.#log.debug({ node: primary.address, err: error }, 'COMMAND was not answered');
      }
    }
  }

  /** A new table makes a new planner, which judges every script anew: only when the cluster's commands changed. */
  #useCommands(reply: unknown): void {
    const commands = JSON.stringify(reply);
    if (commands === this.#commands) return;
    this.#commands = commands;
    const table = tableFromReply(reply);
    this.#checks = this.#checksFor(table);
    this.planner = this.#plannerFor(table);
  }

  #onArrival(node: Node): void {
    this.warming.onArrival(node);
    this.functions.onArrival(node);
  }

  #onConnected(node: Node): void {
    this.#log.info({ node: node.address }, 'node connected again');
    this.#arrivals.suspect(node.address);
  }

  /** A client's login that is refused is that client's business; our own is the operator's. */
  #onRefused(node: Node, { identity }: Access, reason: string): void {
    const isOwn = identity.kind === 'own';
    const fields = { node: node.address, user: identity.displayName, reason };
    this.#log[isOwn ? 'warn' : 'debug'](fields, 'a node refuses a login');
  }

  #onDisconnected(node: Node, reason: string): void {
    if (this.#isStopping) return;
    this.#log.warn({ node: node.address, reason }, 'node connection lost');
    this.#source.suspect(node);
  }
}

function policyFrom({ scripting }: Config): Policy {
  const modes = { '0': 'off', '1': 'refuse', observe: 'observe' } as const;
  return Object.freeze({
    keylessScripts: scripting.keyless_scripts,
    checks: modes[scripting.script_check_enable],
    checkPolicy: Object.freeze({
      profile: scripting.script_check_profile,
      unpack: scripting.script_check_unpack,
      alias: scripting.script_check_alias,
      maxBytes: scripting.script_check_max_bytes,
    }),
    exempt: new Set(scripting.script_check_exempt.map((sha) => sha.toLowerCase())),
  });
}

function limitsFrom({ limits, cluster }: Config): Limits {
  return Object.freeze({
    maxClients: limits.max_clients,
    maxRequestBytes: limits.max_request_bytes,
    clientOutputBytes: limits.client_output_bytes,
    clientStallMs: limits.client_stall_ms,
    inFlightPerClient: limits.in_flight_per_client,
    inFlightBytesPerClient: limits.in_flight_bytes_per_client,
    bufferedBytes: limits.buffered_bytes,
    redirects: limits.redirects,
    waitingRequests: limits.waiting_requests,
    failoverWaitMs: cluster.failover_wait_ms,
    nodeSilenceMs: cluster.node_silence_ms,
  });
}
