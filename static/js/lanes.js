// The dialogue as a picture: turns in lanes by speaker on one time axis, the waveform inside the turn,
// heard parts filled and unheard hollow, marks as flags, the playhead brightest of all.
//
//   drawLanes(canvas, { turns, peaks, heard, missing, marks, playhead, duration, axis, compact })
//     turns      [{ speaker, role, start, end, scenario_turn }], seconds
//     peaks      from peaks.js, or nothing: blocks only
//     heard      [[start, end], …]; left out, everything is drawn as heard (lists, reports)
//     missing    [[start, end], …]: what was passed over, as ticks on the time line
//     marks      [{ time, polarity: "good" | "bad", letter, isChosen }]
//     playhead   seconds, or null
//     isNumbered numbers are those of the turns, as a list has them; left out, those of the scenario's turns
//     axis       from alignAxes(); left out, time runs evenly over `duration`
//   timeAt(canvas, clientX) → seconds, or null before the first drawing
//   markAt(canvas, clientX, clientY) → the mark whose flag is there
import { clockText, linearAxis, tickStep } from "./axis.js";
import { extent, fetchPeaks, levelFor, peaksOf } from "./peaks.js";

export { alignAxes, clockText } from "./axis.js";
export { fetchPeaks, peaksOf } from "./peaks.js";

const TOKENS = { tone: "--tone", ink: "--ink", soft: "--soft", line: "--line", now: "--now", good: "--good", bad: "--bad", caution: "--caution" };
const FLAG = { top: 1, height: 11, width: 12 }; // pixels; a letter stands beside it
const REACH = 22; // pixels around a flag's middle where a finger finds it
const pictures = new WeakMap(); // canvas → its layers and what is shown of them, so that a frame costs one copy
let themeVersion = 0;
if (typeof document !== "undefined") document.addEventListener("earshot:theme", () => { themeVersion += 1; });

/** Draw everything. Cheap on every frame: the turns are painted once; what is heard is copied from a layer that has it all. */
export function drawLanes(canvas, scene) {
  const box = canvas.getBoundingClientRect();
  if (box.width < 1 || box.height < 1) return;
  const picture = pictureOf(canvas, scene, box);
  const key = [spanKey(scene.heard), spanKey(scene.missing), marksKey(scene.marks)].join("|");
  if (picture.key !== key) compose(picture, scene, key);
  const context = canvas.getContext("2d");
  context.setTransform(1, 0, 0, 1, 0, 0);
  context.clearRect(0, 0, canvas.width, canvas.height);
  context.drawImage(picture.still.canvas, 0, 0);
  context.scale(picture.ratio, picture.ratio);
  if (scene.playhead != null) drawPlayhead(context, picture, scene.playhead);
  canvas.dataset.drawn = "";
}

/** The moment under a pointer. */
export function timeAt(canvas, clientX) {
  const layout = pictures.get(canvas)?.layout;
  if (!layout) return null;
  const x = clientX - canvas.getBoundingClientRect().left;
  return layout.axis.toTime(Math.min(1, Math.max(0, (x - layout.left) / layout.width)));
}

/** The mark whose flag is under a pointer; of several the nearest. */
export function markAt(canvas, clientX, clientY) {
  const picture = pictures.get(canvas);
  const box = canvas.getBoundingClientRect();
  if (!picture || clientY - box.top > FLAG.top + FLAG.height + 4) return null;
  const distance = (mark) => Math.abs(picture.layout.x(mark.time) + FLAG.width / 2 - (clientX - box.left));
  return picture.marks.filter((mark) => distance(mark) <= REACH).sort((one, other) => distance(one) - distance(other))[0] ?? null;
}

const spanKey = (spans) => (spans ? spans.map(([a, b]) => `${a.toFixed(1)}-${b.toFixed(1)}`).join() : "all");
const marksKey = (marks) => (marks ?? []).map((mark) => [mark.time, mark.polarity, mark.letter, mark.isChosen].join(" ")).join();

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

/** The canvas's picture; painted anew only when its size, theme, turns, waveform or axis is another. */
function pictureOf(canvas, scene, box) {
  const { turns, peaks, axis } = scene;
  const ratio = Math.min(3, globalThis.devicePixelRatio || 1);
  const frame = [box.width, box.height, ratio, themeVersion, scene.compact, hasFlags(scene)].join("|");
  const known = pictures.get(canvas);
  if (known?.frame === frame && known.turns === turns && known.peaks === peaks && known.axis === axis) return known;
  canvas.width = Math.round(box.width * ratio);
  canvas.height = Math.round(box.height * ratio);
  const picture = { frame, turns, peaks, axis, ratio, colours: readColours(canvas), layout: layOut(scene, box, getComputedStyle(canvas).fontFamily) };
  Object.assign(picture, paintLayers(canvas, scene, picture), { still: layerOf(canvas, 1) });
  pictures.set(canvas, picture);
  return picture;
}

