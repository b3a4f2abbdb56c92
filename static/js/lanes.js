// The dialogue as a picture: turns in lanes by speaker on one time axis, the waveform inside the turn,
// heard parts filled and unheard hollow, marks as flags, the playhead brightest of all.
//
//   drawLanes(canvas, { turns, peaks, heard, marks, playhead, duration, axis, compact })
//     turns      [{ speaker, role, start, end, scenario_turn }], seconds
//     peaks      from peaks.js, or nothing: blocks only
//     heard      [[start, end], …]; left out, everything is drawn as heard (lists, reports)
//     marks      [{ time, polarity: "good" | "bad" }]
//     playhead   seconds, or null
//     axis       from alignAxes(); left out, time runs evenly over `duration`
//   timeAt(canvas, clientX) → seconds, or null before the first drawing
import { clockText, linearAxis, tickStep } from "./axis.js";
import { extent, fetchPeaks, levelFor, peaksOf } from "./peaks.js";

export { alignAxes, clockText, linearAxis } from "./axis.js";
export { fetchPeaks, parsePeaks, peaksOf } from "./peaks.js";

const TOKENS = { tone: "--tone", ink: "--ink", soft: "--soft", line: "--line", now: "--now", good: "--good", bad: "--bad", panel: "--panel" };
const pictures = new WeakMap(); // canvas → what was drawn, so that a moving playhead costs one blit
let themeVersion = 0;
if (typeof document !== "undefined") document.addEventListener("earshot:theme", () => { themeVersion += 1; });

/** Draw everything. Cheap to call on every frame: only the playhead is drawn anew while the rest is unchanged. */
export function drawLanes(canvas, scene) {
  const box = canvas.getBoundingClientRect();
  if (box.width < 1 || box.height < 1) return;
  const ratio = Math.min(3, globalThis.devicePixelRatio || 1);
  const key = [box.width, box.height, ratio, themeVersion, spanKey(scene.heard), marksKey(scene.marks), scene.compact].join("|");
  let picture = pictures.get(canvas);
  const fresh = picture && picture.key === key && picture.turns === scene.turns && picture.peaks === scene.peaks && picture.axis === scene.axis;
  if (!fresh) {
    picture = paintStill(canvas, scene, box, ratio);
    Object.assign(picture, { key, turns: scene.turns, peaks: scene.peaks, axis: scene.axis });
    pictures.set(canvas, picture);
  }
  const context = canvas.getContext("2d");
  context.setTransform(1, 0, 0, 1, 0, 0);
  context.clearRect(0, 0, canvas.width, canvas.height);
  context.drawImage(picture.still, 0, 0);
  context.scale(ratio, ratio);
  if (scene.playhead != null) drawPlayhead(context, picture, scene.playhead, ratio);
  canvas.dataset.drawn = "";
}

/** The moment under a pointer. */
export function timeAt(canvas, clientX) {
  const layout = pictures.get(canvas)?.layout;
  if (!layout) return null;
  const x = clientX - canvas.getBoundingClientRect().left;
  return layout.axis.toTime(Math.min(1, Math.max(0, (x - layout.left) / layout.width)));
}

const spanKey = (spans) => (spans ? spans.map(([a, b]) => `${a.toFixed(1)}-${b.toFixed(1)}`).join() : "all");
const marksKey = (marks) => (marks ?? []).map((mark) => `${mark.time}${mark.polarity}`).join();

// light-dark() is resolved only in a real property, so each token passes through `color` once.
function readColours(canvas) {
  const before = canvas.style.color;
  const colours = {};
  for (const [name, token] of Object.entries(TOKENS)) {
    canvas.style.color = `var(${token})`;
    colours[name] = getComputedStyle(canvas).color;
  }
  canvas.style.color = before;
  return colours;
}

function paintStill(canvas, scene, box, ratio) {
  canvas.width = Math.round(box.width * ratio);
  canvas.height = Math.round(box.height * ratio);
  const still = document.createElement("canvas");
  still.width = canvas.width;
  still.height = canvas.height;
  const context = still.getContext("2d");
  context.scale(ratio, ratio);
  const colours = readColours(canvas);
  const layout = layOut(scene, box, getComputedStyle(canvas).fontFamily);
  if (!scene.compact) drawGround(context, layout, colours, scene);
  for (const turn of scene.turns) drawTurn(context, layout, colours, turn, scene);
  for (const mark of scene.marks ?? []) drawMark(context, layout, colours, mark);
  return { still, layout, colours };
}

