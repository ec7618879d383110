/**
 * The composition root: makes everything, hands each part what it needs, and keeps the few things that change while
 * the proxy runs (topology, command table).
 *
 *     config ─▶ Proxy ─▶ ControlClients ─▶ TopologySource ─┐ publishes
 *                    ├▶ Upstream ◀─ NodeCare               ▼
 *                    └▶ Listener ─▶ Session … ◀──────── Runtime (topology, planner)
 *
 * A reload exchanges what goes by the config (`#use`): limits and pool options are objects that their readers hold, so
 * their fields are written anew; a new policy makes new checks and a new planner.
 */
import type { Socket } from 'node:net';
import { isDeepStrictEqual } from 'node:util';
import type { Logger } from 'pino';
import { MovingSlots } from '../cluster/moving-slots.ts';
import type { Redirect } from '../cluster/redirect.ts';
import { EMPTY_TOPOLOGY, type Node, type Topology } from '../cluster/topology.ts';
import type { Planner } from '../plan/planner.ts';
import { CheckCounters } from '../plan/script-checks.ts';
import type { ScriptRegistry } from '../script/registry.ts';
import type { Accounts } from '../session/accounts.ts';
import { Clients } from '../session/clients.ts';
import { Counters } from '../session/counters.ts';
import { type ListenAddress, Listener } from '../session/listener.ts';
import { Logins } from '../session/logins.ts';
import type { Limits, ScriptKeeper } from '../session/runtime.ts';
import type { Siblings } from '../session/siblings.ts';
import { Statistics } from '../session/statistics.ts';
import { Identities } from '../upstream/access.ts';
import { FrontDoor } from '../upstream/front-door.ts';
import type { PoolOptions } from '../upstream/pool.ts';
import { Turn } from '../upstream/turn.ts';
import { Upstream } from '../upstream/upstream.ts';
import { accountsFrom, changedPasswords } from './account-list.ts';
import type { FactTeller } from './admin/facts.ts';
import { RecentEvents } from './admin/recent-events.ts';
import type { AdminHost, AdminSource } from './admin/source.ts';
import { AdminPort } from './admin-port.ts';
import { clusterAccess } from './cluster-access.ts';
import type { Config } from './config.ts';
import { ControlClients } from './control-clients.ts';
import { parseHostPort } from './host-port.ts';
import { NodeCare } from './node-care.ts';
import { PeerLog } from './peer-log.ts';
import { Planning, type ServerName } from './planning.ts';
import { assertRoomFor, changeOf, preload, preloadNew, registerPreloaded } from './preload.ts';
import { RefusalLog } from './refusal-log.ts';
import { type Prepared, Reloader, type ReloadOutcome } from './reload.ts';
import { ReplicaOffsets } from './replica-offsets.ts';
import { ScriptMemory } from './script-memory.ts';
import { limitsFrom, policyFrom, poolOptionsFrom, reachOf, topologySettingsFrom } from './settings.ts';
import type { StoreCounters } from './stores/store-counters.ts';
import { changedFiles, readTls, type TlsSettings, warnOfDates } from './tls-files.ts';
import { TopologySource } from './topology-source.ts';
import type { Crew } from './workers/crew.ts';

export type { ReloadOutcome } from './reload.ts';

export interface ProxyOptions {
  /** Reads the config anew for a reload. Throws an OperatorError when it is wrong. */
  readonly readConfig?: () => Config;
  /** It is one of several workers. */
  readonly crew?: Crew;
}

export class ProxyServer implements AdminSource, AdminHost {
  readonly turn = new Turn();
  readonly counters = new Counters();
  readonly clients: Clients;
  readonly siblings: Siblings | undefined;
  readonly checkCounters = new CheckCounters();
  readonly events: RecentEvents;
  readonly statistics: Statistics;
  readonly registry: ScriptRegistry;
  readonly keeper: ScriptKeeper;
  readonly warming: NodeCare['warming'];
  readonly functions: NodeCare['functions'];
  readonly replication: ReplicaOffsets;
  readonly upstream: Upstream;
  readonly identities: Identities;
  readonly logins: Logins;
  readonly limits: Limits;
  readonly movingSlots = new MovingSlots();
  readonly readFrom: Config['cluster']['read_from'];
  topology: Topology = EMPTY_TOPOLOGY;
  address: ListenAddress = { host: '', port: 0 };
  #config: Config;
  readonly #poolOptions: PoolOptions;
  readonly #reloader: Reloader;
  readonly log: Logger;
  readonly #controls: ControlClients;
  readonly #door: FrontDoor;
  readonly #source: TopologySource;
  readonly #care: NodeCare;
  readonly slowScripts: NodeCare['slowScripts'];
  readonly #listener: Listener;
  readonly #peerLog: PeerLog;
  #tls: TlsSettings;
  #stopping: Promise<void> | undefined;
  #isStopping = false;
  readonly #admin = new AdminPort();
  readonly #scripts: ScriptMemory;
  readonly planning: Planning;
  /** Settles when the commands of the cluster are known, or nobody tells. */
  #learning: Promise<void> = Promise.resolve();