const hasFlags = ({ marks, compact }) => Boolean(compact ? marks?.length : marks);

function layerOf({ width, height }, ratio) {
  const context = Object.assign(document.createElement("canvas"), { width, height }).getContext("2d");
  context.scale(ratio, ratio);
  return context;
}

// Two layers: the ground with every turn hollow, and what is laid over a turn once it was heard.
function paintLayers(canvas, scene, { layout, colours, ratio }) {
  const [hollow, filled] = [layerOf(canvas, ratio), layerOf(canvas, ratio)];
  if (!scene.compact) drawGround(hollow, layout, colours, scene);
  for (const isUser of [true, false]) {
    const paths = pathsOf(layout, scene.turns.filter(({ role }) => (role === "user") === isUser), scene.peaks);
    const colour = isUser ? colours.soft : colours.tone;
    hollow.strokeStyle = filled.fillStyle = colour;
    drawHollow(hollow, paths, scene.compact);
    drawFilled(filled, paths);
  }
  return { hollow, filled };
}

// What does not move with the sound: the layers as far as they are heard, what is missing, the marks.
function compose(picture, scene, key) {
  const { still, hollow, filled, layout, colours, ratio } = picture;
  const { width, height } = still.canvas;
  still.setTransform(1, 0, 0, 1, 0, 0);
  still.clearRect(0, 0, width, height);
  still.drawImage(hollow.canvas, 0, 0);
  for (const span of scene.heard ?? [[0, Infinity]]) {
    const [from, to] = span.map((seconds) => Math.round(layout.x(seconds) * ratio));
    if (to > from) still.drawImage(filled.canvas, from, 0, to - from, height, from, 0, to - from, height);
  }
  still.scale(ratio, ratio);
  if (!scene.compact) drawMissing(still, layout, colours, scene.missing ?? []);
  for (const mark of scene.marks ?? []) drawMark(still, layout, colours, mark, scene.compact);
  Object.assign(picture, { key, marks: scene.marks ?? [] });
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
  const labels = hasFlags(scene) && !scene.compact ? FLAG.top + FLAG.height + 3 : 0; // the flags stand above the turns' numbers
  const top = scene.compact ? (hasFlags(scene) ? 8 : 1) : labels + 18;
  const bottom = scene.compact ? 1 : 18;
  const gap = scene.compact ? 2 : 6;
  const laneHeight = Math.max(2, (box.height - top - bottom - gap * (speakers.length - 1)) / Math.max(1, speakers.length));
  const duration = scene.duration ?? Math.max(0, ...scene.turns.map((turn) => turn.end));
  const axis = scene.axis ?? linearAxis(duration);
  const width = Math.max(1, box.width - left - edge);
  return {
    axis, duration, left, top, labels, width, laneHeight, narrow, speakers, family,
    height: box.height, bottom: box.height - bottom, pixelsPerSecond: width / axis.total,
    x: (seconds) => left + axis.toUnit(seconds) * width,
    laneTop: (speaker) => top + speakers.indexOf(speaker) * (laneHeight + gap),
  };
}