/** Lanes from top to bottom: the user first, then the others as they come. */
function speakersOf(turns) {
  const roles = new Map();
  for (const turn of turns) if (!roles.has(turn.speaker)) roles.set(turn.speaker, turn.role);
  return [...roles].sort((a, b) => (b[1] === "user") - (a[1] === "user")).map(([speaker]) => speaker);
}

function layOut(scene, box, family) {
  const speakers = speakersOf(scene.turns);
  const narrow = box.width < 480;
  const edge = scene.compact ? 1 : 8; // half the playhead's head and its glow fit beside the first and the last moment
  const left = scene.compact || narrow ? edge : 84;
  const top = scene.compact ? (scene.marks?.length ? 8 : 1) : 18;
  const bottom = scene.compact ? 1 : 18;
  const gap = scene.compact ? 2 : 6;
  const laneHeight = Math.max(2, (box.height - top - bottom - gap * (speakers.length - 1)) / Math.max(1, speakers.length));
  const duration = scene.duration ?? Math.max(0, ...scene.turns.map((turn) => turn.end));
  const axis = scene.axis ?? linearAxis(duration);
  const width = Math.max(1, box.width - left - edge);
  return {
    axis, duration, left, top, width, laneHeight, narrow, speakers, family,
    height: box.height, bottom: box.height - bottom, pixelsPerSecond: width / axis.total,
    x: (seconds) => left + axis.toUnit(seconds) * width,
    laneTop: (speaker) => top + speakers.indexOf(speaker) * (laneHeight + gap),
  };
}

function drawGround(context, layout, colours, scene) {
  context.font = `12px ${layout.family}`;
  context.textBaseline = "alphabetic";
  drawScenarioTurns(context, layout, colours, scene.turns);
  drawClock(context, layout, colours);
  if (layout.narrow) return;
  context.fillStyle = colours.soft;
  context.textAlign = "left";
  for (const speaker of layout.speakers)
    context.fillText(shorten(context, speaker, layout.left - 12), 0, layout.laneTop(speaker) + layout.laneHeight / 2 + 4);
}

function shorten(context, text, room) {
  if (context.measureText(text).width <= room) return text;
  let cut = text;
  while (cut.length > 1 && context.measureText(`${cut}…`).width > room) cut = cut.slice(0, -1);
  return `${cut}…`;
}

// A hairline where each scenario turn begins: the two sides can be compared turn by turn.
function drawScenarioTurns(context, layout, colours, turns) {
  const seen = new Set();
  let lastLabel = -Infinity;
  context.textAlign = "left";
  for (const turn of turns) {
    if (turn.scenario_turn == null || seen.has(turn.scenario_turn)) continue;
    seen.add(turn.scenario_turn);
    const x = Math.round(layout.x(turn.start)) + 0.5;
    context.strokeStyle = colours.line;
    context.lineWidth = 1;
    line(context, x, 2, x, layout.bottom);
    if (x - lastLabel < 22) continue;
    lastLabel = x;
    context.fillStyle = colours.soft;
    context.fillText(String(turn.scenario_turn), x + 4, 12);
  }
}

function drawClock(context, layout, colours) {
  const step = tickStep(layout.pixelsPerSecond);
  let lastX = -Infinity;
  context.fillStyle = colours.soft;
  context.strokeStyle = colours.line;
  context.textAlign = "left";
  line(context, layout.left, layout.bottom + 0.5, layout.left + layout.width, layout.bottom + 0.5);
  for (let seconds = 0; seconds <= layout.duration; seconds += step) {
    const x = Math.round(layout.x(seconds)) + 0.5;
    if (x - lastX < 44 || x > layout.left + layout.width - 26) continue;
    lastX = x;
    line(context, x, layout.bottom, x, layout.bottom + 4);
    context.fillText(clockText(seconds), x + 4, layout.height - 3);
  }
}

function line(context, x0, y0, x1, y1) {
  context.beginPath();
  context.moveTo(x0, y0);
  context.lineTo(x1, y1);
  context.stroke();
}

