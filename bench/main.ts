/**
 * `npm run bench`: how fast the way through evalgate is, compared with no proxy and with HAProxy in TCP mode, on a real
 * cluster that it starts itself. Ways take turns within every round, so that a machine that gets slower does so for all;
 * the table shows medians of the rounds. docs/benchmarks.md says how to read it.
 */
import { cpus } from 'node:os';
import { parseArgs } from 'node:util';
import { LocalCluster } from '../src/control/local-cluster.ts';
import { CLIENT_COUNT, cpuTimeUs, type Measurement, measure, peakMemoryMb } from './measure.ts';
import { formatTable } from './table.ts';
import { closeWays, openWays, type Way, withClient } from './ways.ts';
import { fill, SAMPLE_KEY, WORKLOADS, type Workload } from './workloads.ts';

const HELP = `Usage: npm run bench -- [--rounds 3] [--quick] [--only GET,EVALSHA] [--pipeline 1,16,100] [--checks] [--workers N]
                         [--markdown]

  --rounds N       runs of every workload on every way; the table shows medians
  --quick          one short round, to see that all works; its figures mean little
  --only A,B       workloads whose name begins with one of these: ${WORKLOADS.map(({ name }) => name).join(', ')}
  --pipeline A,B   requests that each of the ${CLIENT_COUNT} clients sends at once
  --checks         a further way through an evalgate without the Lua checks, to see what they cost
  --workers N      a further way through an evalgate with N workers
  --markdown       the table as Markdown
`;

const WARM_UP_SECONDS = 0.5;

interface Plan {
  readonly rounds: number;
  readonly runSeconds: number;
  readonly workloads: readonly Workload[];
  readonly pipelines: readonly number[];
  readonly checks: boolean;
  /** 1: no further way. */
  readonly workers: number;
  readonly markdown: boolean;
}

/** All runs of one workload, pipeline and way. */
interface Series {
  readonly way: Way;
  requestCount: number;
  readonly runs: Measurement[];
  cpuUs: number;
  cpuRequests: number;
}

