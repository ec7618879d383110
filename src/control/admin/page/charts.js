/**
 * The last quarter of an hour in three charts with one time axis: traffic, latency, trouble. The pointer shows the
 * values of one moment in all of them; without it the legends show the newest.
 */
import { byId, make, setAttribute, setText } from './dom.js';
import { milliseconds, minute, rate, shortNumber, time } from './format.js';
import uPlot from './uplot.js';

const SHOWN_S = 15 * 60;
const HEIGHT_PX = 170;
const TICK_SPACE_PX = 70;
const AXIS_WIDTH_PX = 46;
const perSecond = (value) => (value === null ? '–' : `${rate(value)} /s`);

/** `of(series, stepS)` are the values; `colour` is a custom property of style.css. */
const CHARTS = [
  {
    title: 'Traffic',
    unit: 'requests per s',
    lines: [{ label: 'requests', colour: '--blue', isFilled: true, of: (series) => series.requestsPerS }],
    text: perSecond,
    least: 10,
  },
  {
    title: 'Latency',
    unit: 'ms, logarithmic',
    lines: [
      { label: 'p99', colour: '--violet', of: (series) => series.p99Ms },
      { label: 'p50', colour: '--blue', of: (series) => series.p50Ms },
    ],
    text: milliseconds,
    isLogarithmic: true,
  },
  {
    title: 'Trouble',
    unit: 'per s',
    lines: [
      { label: 'errors', colour: '--red', isFilled: true, of: (series) => series.errorsPerS },
      { label: 'refused', colour: '--amber', of: ({ refusals }, stepS) => refusals.map((n) => n / stepS) },
      { label: 'healed', colour: '--green', of: ({ heals }, stepS) => heals.map((n) => n / stepS) },
    ],
    text: perSecond,
    least: 1,
  },
];

/** Half a millisecond and half a second are both seen. */
const LOGARITHMIC = {
  distr: 3,
  range: (_, least, most) => [10 ** Math.floor(Math.log10(least ?? 1)), 10 ** Math.ceil(Math.log10(most ?? 1) + 0.01)],
};

/** Also before there is a sample. */
function shownTime(_, __, newest) {
  const until = newest ?? Date.now() / 1000;
  return [until - SHOWN_S, until];
}

function powersOfTen(_, __, least, most) {
  const powers = [];
  for (let power = least; power <= most; power *= 10) powers.push(power);
  return powers;
}

function linear(leastMost) {
  return { range: (_, __, most) => [0, Math.max(most * 1.1, leastMost)] };
}

class Chart {
  #chart;
  #plot;
  #data = [];
  #frame = make('div', { class: 'plot', role: 'img' });
  #when = make('span', { class: 'when' });
  #values;

  constructor(parent, chart) {
    this.#chart = chart;
    this.#values = chart.lines.map(() => make('b'));
    const legend = chart.lines.map(({ label, colour }, i) =>
      make('li', { 'data-colour': colour.slice(2) }, `${label} `, this.#values[i]),
    );
    const title = make('h2', {}, chart.title, ' ', make('small', {}, chart.unit));
    const head = make('div', { class: 'head' }, title, this.#when, make('ul', { class: 'legend' }, ...legend));
    parent.append(make('div', { class: 'chart panel' }, head, this.#frame));
    new ResizeObserver(() => this.#resize()).observe(this.#frame);
  }

  update(series, stepMs) {
    this.#data = [series.unixS, ...this.#chart.lines.map(({ of }) => of(series, stepMs / 1000))];
    if (this.#plot === undefined) this.draw();
    else this.#plot.setData(this.#data);
    this.#showLegend();
    setAttribute(this.#frame, 'aria-label', this.#inWords());
  }

  /** Anew: colours are those of the scheme that the system has now. */
  draw() {
    this.#plot?.destroy();
    if (this.#data.length > 0) this.#plot = new uPlot(this.#options(), this.#data, this.#frame);
  }

  #options() {
    const styles = getComputedStyle(document.documentElement);
    const colourOf = (name) => styles.getPropertyValue(name).trim();
    const font = `11px ${styles.fontFamily}`;
    const axis = { stroke: colourOf('--quiet'), font, ticks: { show: false } };
    return {
      width: this.#frame.clientWidth,
      height: HEIGHT_PX,
      padding: [8, 18, 0, 0],
      legend: { show: false },
      cursor: { y: false, drag: { x: false }, sync: { key: 'history' }, points: { size: 6 } },
      scales: {
        x: { time: false, range: shownTime },
        y: this.#chart.isLogarithmic ? LOGARITHMIC : linear(this.#chart.least),
      },
      series: [{}, ...this.#chart.lines.map((line) => lineOf(line, colourOf))],
      axes: [
        {
          ...axis,
          grid: { show: false },
          space: TICK_SPACE_PX,
          incrs: [60, 120, 180, 300, 600],
          values: (_, ticks) => ticks.map((unixS) => minute(unixS * 1000)),
          size: 26,
        },
        {
          ...axis,
          grid: { stroke: colourOf('--line'), width: 1 },
          size: AXIS_WIDTH_PX,
          space: 36,
          values: (_, ticks) => ticks.map(shortNumber),
          ...(this.#chart.isLogarithmic ? { splits: powersOfTen, filter: (_, splits) => splits } : {}),
        },
      ],
      hooks: { setCursor: [() => this.#showLegend()] },
    };
  }

  #showLegend() {
    const [times = [], ...lines] = this.#data;
    const pointed = this.#plot?.cursor.idx ?? undefined;
    const at = pointed ?? times.length - 1;
    setText(this.#when, pointed === undefined ? '' : time(times[at] * 1000));
    lines.forEach((line, i) => {
      setText(this.#values[i], this.#chart.text(line[at] ?? null));
    });
  }

  #inWords() {
    const [, ...lines] = this.#data;
    const said = lines.map((line, i) => {
      const { label } = this.#chart.lines[i];
      const known = line.filter((value) => value !== null);
      if (known.length === 0) return `${label} not known yet`;
      return `${label} now ${this.#chart.text(line.at(-1))}, at most ${this.#chart.text(Math.max(...known))}`;
    });
    return `${this.#chart.title} of the last 15 minutes: ${said.join('; ')}`;
  }

  #resize() {
    const width = this.#frame.clientWidth;
    if (width > 0 && this.#plot !== undefined && this.#plot.width !== width) {
      this.#plot.setSize({ width, height: HEIGHT_PX });
    }
  }
}

function lineOf({ colour, isFilled = false }, colourOf) {
  const stroke = colourOf(colour);
  return { stroke, width: 1.5, points: { show: false }, ...(isFilled ? { fill: `${stroke}1f` } : {}) };
}

export class Charts {
  #charts = CHARTS.map((chart) => new Chart(byId('charts'), chart));

  constructor() {
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => {
      for (const chart of this.#charts) chart.draw();
    });
  }

  update({ series, stepMs }) {
    for (const chart of this.#charts) chart.update(series, stepMs);
  }
}
