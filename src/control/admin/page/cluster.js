/** The cluster map: which shard has which slots, and how every node answers. */
import { byId, keep, make, setAttribute, setText } from './dom.js';
import { count, counted, milliseconds } from './format.js';
import { Table } from './table.js';

const SLOTS = 16_384;
const SCALE = [0, 4096, 8192, 12_288, SLOTS - 1];

export class Cluster {
  #table = new Table(byId('nodes'), {
    label: 'Nodes of the cluster',
    keyOf: ({ node, shard }) => `${shard} ${node.address}`,
    empty: 'No node of the cluster is known.',
    columns: [
      { label: 'Node', isWide: true, text: ({ node }) => node.address, title: ({ node }) => node.id },
      { label: 'Shard', isNumber: true, text: ({ shard }) => String(shard) },
      { label: 'Role', text: ({ role }) => role },
      { label: 'State', isWide: true, text: stateText, state: stateOf },
      { label: 'Ping', isNumber: true, text: ({ node }) => milliseconds(node.pingMs) },
      { label: 'p50', isNumber: true, text: ({ node }) => milliseconds(node.p50Ms) },
      { label: 'p99', isNumber: true, text: ({ node }) => milliseconds(node.p99Ms) },
      { label: 'Requests', isNumber: true, text: ({ node }) => count(node.requests) },
      { label: 'Unanswered', isNumber: true, text: ({ node }) => count(node.unanswered) },
      { label: 'Connections', isNumber: true, text: ({ node }) => count(node.connections) },
      { label: 'Slots', isWide: true, text: ({ slots }) => slots },
    ],
  });

  constructor() {
    byId('scale').append(...SCALE.map((slot) => make('span', {}, count(slot))));
  }

  update({ slotsCovered, shards }) {
    const rows = shards.flatMap((shard, i) => rowsOf(shard, i + 1));
    const silent = rows.filter(({ node }) => !node.answers).length;
    const parts = [
      counted(shards.length, 'shard'),
      counted(rows.length, 'node'),
      silent === 0 ? 'all answer' : `${silent} silent`,
      `${count(slotsCovered)} of ${count(SLOTS)} slots`,
    ];
    setText(byId('cluster-note'), parts.join(', '));
    this.#table.update(rows);
    showSlots(shards);
  }
}

function rowsOf({ slots, primary, replicas }, shard) {
  const ranges = slots.map(([first, last]) => (first === last ? `${first}` : `${first}–${last}`)).join(', ');
  return [
    { node: primary, role: 'primary', shard, slots: ranges },
    ...replicas.map((node) => ({ node, role: 'replica', shard, slots: '' })),
  ];
}

function stateOf({ node }) {
  if (!node.answers) return 'bad';
  return node.problem === null ? 'good' : 'notice';
}

function stateText({ node }) {
  if (!node.answers) return `silent: ${node.problem ?? 'not asked yet'}`;
  return node.problem === null ? 'answers' : `answers: ${node.problem}`;
}

/** A bar of all slots; every part as wide as its share, and what nobody has as a part of its own. */
function showSlots(shards) {
  const owned = shards
    .flatMap(({ slots, primary }, i) => slots.map(([first, last]) => ({ first, last, shard: i + 1, primary })))
    .sort((a, b) => a.first - b.first);
  const parts = withGaps(owned);
  keep(byId('slots'), parts, {
    keyOf: ({ first }) => first,
    create: () => make('span'),
    update: (element, part) => {
      element.style.flexGrow = String(part.last - part.first + 1);
      setText(element, part.shard === undefined ? '' : String(part.shard));
      setAttribute(element, 'title', inWords(part));
      setAttribute(element, 'data-state', stateOfPart(part));
      setAttribute(element, 'data-even', part.shard % 2 === 0);
    },
  });
  setAttribute(byId('slots'), 'aria-label', parts.map(inWords).join('; '));
}

function withGaps(owned) {
  const parts = [];
  let next = 0;
  for (const part of owned) {
    if (part.first > next) parts.push({ first: next, last: part.first - 1 });
    parts.push(part);
    next = part.last + 1;
  }
  if (next < SLOTS) parts.push({ first: next, last: SLOTS - 1 });
  return parts;
}

function stateOfPart({ primary }) {
  if (primary === undefined) return 'gap';
  return primary.answers ? 'good' : 'bad';
}

function inWords({ first, last, shard, primary }) {
  const slots = `slots ${first} to ${last}`;
  if (primary === undefined) return `${slots}: no primary`;
  return `${slots}: shard ${shard}, ${primary.address}${primary.answers ? '' : ', silent'}`;
}
