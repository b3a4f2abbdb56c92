// Line plots on uPlot (loaded before as a classic script). Labels stand at the end of each line, not in a legend.
import { gettext } from "./words.js";

const AXIS_SIZE = 52;

function colour(element, token) {
  const before = element.style.color;
  element.style.color = `var(${token})`;
  const value = getComputedStyle(element).color;
  element.style.color = before;
  return value;
}

const seriesToken = (series, index) => (series.side ? `--side-${series.side}` : ["--ink", "--side-a", "--side-b", "--soft"][index % 4]);
const DASHES = [[], [6, 3], [2, 2], [8, 3, 2, 3]];

/** Draw `data` (kind "line") into `plot`, replacing what was there. */
export function drawLines(plot, data, figure) {
  const uPlot = globalThis.uPlot;
  if (!uPlot) throw new Error("uPlot is not loaded. Include _chart_scripts.html in the head block.");
  plot.querySelector(".uplot") && plot.uplot?.destroy();
  plot.replaceChildren();
  const colours = data.series.map((series, index) => colour(plot, seriesToken(series, index)));
  const ink = { soft: colour(plot, "--soft"), line: colour(plot, "--line") };
  const { columns, series, bands } = layOutSeries(data, colours);
  const font = `12px ${getComputedStyle(plot).fontFamily}`;
  const axis = { stroke: ink.soft, font, labelFont: font, grid: { stroke: ink.line, width: 1 }, ticks: { stroke: ink.line, width: 1, size: 4 } };
  const readout = Object.assign(document.createElement("p"), { className: "chart-readout" });
  plot.uplot = new uPlot({
    width: Math.max(160, plot.clientWidth), height: 240, series, bands,
    padding: [12, labelRoom(plot, data, font), 0, 0],
    legend: { show: false },
    scales: { x: { time: false }, y: { range: (_, low, high) => yRange(data, low, high) } },
    axes: [{ ...axis, label: data.x.label, labelSize: 20, size: 32 }, { ...axis, label: data.y?.label, labelSize: 20, size: AXIS_SIZE }],
    cursor: { y: false, points: { size: 6 } },
    hooks: { draw: [(chart) => drawOver(chart, data, colours, ink, font)], setCursor: [(chart) => writeReadout(chart, data, readout)] },
  }, columns, plot);
  plot.append(readout);
  plot.uplot.root.setAttribute("role", "img");
  plot.uplot.root.setAttribute("aria-label", figure.querySelector("figcaption")?.textContent.trim() ?? gettext("Line plot"));
}

function layOutSeries(data, colours) {
  const columns = [data.x.values];
  const series = [{}];
  const bands = [];
  data.series.forEach((line, index) => {
    columns.push(line.values);
    series.push({ stroke: colours[index], width: 2, dash: DASHES[index % 4], points: { show: line.values.length < 2 } });
    if (!line.low) return;
    const at = series.length;
    for (const edge of [line.high, line.low]) {
      columns.push(edge);
      series.push({ stroke: "transparent", width: 0, points: { show: false } });
    }
    bands.push({ series: [at, at + 1], fill: withAlpha(colours[index], 0.16) });
  });
  return { columns, series, bands };
}

const withAlpha = (value, alpha) => `color-mix(in srgb, ${value} ${alpha * 100}%, transparent)`;

function yRange(data, low, high) {
  const values = [low, high, data.reference?.value].filter(Number.isFinite);
  const bottom = data.y?.min ?? Math.min(...values);
  const top = data.y?.max ?? Math.max(...values);
  const room = (top - bottom || 1) * 0.06;
  return [data.y?.min ?? bottom - room, data.y?.max ?? top + room];
}

// A line whose name stands at the axis already is not named again: on a phone that took a third of the plot.
const named = (data) => data.series.filter((line) => data.series.length > 1 || line.label !== data.y?.label);

function labelRoom(plot, data, font) {
  const context = document.createElement("canvas").getContext("2d");
  context.font = font;
  return Math.min(plot.clientWidth / 3, 12 + Math.max(...named(data).map((line) => context.measureText(line.label).width), 0));
}

function drawOver(chart, data, colours, ink, font) {
  const { ctx } = chart;
  const ratio = globalThis.devicePixelRatio || 1;
  ctx.save();
  ctx.font = font.replace("12px", `${12 * ratio}px`);
  drawReference(chart, ctx, data.reference, ink, ratio);
  ctx.textBaseline = "middle";
  ctx.textAlign = "left";
  const { left, width } = chart.bbox;
  const taken = [];
  named(data).forEach((line, index) => {
    const last = line.values.findLastIndex((value) => value != null);
    if (last < 0) return;
    let y = chart.valToPos(line.values[last], "y", true);
    while (taken.some((other) => Math.abs(other - y) < 14 * ratio)) y += 14 * ratio;
    taken.push(y);
    ctx.fillStyle = colours[index];
    ctx.fillText(line.label, left + width + 8 * ratio, y);
  });
  ctx.restore();
}

function drawReference(chart, ctx, reference, ink, ratio) {
  if (!reference) return;
  const y = chart.valToPos(reference.value, "y", true);
  ctx.strokeStyle = ctx.fillStyle = ink.soft;
  ctx.lineWidth = ratio;
  ctx.setLineDash([4 * ratio, 3 * ratio]);
  ctx.beginPath();
  ctx.moveTo(chart.bbox.left, y);
  ctx.lineTo(chart.bbox.left + chart.bbox.width, y);
  ctx.stroke();
  ctx.textAlign = "right";
  ctx.textBaseline = "bottom";
  ctx.fillText(reference.label, chart.bbox.left + chart.bbox.width - 4 * ratio, y - 2 * ratio);
}

function writeReadout(chart, data, readout) {
  const { idx } = chart.cursor;
  if (idx == null) return;
  const values = data.series.map((line) => `${line.label} ${line.values[idx] ?? gettext("none")}`);
  readout.textContent = `${data.x.label} ${data.x.values[idx]}: ${values.join(", ")}`;
}
