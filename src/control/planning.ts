/**
 * The planner in force. It goes by the policy of the config and the commands of the live cluster; when one of them
 * changes there is another planner, with other checks, which judge every script anew.
 */
import type { Logger } from 'pino';
import type { Topology } from '../cluster/topology.ts';
import { type CommandTable, SHIPPED_TABLE, tableFromReply } from '../command/table.ts';
import type { Report } from '../lua/report.ts';
import { Planner } from '../plan/planner.ts';
import { type CheckCounters, type CheckEvents, ScriptChecks } from '../plan/script-checks.ts';
import type { ScriptRegistry } from '../script/registry.ts';
import type { Script } from '../script/script.ts';
import type { Config } from './config.ts';
import type { ControlClients } from './control-clients.ts';
import { policyFrom } from './settings.ts';

export interface PlanningOptions {
  readonly registry: ScriptRegistry;
  readonly events: CheckEvents;
  readonly counters: CheckCounters;
  readonly clients: ControlClients;
  readonly log: Logger;
}

export interface ServerName {
  readonly name: string;
  readonly version: string;
}

/** Of a decoded HELLO in RESP2: `server`, `redis`, `version`, `7.0.15`, … */
function serverNamed(greeting: unknown): ServerName | undefined {
  const [, name, , version] = Array.isArray(greeting) ? greeting : [];
  return typeof name === 'string' && typeof version === 'string' ? { name, version } : undefined;
}

export class Planning {
  planner: Planner;
  checks: ScriptChecks;
  /** What the cluster's HELLO says (Valkey from 8 on calls itself so); before it was asked, as the shipped command table. */
  server: ServerName = { name: 'redis', version: '7.0.0' };
  readonly #options: PlanningOptions;
  #config: Config;
  /** The COMMAND reply that the planner was made from. */
  #commands = '';

  constructor(config: Config, options: PlanningOptions) {
    this.#options = options;
    this.#config = config;
    this.checks = this.checksFor(config, SHIPPED_TABLE);
    this.planner = this.#plannerFor(SHIPPED_TABLE);
  }

  /** Checks as they would be under another config. */
  checksFor(config: Config, table: CommandTable = this.planner.table): ScriptChecks {
    const { events, counters } = this.#options;
    return new ScriptChecks({ policy: policyFrom(config), table, events, counters });
  }

  /** What the Lua checks have found of a script, if they have seen it: its first finding at most. */
  reportOf(script: Script): Report | undefined {
    return (script.checked ?? this.checks.ofSha(script.sha))?.report;
  }

  /** Goes by the policy of another config. */
  use(config: Config): void {
    this.#config = config;
    this.#useTable(this.planner.table);
  }

  /** Asks for the commands of the cluster, whichever primary answers first; `isStale`: nobody wants to know any more. */
  async learn(topology: Topology, isStale: () => boolean): Promise<void> {
    const { clients, log } = this.#options;
    for (const { primary } of topology.shards) {
      try {
        const reply = await clients.call(primary, 'COMMAND');
        const greeting = await clients.call(primary, 'HELLO', '2');
        if (isStale()) return;
        this.server = serverNamed(greeting) ?? this.server;
        this.#useCommands(reply);
        return;
      } catch (error) {
        log.debug({ node: primary.address, err: error }, 'COMMAND was not answered');
      }
    }
  }

  #useCommands(reply: unknown): void {
    const commands = JSON.stringify(reply);
    if (commands === this.#commands) return;
    this.#commands = commands;
    this.#useTable(tableFromReply(reply));
  }

  #useTable(table: CommandTable): void {
    this.checks = this.checksFor(this.#config, table);
    this.planner = this.#plannerFor(table);
  }

  #plannerFor(table: CommandTable): Planner {
    const { registry } = this.#options;
    return new Planner({ table, registry, policy: policyFrom(this.#config), checks: this.checks });
  }
}
