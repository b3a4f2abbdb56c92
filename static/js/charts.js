// <figure class="chart" data-chart="#id of a JSON script | URL">: a line plot (uPlot) or an interval plot (SVG),
// always with its reference line and intervals; the numbers as a table on "t" and as CSV.
import { drawIntervals } from "./chart_intervals.js";
import { drawLines } from "./chart_lines.js";
import { gettext, interpolate } from "./words.js";

const DRAW = { line: drawLines, interval: drawIntervals };

async function readData(source) {
  if (source.startsWith("#")) return JSON.parse(document.getElementById(source.slice(1)).textContent);
  const response = await fetch(source, { credentials: "same-origin", headers: { Accept: "application/json" } });
  if (!response.ok) throw new Error(interpolate(gettext("The numbers of this plot answered %(status)s."), { status: response.status }));
  return response.json();
}

/** The numbers behind a plot: a heading row, then rows of text and numbers. */
export function tableOf(data) {
  if (data.kind === "interval") {
    const heading = ["", gettext("estimate"), gettext("95 % low"), gettext("95 % high"), gettext("note")];
    return [heading, ...data.rows.map((row) => [row.label, row.estimate, row.low, row.high, row.note ?? ""])];
  }
  const columns = data.series.flatMap((series) => [
    [series.label, series.values],
    ...(series.low ? [[named(gettext("%(line)s, low"), series), series.low], [named(gettext("%(line)s, high"), series), series.high]] : []),
  ]);
  const heading = [data.x.label, ...columns.map(([label]) => label)];
  return [heading, ...data.x.values.map((x, index) => [x, ...columns.map(([, values]) => values[index] ?? "")])];
}

const named = (words, series) => interpolate(words, { line: series.label });

export function csvOf(rows) {
  const cell = (value) => (/[",\n]/.test(String(value)) ? `"${String(value).replaceAll('"', '""')}"` : String(value));
  return rows.map((row) => row.map(cell).join(",")).join("\n") + "\n";
}

function buildTable(rows) {
  const table = document.createElement("table");
  rows.forEach((row, index) => {
    const section = index ? (table.tBodies[0] ?? table.createTBody()) : table.createTHead();
    const line = section.insertRow();
    row.forEach((value, column) => {
      const cell = document.createElement(index && column ? "td" : "th");
      if (!index) cell.scope = "col";
      else if (!column) cell.scope = "row";
      if (typeof value === "number" || (!index && typeof rows[1]?.[column] === "number")) cell.className = "num";
      cell.textContent = typeof value === "number" ? String(Number(value.toPrecision(5))).replace("-", "−") : value;
      line.append(cell);
    });
  });
  return table;
}

function addTools(figure, data) {
  const rows = tableOf(data);
  const holder = Object.assign(document.createElement("div"), { className: "chart-table", hidden: true, tabIndex: 0 });
  holder.setAttribute("role", "region");
  holder.setAttribute("aria-label", interpolate(
    gettext("Numbers of %(plot)s"), { plot: figure.querySelector("figcaption strong")?.textContent ?? gettext("the plot") }));
  const toggle = Object.assign(document.createElement("button"), { type: "button", className: "quiet small" });
  toggle.append(gettext("Numbers"), " ", Object.assign(document.createElement("kbd"), { textContent: "t" }));
  toggle.setAttribute("aria-expanded", "false");
  toggle.dataset.chartNumbers = "";
  toggle.addEventListener("click", () => {
    if (!holder.firstChild) holder.append(buildTable(rows));
    holder.hidden = !holder.hidden;
    toggle.setAttribute("aria-expanded", String(!holder.hidden));
  });
  const download = Object.assign(document.createElement("a"), { className: "quiet small", textContent: gettext("Download CSV") });
  download.setAttribute("role", "button");
  download.href = figure.dataset.csv ?? URL.createObjectURL(new Blob([csvOf(rows)], { type: "text/csv" }));
  download.download = `${figure.id || "plot"}.csv`;
  const tools = Object.assign(document.createElement("div"), { className: "chart-tools" });
  tools.append(toggle, download);
  figure.append(tools, holder);
}

async function mount(figure) {
  if (figure.dataset.mounted) return;
  figure.dataset.mounted = "yes";
  const plot = figure.querySelector(".chart-plot");
  let data;
  try {
    data = await readData(figure.dataset.chart);
  } catch (error) {
    plot.replaceChildren(Object.assign(document.createElement("p"), { className: "notice caution", textContent: `${error.message} ${gettext("Reload the page to try again.")}` }));
    return;
  }
  const draw = () => plot.isConnected && DRAW[data.kind](plot, data, figure);
  draw();
  let width = plot.clientWidth;
  new ResizeObserver(() => {
    if (plot.clientWidth === width) return;
    width = plot.clientWidth;
    draw();
  }).observe(plot);
  document.addEventListener("earshot:theme", draw);
  addTools(figure, data);
}

function mountAll(root) {
  if (root.matches?.("[data-chart]")) mount(root);
  for (const figure of root.querySelectorAll("[data-chart]")) mount(figure);
}

// "t" opens the numbers of every plot on the page; declared once, so the key sheet lists it.
function declareKey() {
  if (!document.querySelector("[data-chart]") || document.querySelector("[data-key='t']")) return;
  const all = Object.assign(document.createElement("button"), { type: "button", className: "quiet visually-hidden", textContent: gettext("Show the numbers of all plots") });
  all.dataset.key = "t";
  all.dataset.keyLabel = gettext("Numbers of the plots as tables");
  all.addEventListener("click", () => document.querySelectorAll("[data-chart-numbers]").forEach((button) => button.click()));
  document.getElementById("main").append(all);
}

mountAll(document);
declareKey();
document.addEventListener("htmx:load", (event) => mountAll(event.detail.elt));
