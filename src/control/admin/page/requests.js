/** Two tables: requests for which a node took long, and the clients that are connected. */
import { button, byId, make, setText } from './dom.js';
import { ago, count, dateTime, roughly, shortSha } from './format.js';
import { Table } from './table.js';

export class SlowRequests {
  #table;

  constructor(dialog) {
    this.#table = new Table(byId('slow-table'), {
      label: 'Slow requests',
      keyOf: ({ id, unixMs }) => `${id} ${unixMs}`,
      empty: 'No request took a node 10 ms or longer.',
      columns: [
        { label: 'Request', isWide: true, render: (cell, row) => showRequest(cell, row, dialog) },
        { label: 'Took', isNumber: true, text: ({ ms }) => `${count(ms)} ms` },
        { label: 'Node', isLong: true, text: ({ node }) => node },
        {
          label: 'Client',
          text: ({ clientName, clientAddress }) => clientName ?? clientAddress,
          title: ({ clientAddress, clientId }) => `${clientAddress}, id ${clientId}`,
        },
        {
          label: 'When',
          isNumber: true,
          text: ({ unixMs }) => ago(unixMs),
          title: ({ unixMs }) => dateTime(unixMs),
        },
      ],
    });
  }

  update({ total, requests }) {
    setText(
      byId('slow-note'),
      total > requests.length ? `newest ${requests.length} of ${count(total)}` : '10 ms or longer',
    );
    this.#table.update(requests);
  }
}

/** Made once: a request does not change. */
function showRequest(cell, { sha, args }, dialog) {
  if (cell.firstElementChild !== null) return;
  const [command = '', ...rest] = args;
  const isCall = sha !== null && rest.length > 0;
  const shown = isCall ? rest.slice(1) : rest;
  const link = isCall ? button(shortSha(sha), () => dialog.open(sha), { class: 'link', title: sha }) : undefined;
  const line = shown.join(' ');
  cell.append(
    make('div', { class: 'request', title: line }, make('b', {}, command), ' ', ...(link ? [link, ' '] : []), line),
  );
}

export class Clients {
  #table = new Table(byId('client-table'), {
    label: 'Clients',
    keyOf: ({ id, address }) => `${id} ${address}`,
    empty: 'No client is connected.',
    columns: [
      {
        label: 'Client',
        isWide: true,
        text: ({ name, address }) => name ?? address,
        title: ({ id, address }) => `${address}, id ${id}`,
      },
      { label: 'Address', isLong: true, text: ({ address }) => address },
      {
        label: 'Library',
        text: ({ library, libraryVersion }) => [library ?? '–', libraryVersion].filter(Boolean).join(' '),
      },
      { label: 'User', text: ({ user }) => user },
      { label: 'Last command', text: ({ command }) => command?.replace('|', ' ') ?? '–' },
      { label: 'In flight', isNumber: true, text: ({ inFlight }) => count(inFlight) },
      {
        label: 'State',
        text: ({ paused }) => (paused ? 'held up' : 'reading'),
        state: ({ paused }) => (paused ? 'notice' : null),
      },
      { label: 'Idle', isNumber: true, text: ({ idleS }) => roughly(idleS) },
      { label: 'Connected', isNumber: true, text: ({ ageS }) => roughly(ageS) },
    ],
  });

  update({ total, clients }) {
    const isCut = total > clients.length;
    setText(
      byId('clients-note'),
      isCut ? `the first ${count(clients.length)} of ${count(total)}` : `${count(total)} connected`,
    );
    this.#table.update(clients);
  }
}