  /**
   * Starts a proxy that listens; resolves when it does, whether or not the cluster is there. Throws OperatorError.
   */
  static async start(config: Config, log: Logger, options: ProxyOptions = {}): Promise<ProxyServer> {
    const proxy = new ProxyServer(config, log, options);
    try {
      // First of all: while the cluster is waited for, somebody wants to know why.
      await proxy.#admin.openOf(proxy);
      await proxy.#source.refresh(undefined);
      // Another command table would judge every script anew, and forget which were refused.
      await proxy.#learning;
      await proxy.logins.look();
      await proxy.#recallScripts();
      proxy.#care.begin(proxy.topology);
      proxy.address = options.crew?.address ?? (await proxy.#listener.listen(config.listen));
    } catch (error) {
      await proxy.stop();
      throw error;
    }
    return proxy;
  }

  private constructor(config: Config, log: Logger, { readConfig, crew }: ProxyOptions) {
    this.#config = config;
    this.log = log;
    this.limits = limitsFrom(config);
    this.readFrom = config.cluster.read_from;
    const readsReplicas = policyFrom(config).replicaReads !== undefined;
    this.#tls = readTls(config);
    const access = clusterAccess(config, this.#tls.nodes);
    this.#scripts = new ScriptMemory(config, access, {
      log,
      onForgotten: (script) => this.upstream.forgetScript(script),
      onFlushed: () => this.upstream.flushScripts(),
      crew,
    });
    this.registry = this.#scripts.registry;
    this.keeper = this.#scripts.keeper;
    this.events = new RecentEvents(new RefusalLog(log), crew?.numbering);
    this.statistics = new Statistics(this.turn, this.events, crew?.numbering);
    this.clients = new Clients(crew?.numbering);
    this.siblings = crew?.siblings;
    this.#peerLog = new PeerLog(log);
    this.#reloader = new Reloader({
      log,
      read: readConfig,
      current: () => this.#config,
      isStopping: () => this.isDraining,
      prepare: (next) => this.prepare(next),
    });
    this.#poolOptions = poolOptionsFrom(config, access);
    this.#controls = new ControlClients(access, (address) => this.#care.onReconnected(address));
    this.planning = new Planning(config, {
      registry: this.registry,
      events: this.events,
      counters: this.checkCounters,
      clients: this.#controls,
      log,
    });
    this.identities = new Identities({ username: access.username, password: access.password });
    this.upstream = new Upstream({
      turn: this.turn,
      identities: this.identities,
      events: {
        onConnected: (node) => this.#onConnected(node),
        onDisconnected: (node, reason) => this.#onDisconnected(node, reason),
        onRefused: (node, access, reason) => this.#peerLog.onLoginRefused(node, access, reason),
        onFault: (error) => this.onFault(error),
      },
      options: this.#poolOptions,
      readsReplicas,
    });
    this.#door = new FrontDoor(this.upstream, this.identities);
    this.logins = new Logins({
      identities: this.identities,
      door: this.#door,
      accounts: accountsFrom(config),
      topology: () => this.topology,
      siblings: this.siblings,
    });
    this.#source = new TopologySource({
      ...topologySettingsFrom(config, access),
      clients: this.#controls,
      log,
      onChange: (topology) => this.#publish(topology),
      onRefreshed: () => void this.logins.look(),
    });
    this.#care = new NodeCare({
      clients: this.#controls,
      upstream: this.upstream,
      registry: this.registry,
      movingSlots: this.movingSlots,
      turn: this.turn,
      limits: this.limits,
      log,
      topology: () => this.topology,
      maxRunMs: config.scripting.max_run_ms,
      readsReplicas,
      bringsFunctions: crew?.isFirst ?? true,
      onSuspect: (node) => this.#source.suspect(node),
      onMoved: (primary) => void this.refresh(primary),
    });
    this.warming = this.#care.warming;
    this.functions = this.#care.functions;
    this.replication = new ReplicaOffsets(this.#controls);
    this.slowScripts = this.#care.slowScripts;
    this.#listener = new Listener(this);
    this.#useListenTls();
  }

  /** A client that came to the port of all workers; its socket was not read from. */
  take(socket: Socket): void {
    this.#listener.accept(socket);
  }

  /** Stops accepting, finishes what is in flight within `listen.drain_ms`, closes everything. */
  stop(): Promise<void> {
    this.#stopping ??= this.#stop();
    return this.#stopping;
  }

  /** It takes no new clients: who sends it some should look elsewhere. */
  get isDraining(): boolean {
    return this.#stopping !== undefined;
  }

  async #stop(): Promise<void> {
    const { drain_ms: drainMs } = this.#config.listen;
    if (this.address.port > 0) this.log.info({ clients: this.counters.clients, drain_ms: drainMs }, 'draining');
    // Requests may still wait for a failover: the topology is followed until the last is answered.
    await this.#listener.stop(drainMs);
    this.#isStopping = true;
    this.#source.stop();
    await this.#scripts.stop();
    this.#care.stop();
    this.#door.close();
    this.upstream.destroy();
    this.#controls.close();
    await this.#admin.close();
    this.log.info('stopped');
  }

  /**
   * Reads the config file and the files that it names anew, and goes by them: all of it or nothing. Requests under way
   * finish as they began. Never rejects; the log has every change, or why there is none.
   */
  reload(): Promise<ReloadOutcome> {
    return this.#reloader.reload();
  }

  /** All that can be wrong with a config is found here, while the one before is in force. */
  async prepare(next: Config): Promise<Prepared> {
    const { registry, topology } = this;
    const tls = readTls(next);
    const checks = this.planning.checksFor(next);
    const accounts = accountsFrom(next);
    const paths = next.scripting.preload;
    const scripts = await preloadNew({ paths, registry, topology, checks, clients: this.#controls, log: this.log });
    const tlsChanges = changedFiles(this.#tls.files, tls.files);
    const isOtherList = !isDeepStrictEqual(next.accounts, this.#config.accounts);
    const passwordChanges = isOtherList ? [] : changedPasswords(this.logins.accounts, accounts);
    return {
      fileChanges: [...tlsChanges, ...passwordChanges, ...scripts.map(changeOf)],
      commit: () => {
        assertRoomFor(scripts, registry, next.scripting.registry_max_bytes);
        this.#use(next, tls);
        this.useAccounts(accounts);
        registerPreloaded(scripts, { registry });
      },
    };
  }

  /** Goes by another config from now on. */
  #use(config: Config, tls: TlsSettings): void {
    const before = this.#config;
    const newFiles = changedFiles(this.#tls.files, tls.files);
    const hasNewFiles = (section: string) => newFiles.some(({ key }) => key.startsWith(section));
    this.#config = config;
    this.#tls = tls;
    Object.assign(this.limits, limitsFrom(config));
    this.log.level = config.log.level;
    this.#scripts.resize(config);
    this.slowScripts.use(config.scripting.max_run_ms);
    if (!isDeepStrictEqual(policyFrom(before), policyFrom(config))) this.planning.use(config);
    if (hasNewFiles('listen.tls') || !isDeepStrictEqual(before.listen.tls, config.listen.tls)) this.#useListenTls();
    const access = clusterAccess(config, this.#tls.nodes);
    Object.assign(this.#poolOptions, poolOptionsFrom(config, access));
    if (hasNewFiles('cluster.tls') || !isDeepStrictEqual(reachOf(before), reachOf(config))) {
      this.#controls.use(access);
      this.#scripts.reach(access);
    }
    // It asks at once, by the clients in force.
    if (!isDeepStrictEqual(before.cluster, config.cluster)) this.#source.use(topologySettingsFrom(config, access));
  }

  #useListenTls(): void {
    this.#listener.useTls(this.#tls.listen);
    warnOfDates(this.#tls.files, this.log);
  }

  get config(): Config {
    return this.#config;
  }

  get storeCounters(): StoreCounters {
    return this.#scripts.counters;
  }

  ping(node: Node): Promise<unknown> {
    return this.#controls.call(node, 'PING');
  }

  /** Where the admin port is served, when it is. */
  get adminAddress(): ListenAddress | undefined {
    return this.#admin.address;
  }

  get tellers(): readonly FactTeller[] {
    return this.#admin.tellers;
  }

  locate(redirect: Redirect, answering: Node): Node | undefined {
    return this.#source.locate(redirect, answering);
  }

  refresh(first: Node | undefined): Promise<void> {
    return this.#source.refresh(first);
  }

  get planner(): Planner {
    return this.planning.planner;
  }

  get server(): ServerName {
    return this.planning.server;
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

  onClientRefused(address: string, reason: string): void {
    this.#peerLog.onRefused(address, reason);
  }

  onFault(error: unknown): void {
    this.log.error({ err: error }, 'a connection was closed: this is a bug in evalgate');
  }

  /** Before the first client comes: the scripts of the store, and those that the config names. */
  async #recallScripts(): Promise<void> {
    await this.#scripts.open();
    const { registry, topology } = this;
    await preload({
      paths: this.#config.scripting.preload,
      registry,
      topology,
      checks: this.planning.checks,
      clients: this.#controls,
      log: this.log,
    });
  }

  #publish(topology: Topology): void {
    const before = this.topology;
    this.topology = topology;
    this.upstream.retain(topology);
    this.#care.onTopology(before, topology);
    this.#listener.onTopology();
    this.#scripts.onTopology();
    this.#learning = this.planning.learn(topology, () => this.topology !== topology);
  }

  #onConnected(node: Node): void {
    this.counters.reconnects++;
    this.log.info({ node: node.address }, 'node connected again');
    this.#care.onReconnected(node.address);
  }

  #onDisconnected(node: Node, reason: string): void {
    if (this.#isStopping) return;
    this.counters.disconnects++;
    this.log.warn({ node: node.address, reason }, 'node connection lost');
    this.#source.suspect(node);
  }
}
