/**
 * `npm run chaos`: breaks a real cluster, and evalgates in front of it, in every way that events.ts knows, eight times
 * over, while clients count. docs/reliability.md says what it asserts and how to read its table.
 */
import { cpus } from 'node:os';
import { parseArgs } from 'node:util';
import { Random } from '../support/random.ts';
import { Campaign } from './campaign.ts';
import { EVENTS } from './events.ts';
import { report } from './report.ts';

const HELP = `Usage: npm run chaos -- [--rounds 8] [--only kill-master,reshard] [--seed N] [--clients 6] [--markdown]

  --rounds N     every event once a round, each round at another shard
  --only A,B     events by their id: ${EVENTS.map(({ id }) => id).join(', ')}
  --seed N       what clients ask and the order of events; a new one unless given
  --clients N    half of them at each of the two evalgates
  --markdown     the table as Markdown
`;

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      rounds: { type: 'string', default: '8' },
      only: { type: 'string' },
      seed: { type: 'string', default: String(Random.fresh().seed) },
      clients: { type: 'string', default: '6' },
      markdown: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  const [rounds, clientCount, seed] = [Number(values.rounds), Number(values.clients), Number(values.seed)];
  const only = values.only?.split(',');
  const isGood = rounds >= 1 && clientCount >= 1 && Number.isInteger(seed) && (only ?? []).every((id) => isEvent(id));
  if (values.help || !isGood) {
    console.log(HELP);
    process.exitCode = values.help ? 0 : 2;
    return;
  }
  const tell = (line: string): void => {
    process.stderr.write(`${line}\n`);
  };
  tell(`seed ${seed}`);
  const result = await Campaign.run({ rounds, clientCount, seed, tell, ...(only === undefined ? {} : { only }) });
  const machine = `${cpus().length} × ${cpus()[0]?.model.trim() ?? 'unknown CPU'}, Node.js ${process.versions.node}`;
  const load = `${clientCount} clients, ${result.acknowledged.toLocaleString('en')} increments acknowledged`;
  console.log(`${machine}; ${load}; ${result.seconds} s; seed ${seed}\n`);
  console.log(report(result.rows, values.markdown));
  console.log(`\nPeak memory (resident) of each evalgate: ${result.peakMemoryMb.join(', ')} MB`);
}

function isEvent(id: string): boolean {
  return EVENTS.some((event) => event.id === id);
}

await main();
