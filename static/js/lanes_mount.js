// Pictures that a page only shows: <canvas data-lanes data-dialogue="URL of JSON" data-peaks="URL">, drawn when they come into view.
import { drawLanes } from "./lanes.js";
import { fetchPeaks } from "./peaks.js";
import { gettext, interpolate } from "./words.js";

const mounted = new WeakMap();
let arrival = null;

/** Load what the canvas names once it is near the screen; draw it again when its size or the theme changes. */
export function mountLanes(canvas) {
  if (mounted.has(canvas)) return;
  mounted.set(canvas, null);
  arrival ??= new IntersectionObserver(onArrival, { rootMargin: "200px" });
  arrival.observe(canvas);
}

function onArrival(entries) {
  for (const { isIntersecting, target } of entries) {
    if (!isIntersecting) continue;
    arrival.unobserve(target);
    load(target);
  }
}

async function load(canvas) {
  try {
    await show(canvas);
  } catch (error) {
    // The page around the picture still works, so say it in the picture's own place and leave the rest alone.
    canvas.title = `${error.message} ${gettext("Reload the page to try again.")}`;
    canvas.dataset.failed = "";
    throw error;
  }
}

async function show(canvas) {
  const scene = await readScene(canvas.dataset.dialogue);
  scene.compact = "compact" in canvas.dataset;
  mounted.set(canvas, scene);
  new ResizeObserver(() => drawLanes(canvas, scene)).observe(canvas);
  document.addEventListener("earshot:theme", () => canvas.isConnected && drawLanes(canvas, scene));
  if (!canvas.dataset.peaks) return;
  scene.peaks = await fetchPeaks(canvas.dataset.peaks);
  drawLanes(canvas, scene);
}

/** A URL, or "#id" of a <script type="application/json"> on the page. */
async function readScene(source) {
  if (source.startsWith("#")) return JSON.parse(document.getElementById(source.slice(1)).textContent);
  const response = await fetch(source, { credentials: "same-origin", headers: { Accept: "application/json" } });
  if (!response.ok) throw new Error(interpolate(gettext("The turns of this dialogue answered %(status)s."), { status: response.status }));
  return response.json();
}