function drawTurn(context, layout, colours, turn, scene) {
  const x0 = layout.x(turn.start);
  const x1 = Math.max(x0 + 1.5, layout.x(turn.end));
  const top = layout.laneTop(turn.speaker);
  const frame = new Path2D();
  frame.roundRect(x0 + 0.5, top + 0.5, Math.max(1, x1 - x0 - 1), layout.laneHeight - 1, Math.min(3, (x1 - x0) / 2));
  const wave = scene.peaks ? wavePath(layout, turn, scene.peaks, x0, x1, top) : null;
  const colour = turn.role === "user" ? colours.soft : colours.tone;
  context.save();
  context.strokeStyle = colour;
  context.fillStyle = colour;
  drawHollow(context, frame, wave, scene.compact);
  drawHeard(context, frame, wave, layout, turn, scene);
  context.restore();
}

function drawHollow(context, frame, wave, compact) {
  context.lineWidth = 1;
  context.globalAlpha = compact ? 0.7 : 0.55;
  context.stroke(frame);
  if (!wave || compact) return;
  context.globalAlpha = 0.75;
  context.lineWidth = 0.75;
  context.stroke(wave);
}

function drawHeard(context, frame, wave, layout, turn, scene) {
  const spans = scene.heard ?? [[turn.start, turn.end]];
  const clip = new Path2D();
  let any = false;
  for (const [start, end] of spans) {
    const from = Math.max(start, turn.start);
    const to = Math.min(end, turn.end);
    if (to <= from) continue;
    clip.rect(layout.x(from), layout.laneTop(turn.speaker), layout.x(to) - layout.x(from), layout.laneHeight);
    any = true;
  }
  if (!any) return;
  context.clip(clip);
  context.globalAlpha = wave ? 0.14 : 0.55;
  context.fill(frame);
  if (!wave) return;
  context.globalAlpha = 1;
  context.fill(wave);
}

function wavePath(layout, turn, peaks, x0, x1, top) {
  const ready = peaks.levels ? peaks : peaksOf(peaks);
  const level = levelFor(ready, layout.pixelsPerSecond);
  const middle = top + layout.laneHeight / 2;
  const half = layout.laneHeight / 2 - Math.min(3, layout.laneHeight / 8);
  const columns = Math.max(1, Math.round(x1 - x0));
  const seconds = (turn.end - turn.start) / columns;
  const path = new Path2D();
  const lower = [];
  for (let column = 0; column < columns; column += 1) {
    const start = turn.start + column * seconds;
    const [low, high] = extent(level, ready.loudest, start, start + seconds);
    const x = x0 + column + 0.5;
    const y = middle - Math.max(0.5, high * half);
    if (column === 0) path.moveTo(x, y);
    else path.lineTo(x, y);
    lower.push([x, middle + Math.max(0.5, -low * half)]);
  }
  for (const [x, y] of lower.reverse()) path.lineTo(x, y);
  path.closePath();
  return path;
}

// Good is a pointed pennant, bad a swallowtail: told apart by shape before tone.
function drawMark(context, layout, colours, mark) {
  const x = Math.round(layout.x(mark.time)) + 0.5;
  const tip = mark.polarity === "bad" ? 5 : 10;
  context.strokeStyle = context.fillStyle = mark.polarity === "bad" ? colours.bad : colours.good;
  context.lineWidth = 1;
  line(context, x, 2, x, layout.bottom);
  context.beginPath();
  context.moveTo(x, 1);
  if (mark.polarity === "bad") {
    for (const [dx, y] of [[10, 1], [tip, 5], [10, 9], [0, 9]]) context.lineTo(x + dx, y);
  } else for (const [dx, y] of [[tip, 5], [0, 9]]) context.lineTo(x + dx, y);
  context.closePath();
  context.fill();
}

function drawPlayhead(context, { layout, colours }, seconds, ratio) {
  const x = Math.round(layout.x(seconds) * ratio) / ratio; // on whole device pixels, so that it stays sharp
  context.fillStyle = colours.now;
  context.shadowColor = colours.now;
  context.shadowBlur = 6;
  context.fillRect(x - 1, 0, 2, layout.bottom);
  context.beginPath();
  context.moveTo(x - 5, 0);
  context.lineTo(x + 5, 0);
  context.lineTo(x, 7);
  context.closePath();
  context.fill();
  context.shadowBlur = 0;
}
