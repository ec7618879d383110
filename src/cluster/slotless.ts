/**
 * Masters that own no slot yet, read from `CLUSTER NODES`: `CLUSTER SLOTS` does not list them, but while a new node takes
 * over its first slot it is already the target of ASK.
 */
import { type AddressContext, makeNode, type Node } from './topology.ts';

const ADDRESS = /^(.*):(\d{1,5})(?:@\d+)?(?:,([^,]*).*)?$/;
const FIRST_SLOT_FIELD = 8;
const UNUSABLE = ['slave', 'fail', 'handshake', 'noaddr'];

interface Entry {
  readonly id: string;
  readonly host: string;
  /** Empty without one. */
  readonly hostname: string;
  readonly port: number;
}

/**
 * The masters in a decoded `CLUSTER NODES` reply that are in order and own no slot, save those that are known by id.
 * Lines that make no sense are left out.
 */
export function slotlessMasters(reply: unknown, context: AddressContext, known: ReadonlyMap<string, Node>): Node[] {
  const lines = String(reply).split('\n').map(readLine);
  const entries = lines.filter((line) => line !== undefined);
  // The cluster tells addresses or host names, in CLUSTER SLOTS and in redirects alike.
  const usesHostnames = entries.some(
    ({ id, hostname, port }) =>
      hostname !== '' && known.get(id)?.address === makeNode({ host: hostname, port }, context).address,
  );
  return entries
    .filter(({ id, isSlotless }) => isSlotless && !known.has(id))
    .map(({ id, host, hostname, port }) => {
      const announced = usesHostnames && hostname !== '' ? hostname : host;
      return makeNode({ host: announced === '' ? context.askedHost : announced, port }, context, id);
    });
}

function readLine(line: string): (Entry & { readonly isSlotless: boolean }) | undefined {
  const fields = line.trim().split(' ');
  const [id, address = '', flagsText = ''] = fields;
  const match = ADDRESS.exec(address);
  const port = Number(match?.[2]);
  if (id === undefined || match === null || !(port > 0 && port <= 65535)) return undefined;
  const flags = flagsText.split(',');
  const isUsable = flags.includes('master') && !UNUSABLE.some((flag) => flags.includes(flag));
  // A slot on its way in or out stands in brackets: it is not owned through that.
  const ownsSlots = fields.slice(FIRST_SLOT_FIELD).some((field) => !field.startsWith('['));
  return { id, host: match[1] ?? '', hostname: match[3] ?? '', port, isSlotless: isUsable && !ownsSlots };
}
