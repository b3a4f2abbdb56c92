// The researchers' player: one audio element, the picture as a seek bar, the turns as a list that follows.
import { drawLanes, fetchPeaks, timeAt } from "./lanes.js";
import { isTyping, keysEnabled } from "./keys.js";

const STEP_SECONDS = 5;
let current = null; // the audio that the keys speak to: the one that played last, else the first on the page

function startPlayer(root) {
  const audio = root.querySelector("audio");
  const canvas = root.querySelector("canvas");
  const scene = JSON.parse(document.querySelector(canvas.dataset.source).textContent);
  const lists = root.querySelector(".turn-list") ? root : document;
  const lines = [...lists.querySelectorAll(".turn-list > li")].map((element) => ({
    element, start: Number(element.dataset.start), end: Number(element.dataset.end),
  }));
  scene.playhead = 0;

  const draw = () => {
    scene.playhead = audio.currentTime;
    drawLanes(canvas, scene);
    for (const { element, start, end } of lines) {
      if (audio.currentTime >= start && audio.currentTime < end) element.setAttribute("aria-current", "true");
      else element.removeAttribute("aria-current");
    }
  };
  const follow = () => {
    draw();
    if (!audio.paused) requestAnimationFrame(follow);
  };
  const seek = (seconds) => {
    audio.currentTime = Math.min(Math.max(0, seconds), scene.duration);
    draw();
  };
  const playFrom = (seconds) => {
    seek(seconds);
    audio.play();
  };

  audio.addEventListener("play", () => {
    for (const other of document.querySelectorAll("audio")) if (other !== audio) other.pause();
    current = audio;
    follow();
  });
  for (const event of ["pause", "seeked", "ended"]) audio.addEventListener(event, draw);
  canvas.addEventListener("click", (event) => seek(timeAt(canvas, event.clientX) ?? 0));
  for (const { element, start } of lines)
    element.querySelector("[data-seek]").addEventListener("click", () => playFrom(start));
  document.addEventListener("keydown", (event) => onKey(event, { audio, lines, seek }));
  new ResizeObserver(draw).observe(canvas);
  document.addEventListener("earshot:theme", draw);
  fetchPeaks(canvas.dataset.peaksUrl).then((peaks) => {
    scene.peaks = peaks;
    draw();
  });
}

function onKey(event, { audio, lines, seek }) {
  if (audio !== (current ?? document.querySelector("audio"))) return;
  // The audio element and buttons have keys of their own.
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
  if (isTyping(event.target) || !keysEnabled() || event.target.closest("audio, button, a, summary")) return;
  const now = audio.currentTime;
  const actions = {
    " ": () => (audio.paused ? audio.play() : audio.pause()),
    ArrowLeft: () => seek(now - STEP_SECONDS),
    ArrowRight: () => seek(now + STEP_SECONDS),
    ArrowUp: () => seek(lines.findLast((line) => line.start < now - 1)?.start ?? 0),
    ArrowDown: () => seek(lines.find((line) => line.start > now + 0.05)?.start ?? now),
  };
  const action = actions[event.key];
  if (!action) return;
  event.preventDefault();
  action();
}

for (const root of document.querySelectorAll("[data-dialogue-player]")) startPlayer(root);
