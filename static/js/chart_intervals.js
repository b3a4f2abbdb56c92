// Estimates with their intervals, one row each, the reference (zero, chance) drawn. Plain SVG made here.

const NS = "http://www.w3.org/2000/svg";
const ROW = 36;
const LETTER = 7; // pixels of our small text, amply

function make(name, attributes = {}, text = "") {
  const element = document.createElementNS(NS, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  if (text) element.textContent = text;
  return element;
}

/** Round steps over [low, high]: 1, 2 or 5 times a power of ten, about `wanted` of them. */
export function niceTicks(low, high, wanted = 5) {
  const rough = (high - low || 1) / wanted;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * ([1, 2, 5, 10].find((factor) => factor * power >= rough) ?? 10);
  const ticks = [];
  for (let index = Math.ceil(low / step - 1e-9); index * step <= high + step * 1e-9; index += 1) ticks.push(Number((index * step).toPrecision(12)));
  return ticks;
}

const shown = (value) => (value < 0 ? `−${Math.abs(value)}` : String(value));
const fitted = (label, room) => {
  const most = Math.max(8, Math.floor(room / 6.8)); // characters of our small text; the whole name stands in the dot's title
  return label.length <= most ? label : `${label.slice(0, Math.ceil(most / 2) - 1)}…${label.slice(-Math.floor(most / 2))}`;
};
const twoDigits = (value) => value.toFixed(2).replace("-", "−");
const numbersOf = (row) => `${twoDigits(row.estimate)} [${twoDigits(row.low)}, ${twoDigits(row.high)}]`;
/** Pixels that the longest of these texts may need; 0 if all are empty. */
const roomFor = (texts) => LETTER * Math.max(...texts.map((text) => text.length));

/** Draw `data` (kind "interval") into `plot`, replacing what was there. */
export function drawIntervals(plot, data, figure) {
  const width = Math.max(240, plot.clientWidth);
  const narrow = width < 520;
  const notes = roomFor(data.rows.map((row) => row.note ?? ""));
  const left = narrow ? 8 : Math.min(roomFor(data.rows.map((row) => row.label)) + 16, width * 0.3);
  const right = narrow ? 8 : 12 + roomFor(data.rows.map(numbersOf)) + (notes && notes + 12);
  const rowHeight = narrow ? 52 : ROW;
  const top = 20;
  const height = top + data.rows.length * rowHeight + 44;
  const values = data.rows.flatMap((row) => [row.low, row.high, row.estimate]).concat(data.reference?.value ?? []);
  const low = Math.min(...values);
  const high = Math.max(...values);
  const room = (high - low || 1) * 0.05;
  const x = (value) => left + ((value - low + room) / (high - low + 2 * room)) * (width - left - right);
  const svg = make("svg", { viewBox: `0 0 ${width} ${height}`, width, height, role: "img" });
  svg.append(make("title", {}, `${figure.querySelector("figcaption")?.textContent.trim() ?? ""}`));
  const bottom = top + data.rows.length * rowHeight;
  drawScale(svg, data, { x, low, high, top, bottom, width, left, right });
  data.rows.forEach((row, index) => drawRow(svg, row, { x, narrow, width, left, right, middle: top + (index + (narrow ? 0.68 : 0.5)) * rowHeight }));
  plot.replaceChildren(svg);
}

function drawScale(svg, data, { x, low, high, top, bottom, width, left, right }) {
  for (const tick of niceTicks(low, high, width < 520 ? 4 : 6)) {
    svg.append(make("line", { class: "grid", x1: x(tick), x2: x(tick), y1: top, y2: bottom }));
    svg.append(make("text", { class: "quiet", x: x(tick), y: bottom + 16, "text-anchor": "middle" }, shown(tick)));
  }
  svg.append(make("text", { class: "quiet", x: (left + width - right) / 2, y: bottom + 36, "text-anchor": "middle" }, data.x?.label ?? ""));
  if (!data.reference) return;
  const at = x(data.reference.value);
  svg.append(make("line", { class: "reference", x1: at, x2: at, y1: top - 4, y2: bottom }));
  svg.append(make("text", { class: "quiet", x: at, y: top - 8, "text-anchor": "middle" }, data.reference.label));
}

function drawRow(svg, row, { x, narrow, width, left, right, middle }) {
  const side = row.side ? ` side-${row.side}` : "";
  const numbers = numbersOf(row);
  if (narrow) {
    svg.append(make("text", { x: 0, y: middle - 16 }, fitted(row.label, width - 140)));
    svg.append(make("text", { class: "quiet", x: width, y: middle - 16, "text-anchor": "end" }, numbers));
  } else {
    svg.append(make("text", { x: 0, y: middle + 4 }, fitted(row.label, left - 8)));
    svg.append(make("text", { x: width - right + 12, y: middle + 4 }, numbers));
    if (row.note) svg.append(make("text", { class: "quiet", x: width, y: middle + 4, "text-anchor": "end" }, row.note));
  }
  svg.append(make("line", { class: `whisker${side}`, x1: x(row.low), x2: x(row.high), y1: middle, y2: middle }));
  for (const end of [row.low, row.high]) svg.append(make("line", { class: `whisker${side}`, x1: x(end), x2: x(end), y1: middle - 4, y2: middle + 4 }));
  const dot = row.side === "a"
    ? make("rect", { class: `dot${side}`, x: x(row.estimate) - 5, y: middle - 5, width: 10, height: 10 })
    : make("circle", { class: `dot${side}`, cx: x(row.estimate), cy: middle, r: 5.5 });
  dot.append(make("title", {}, `${row.label}: ${numbers}${row.note ? `, ${row.note}` : ""}`));
  svg.append(dot);
}