function drawGround(context, layout, colours, scene) {
  context.font = `12px ${layout.family}`;
  context.textBaseline = "alphabetic";
  drawTurnNumbers(context, layout, colours, scene);
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
function drawTurnNumbers(context, layout, colours, { turns, isNumbered }) {
  const seen = new Set();
  let lastLine = -Infinity;
  let free = -Infinity; // where the last number ends
  context.textAlign = "left";
  context.strokeStyle = colours.line;
  context.fillStyle = colours.soft;
  context.lineWidth = 1;
  for (const [index, turn] of turns.entries()) {
    const begins = turn.scenario_turn != null && !seen.has(turn.scenario_turn);
    if (!begins && !isNumbered) continue;
    seen.add(turn.scenario_turn);
    const x = Math.round(layout.x(turn.start)) + 0.5;
    if (x - lastLine < 6) continue; // of half an hour they would be a grey ground
    lastLine = x;
    const number = String(isNumbered ? index + 1 : turn.scenario_turn);
    const end = x + 4 + context.measureText(number).width;
    const isNamed = x >= free && end <= layout.left + layout.width + 8;
    if (begins) line(context, x, layout.labels + (isNamed ? 2 : 16), x, layout.bottom);
    if (!isNamed) continue;
    free = end + 4;
    context.fillText(number, x + 4, layout.labels + 12);
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

// However short it is, what was passed over can be seen: it is what keeps the questions closed.
function drawMissing(context, layout, colours, missing) {
  context.fillStyle = colours.caution;
  for (const [start, end] of missing) {
    const x = layout.x(start);
    context.fillRect(x, layout.bottom - 2, Math.max(3, layout.x(end) - x), 4);
  }
}

function line(context, x0, y0, x1, y1) {
  context.beginPath();
  context.moveTo(x0, y0);
  context.lineTo(x1, y1);
  context.stroke();
}

/** Turns of one colour as two paths, since 300 strokes cost more than one: their frames, and the waves inside them. */
function pathsOf(layout, turns, peaks) {
  const frames = new Path2D();
  const waves = peaks ? new Path2D() : null;
  const ready = peaks && (peaks.levels ? peaks : peaksOf(peaks));
  const level = ready && levelFor(ready, layout.pixelsPerSecond);
  for (const turn of turns) {
    const x0 = layout.x(turn.start);
    const x1 = Math.max(x0 + 1.5, layout.x(turn.end));
    const top = layout.laneTop(turn.speaker);
    frames.roundRect(x0 + 0.5, top + 0.5, Math.max(1, x1 - x0 - 1), layout.laneHeight - 1, Math.min(3, (x1 - x0) / 2));
    if (waves) addWave(waves, layout, turn, { level, loudest: ready.loudest, x0, x1, top });
  }
  return { frames, waves };
}

function drawHollow(context, { frames, waves }, compact) {
  context.lineWidth = 1;
  context.globalAlpha = compact ? 0.7 : 0.55;
  context.stroke(frames);
  if (!waves || compact) return;
  context.globalAlpha = 0.75;
  context.lineWidth = 0.75;
  context.stroke(waves);
}

function drawFilled(context, { frames, waves }) {
  context.globalAlpha = waves ? 0.14 : 0.55;
  context.fill(frames);
  context.globalAlpha = 1;
  if (waves) context.fill(waves);
}

function addWave(path, layout, turn, { level, loudest, x0, x1, top }) {
  const middle = top + layout.laneHeight / 2;
  const half = layout.laneHeight / 2 - Math.min(3, layout.laneHeight / 8);
  const columns = Math.max(1, Math.round(x1 - x0));
  const seconds = (turn.end - turn.start) / columns;
  const lower = [];
  for (let column = 0; column < columns; column += 1) {
    const start = turn.start + column * seconds;
    const [low, high] = extent(level, loudest, start, start + seconds);
    const x = x0 + column + 0.5;
    const y = middle - Math.max(0.5, high * half);
    if (column === 0) path.moveTo(x, y);
    else path.lineTo(x, y);
    lower.push([x, middle + Math.max(0.5, -low * half)]);
  }
  for (const [x, y] of lower.reverse()) path.lineTo(x, y);
  path.closePath();
}

// Good is a pointed pennant, bad a swallowtail: told apart by shape before tone. The letter says the dimension.
function drawMark(context, layout, colours, mark, compact) {
  const x = Math.round(layout.x(mark.time)) + 0.5;
  const colour = mark.polarity === "bad" ? colours.bad : colours.good;
  context.strokeStyle = context.fillStyle = colour;
  context.lineWidth = mark.isChosen ? 2 : 1;
  line(context, x, FLAG.top, x, layout.bottom);
  const hasRoom = x + FLAG.width < layout.left + layout.width + (compact ? 1 : 8); // at the very end it flies to the left
  const way = hasRoom ? 1 : -1;
  context.fill(flagPath(x, mark.polarity, compact ? 8 : FLAG.height, way * (compact ? 10 : FLAG.width)));
  if (!mark.letter || compact) return;
  context.font = `600 11px ${layout.family}`;
  context.textAlign = hasRoom ? "left" : "right";
  context.fillStyle = colours.ink;
  context.fillText(mark.letter, x + way * (FLAG.width + 2), FLAG.top + FLAG.height - 2);
}

function flagPath(x, polarity, height, width) {
  const path = new Path2D();
  const [top, middle, bottom] = [FLAG.top, FLAG.top + height / 2, FLAG.top + height];
  const corners = polarity === "bad" ? [[width, top], [width / 2, middle], [width, bottom]] : [[width, middle]];
  path.moveTo(x, top);
  for (const [dx, y] of [...corners, [0, bottom]]) path.lineTo(x + dx, y);
  path.closePath();
  return path;
}

function drawPlayhead(context, { layout, colours, ratio }, seconds) {
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