function readPlan(): Plan | undefined {
  const { values } = parseArgs({
    options: {
      rounds: { type: 'string', default: '3' },
      quick: { type: 'boolean', default: false },
      only: { type: 'string', default: '' },
      pipeline: { type: 'string', default: '1,16,100' },
      checks: { type: 'boolean', default: false },
      workers: { type: 'string', default: '1' },
      markdown: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  const wanted = values.only.toUpperCase().split(',');
  const plan = {
    rounds: values.quick ? 1 : Number(values.rounds),
    runSeconds: values.quick ? 0.3 : 1.5,
    workloads: WORKLOADS.filter(({ name }) => wanted.some((word) => name.toUpperCase().startsWith(word))),
    pipelines: values.pipeline.split(',').map(Number),
    checks: values.checks,
    workers: Number(values.workers),
    markdown: values.markdown,
  };
  const isGood =
    plan.rounds >= 1 &&
    plan.workloads.length > 0 &&
    plan.workers >= 1 &&
    plan.pipelines.every((depth) => Number.isInteger(depth) && depth > 0);
  return values.help || !isGood ? undefined : plan;
}

async function main(): Promise<void> {
  const plan = readPlan();
  if (plan === undefined) {
    console.log(HELP);
    return;
  }
  const cluster = await LocalCluster.start({ masters: 3, replicas: 0 });
  let ways: Way[] = [];
  try {
    const node = await ownerOf(cluster, SAMPLE_KEY);
    await fill(node.client());
    ways = await openWays(cluster, node, { withChecksOff: plan.checks, workers: plan.workers });
    console.log(headLine(plan, ways));
    console.log(await compare(plan, ways));
    console.log(memoryLine(ways));
  } finally {
    await closeWays(ways);
    await cluster.stop();
  }
}

async function ownerOf(cluster: LocalCluster, key: string) {
  for (const node of cluster.masters) {
    const answer = await node
      .client()
      .get(key)
      .catch(() => 'elsewhere');
    if (answer !== 'elsewhere') return node;
  }
  throw new Error('no master owns the slot of the keys');
}

async function compare(plan: Plan, ways: readonly Way[]): Promise<string> {
  const rows: string[][] = [];
  for (const workload of plan.workloads) {
    for (const way of ways) await withClient(way, workload.prepare);
    for (const pipeline of plan.pipelines) {
      process.stderr.write(`${workload.name}, pipeline ${pipeline} …\n`);
      rows.push(...rowsOf(workload, pipeline, await runRounds({ plan, ways, workload, pipeline })));
    }
  }
  const header = ['workload', 'pipeline', 'way', 'requests/s', '÷ no proxy', 'p50 ms', 'p99 ms', 'CPU µs/request'];
  return formatTable(header, rows, plan.markdown);
}

interface Rounds {
  readonly plan: Plan;
  readonly ways: readonly Way[];
  readonly workload: Workload;
  readonly pipeline: number;
}

async function runRounds({ plan, ways, workload, pipeline }: Rounds): Promise<Series[]> {
  const series: Series[] = ways.map((way) => ({ way, requestCount: 0, runs: [], cpuUs: 0, cpuRequests: 0 }));
  for (const one of series) {
    // Two runs first, to warm up and to learn how many requests a run of the wanted length takes.
    let requestCount = CLIENT_COUNT * pipeline * 20;
    for (const seconds of [WARM_UP_SECONDS, plan.runSeconds]) {
      const { perSecond } = await measure({ port: one.way.port, pipeline, requestCount, command: workload.command });
      requestCount = Math.ceil(Math.max(perSecond * seconds, CLIENT_COUNT * pipeline * 4));
    }
    one.requestCount = requestCount;
  }
  for (let round = 0; round < plan.rounds; round++) {
    // Another way begins each round, so that none always runs behind the same one.
    for (let turn = 0; turn < series.length; turn++) {
      const one = series[(round + turn) % series.length];
      if (one !== undefined) await runOnce(one, workload, pipeline);
    }
  }
  return series;
}

async function runOnce(one: Series, workload: Workload, pipeline: number): Promise<void> {
  const { requestCount, way } = one;
  const pid = way.process?.pid;
  const before = pid === undefined ? 0 : cpuTimeUs(pid);
  one.runs.push(await measure({ port: way.port, pipeline, requestCount, command: workload.command }));
  if (pid === undefined) return;
  one.cpuUs += cpuTimeUs(pid) - before;
  one.cpuRequests += requestCount;
}

function rowsOf(workload: Workload, pipeline: number, series: readonly Series[]): string[][] {
  const [direct] = series;
  const base = median(direct?.runs.map(({ perSecond }) => perSecond) ?? []);
  return series.map(({ way, runs, cpuUs, cpuRequests }) => {
    const perSecond = median(runs.map((run) => run.perSecond));
    return [
      workload.name,
      String(pipeline),
      way.name,
      Math.round(perSecond).toLocaleString('en'),
      (perSecond / base).toFixed(2),
      median(runs.map(({ p50Ms }) => p50Ms)).toFixed(2),
      median(runs.map(({ p99Ms }) => p99Ms)).toFixed(2),
      cpuRequests === 0 ? '' : (cpuUs / cpuRequests).toFixed(2),
    ];
  });
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2;
}

function headLine({ rounds, runSeconds }: Plan, ways: readonly Way[]): string {
  const machine = `${cpus().length} × ${cpus()[0]?.model.trim() ?? 'unknown CPU'}, Node.js ${process.versions.node}`;
  const runs = `${rounds} round${rounds === 1 ? '' : 's'} of about ${runSeconds} s per workload and way`;
  return `${machine}; ${CLIENT_COUNT} clients, ${runs}, ${ways.length} ways in turn; medians\n`;
}

function memoryLine(ways: readonly Way[]): string {
  const peaks = ways.flatMap(({ name, process: child }) =>
    child?.pid === undefined ? [] : [`${name} ${peakMemoryMb(child.pid).toFixed(0)} MB`],
  );
  return `\nPeak memory (resident): ${peaks.join(', ')}`;
}

await main();
