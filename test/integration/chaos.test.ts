/**
 * The short form of `npm run chaos`: every event once, while clients count (test/chaos/).
 */
import { describe, it } from 'node:test';
import { Campaign } from '../chaos/campaign.ts';
import { report } from '../chaos/report.ts';
import { Random } from '../support/random.ts';

describe('chaos', () => {
  it('C4, C5, C8: nothing is counted twice, lost in silence or NOSCRIPT, whatever breaks', async (context) => {
    const { seed } = Random.fresh();
    context.diagnostic(`seed ${seed}`);
    const tell = (line: string) => context.diagnostic(line);
    const { rows, acknowledged, seconds } = await Campaign.run({ seed, rounds: 1, clientCount: 4, tell });
    for (const line of report(rows, false).split('\n')) context.diagnostic(line);
    context.diagnostic(`${acknowledged} increments acknowledged in ${seconds} s`);
  });
});
