/**
 * A planner as the proxy makes one, without Lua checks unless the policy says otherwise.
 */
import { type CommandTable, SHIPPED_TABLE } from '../../src/command/table.ts';
import { Planner } from '../../src/plan/planner.ts';
import type { Policy } from '../../src/plan/policy.ts';
import { CheckCounters, ScriptChecks } from '../../src/plan/script-checks.ts';
import { ScriptRegistry } from '../../src/script/registry.ts';

const POLICY: Policy = {
  keylessScripts: 'reject',
  checks: 'off',
  checkPolicy: { profile: 'tair', unpack: 'reject', alias: 'reject', maxBytes: 262_144 },
  exempt: new Set(),
};

export interface PlannerSetUp {
  readonly planner: Planner;
  readonly registry: ScriptRegistry;
}

export function plannerOf(
  options: { table?: CommandTable; maxBytes?: number; policy?: Partial<Policy> } = {},
): PlannerSetUp {
  const { table = SHIPPED_TABLE, maxBytes = 1e6 } = options;
  const policy = { ...POLICY, ...options.policy };
  const registry = new ScriptRegistry({ maxBytes, onForgotten: () => {} });
  const events = { onRefusal: () => {}, onNotAnalysed: () => {} };
  const checks = new ScriptChecks({ policy, table, events, counters: new CheckCounters() });
  return { planner: new Planner({ table, registry, policy, checks }), registry };
}
