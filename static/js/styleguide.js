// Draws the style guide's sample pictures from made-up speech, so that the page needs no data.
import { alignAxes, drawLanes, peaksOf } from "./lanes.js";
import { showToast } from "./toasts.js";

const SPEAKERS = { user: "Caller", assistant: "Agent" };

function madeUpDialogue(lengths) {
  let at = 0.4;
  const turns = lengths.map((length, index) => {
    const role = index % 2 ? "assistant" : "user";
    const turn = { role, speaker: SPEAKERS[role], start: at, end: at + length, scenario_turn: Math.floor(index / 2) };
    at += length + 0.6;
    return turn;
  });
  return { turns, duration: at };
}

// Syllables at 4 Hz inside phrases: enough of speech to judge the drawing by.
function madeUpPeaks({ turns, duration }, seed) {
  const rate = 50;
  const data = new Int8Array(2 * Math.ceil(duration * rate));
  let state = seed;
  const random = () => (state = (state * 16807) % 2147483647) / 2147483647;
  for (const turn of turns) {
    for (let bucket = Math.floor(turn.start * rate); bucket < turn.end * rate && 2 * bucket + 1 < data.length; bucket += 1) {
      const seconds = bucket / rate - turn.start;
      const phrase = Math.sin(seconds * 1.3 + seed) > -0.85 ? 1 : 0.05;
      const size = 100 * phrase * (0.25 + 0.6 * Math.abs(Math.sin(seconds * 12.5))) * (0.5 + 0.5 * random());
      data[2 * bucket] = -size * (0.8 + 0.2 * random());
      data[2 * bucket + 1] = size;
    }
  }
  return peaksOf({ bucketsPerSecond: rate, data }, duration);
}

const sides = {
  a: madeUpDialogue([6, 14, 4, 18, 5, 16]),
  b: madeUpDialogue([6, 11, 4, 20, 5, 12]),
};
const axes = alignAxes([sides.a, sides.b]);
const scenes = {
  a: { ...sides.a, peaks: madeUpPeaks(sides.a, 7), axis: axes[0], heard: [[0, 31], [40, 44.5]], playhead: 31,
    marks: [{ time: 12, polarity: "good" }, { time: 27, polarity: "bad" }] },
  b: { ...sides.b, peaks: madeUpPeaks(sides.b, 99), axis: axes[1], heard: [[0, 24]], playhead: null, marks: [{ time: 33, polarity: "bad" }] },
};

function drawAll() {
  for (const canvas of document.querySelectorAll("[data-guide-lanes]")) {
    const { axis, heard, playhead, marks, ...rest } = scenes[canvas.dataset.guideLanes];
    drawLanes(canvas, "compact" in canvas.dataset ? { ...rest, compact: true } : { ...rest, axis, heard, playhead, marks });
  }
}

drawAll();
addEventListener("resize", drawAll);
document.addEventListener("earshot:theme", drawAll);
document.querySelector("[data-guide-toast]")?.addEventListener("click", () => showToast("The draft is saved.", { title: "Saved", tone: "good" }));
document.querySelector("[data-guide-offline]")?.addEventListener("click", () => {
  const bar = document.getElementById("offline");
  bar.hidden = !bar.hidden;
});
