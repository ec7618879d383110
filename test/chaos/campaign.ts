/**
 * Runs events one after the other, with quiet in between, and audits the books of each stretch; the quiet ones too. What
 * may not be ends the campaign with an AssertionError, and the table up to then is there.
 */
import assert from 'node:assert/strict';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { Random } from '../support/random.ts';
import { assertNoFaults, type Books, NOTHING } from './books.ts';
import { type ChaosEvent, EVENTS, type Outcome } from './events.ts';
import { QUIET } from './load.ts';
import { Row } from './report.ts';
import { World } from './world.ts';

export interface CampaignOptions {
  readonly seed: number;
  readonly rounds: number;
  readonly clientCount: number;
  /** Ids of events; all unless given. */
  readonly only?: readonly string[];
  /** Told what happens, as it happens. */
  readonly tell: (line: string) => void;
}

export interface Result {
  readonly rows: readonly Row[];
  readonly acknowledged: number;
  readonly seconds: number;
  readonly peakMemoryMb: readonly number[];
}

const QUIET_PIPELINES = 30;

export class Campaign {
  readonly #options: CampaignOptions;
  readonly #world: World;
  readonly #rows = new Map<string, Row>();
  readonly #audited: Books[] = [];
  #acknowledged = 0;

  private constructor(options: CampaignOptions, world: World) {
    this.#options = options;
    this.#world = world;
  }

  static async run(options: CampaignOptions): Promise<Result> {
    const startedMs = performance.now();
    const world = await World.start(options);
    try {
      const campaign = new Campaign(options, world);
      await campaign.#runAll();
      const seconds = Math.round((performance.now() - startedMs) / 1000);
      const peaks = world.evalgates.map((evalgate) => evalgate.peakMemoryMb ?? Number.NaN);
      return {
        rows: [...campaign.#rows.values()],
        acknowledged: campaign.#acknowledged,
        seconds,
        peakMemoryMb: peaks,
      };
    } catch (error) {
      for (const { lastWords } of world.evalgates) options.tell(`the log of an evalgate ends with:\n${lastWords}`);
      throw error;
    } finally {
      await world.stop();
    }
  }

  async #runAll(): Promise<void> {
    const { rounds, only, seed } = this.#options;
    const random = new Random(seed);
    const chosen = EVENTS.filter(({ id }) => only === undefined || only.includes(id));
    this.#rowOf(QUIET, 'quiet, before and after each');
    for (let round = 0; round < rounds; round++) {
      // The first round in the order of the list, which reads best; the others in any.
      for (const event of round === 0 ? chosen : shuffled(chosen, random)) await this.#runEvent(event, round);
    }
    await this.#endQuiet(await this.#world.load.stop());
    await this.#auditAll();
  }

  async #runEvent(event: ChaosEvent, round: number): Promise<void> {
    const { load } = this.#world;
    await this.#world.calm();
    await load.progress(QUIET_PIPELINES);
    await this.#endQuiet(await load.turnOver(event.id));
    const delay = monitorEventLoopDelay({ resolution: 10 });
    delay.enable();
    const outcome = await event.run(this.#world, round);
    await this.#world.calm();
    delay.disable();
    const books = await load.turnOver(QUIET);
    await this.#audit(books, event, outcome);
    this.#judgeRecovery(event, outcome, delay.max / 1e6);
    const { recovery } = outcome;
    const took = recovery === undefined ? '' : `, cluster ${ms(recovery.clusterMs)}, clients ${ms(recovery.clientsMs)}`;
    const { worstPauseMs, replyCount } = books;
    this.#options.tell(`${event.title}: ${replyCount} replies, worst pause ${ms(worstPauseMs)}${took}`);
  }

  async #endQuiet(books: Books): Promise<void> {
    await this.#audit(books, { id: QUIET, title: '', allows: NOTHING }, { times: 1 });
  }

  async #audit(
    books: Books,
    { id, title, allows }: Pick<ChaosEvent, 'id' | 'title' | 'allows'>,
    outcome: Outcome,
  ): Promise<void> {
    const { lost, acknowledged, faults } = books.audit(await this.#world.load.counted(books), allows);
    this.#rowOf(id, title).add(books, { ...outcome, lost });
    this.#acknowledged += acknowledged;
    this.#audited.push(books);
    const { proofMissing } = outcome;
    const all = [...faults, ...this.#world.evalgates.flatMap((evalgate) => evalgate.faults)];
    assertNoFaults(`${books.name} (seed ${this.#options.seed})`, all);
    assert.equal(proofMissing, undefined, `${id}: the event proved nothing: ${proofMissing}`);
  }

  #judgeRecovery({ id }: ChaosEvent, { recovery }: Outcome, latenessMs: number): void {
    if (recovery === undefined) return;
    const laterMs = recovery.clientsMs - recovery.clusterMs;
    // A busy machine is late without any event: in this process, and where clients pause while all is quiet.
    const boundMs = recovery.boundMs + latenessMs + this.#rowOf(QUIET, '').worstPauseMs;
    assert.ok(laterMs <= boundMs, `${id}: clients recovered ${ms(laterMs)} after the cluster, bound ${ms(boundMs)}`);
  }

  /** Nothing was raised later that nobody knows of. */
  async #auditAll(): Promise<void> {
    for (const books of this.#audited) {
      assertNoFaults(`${books.name}, at the end`, books.auditAgain(await this.#world.load.counted(books)));
    }
  }

  #rowOf(id: string, title: string): Row {
    const row = this.#rows.get(id) ?? new Row(title);
    this.#rows.set(id, row);
    return row;
  }
}

function shuffled<T>(values: readonly T[], random: Random): T[] {
  const left = [...values];
  return Array.from(values, () => left.splice(random.below(left.length), 1)).flat();
}

function ms(value: number): string {
  return `${Math.round(value)} ms`;
}
