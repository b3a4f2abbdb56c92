// Peaks as the server packs them, little endian:
//   "EPK1" | float64 seconds | uint32 levels | levels × (uint32 buckets per second, uint32 count) | per level count × (int8 min, int8 max)
import { gettext, interpolate } from "./words.js";

/** Read a peaks file. Throws with the reason when the bytes are not one. */
export function parsePeaks(buffer) {
  const view = new DataView(buffer);
  const magic = buffer.byteLength >= 16 ? String.fromCharCode(...new Uint8Array(buffer, 0, 4)) : "";
  if (magic !== "EPK1") throw new Error(`Peaks must begin with EPK1 but begin with "${magic}"; import the dialogue again.`);
  const levelCount = view.getUint32(12, true);
  let offset = 16 + 8 * levelCount;
  const levels = [];
  for (let index = 0; index < levelCount; index += 1) {
    const bucketsPerSecond = view.getUint32(16 + 8 * index, true);
    const count = view.getUint32(20 + 8 * index, true);
    levels.push({ bucketsPerSecond, data: new Int8Array(buffer, offset, 2 * count) });
    offset += 2 * count;
  }
  return peaksOf(levels, view.getFloat64(4, true));
}

/** Peaks from levels of int8 min/max pairs; `{bucketsPerSecond, data}` alone is one level. */
export function peaksOf(levels, seconds) {
  const list = Array.isArray(levels) ? levels : [levels];
  const sorted = [...list].sort((a, b) => a.bucketsPerSecond - b.bucketsPerSecond);
  const finest = sorted.at(-1);
  let loudest = 1;
  for (const value of finest.data) loudest = Math.max(loudest, Math.abs(value));
  return { levels: sorted, seconds: seconds ?? finest.data.length / 2 / finest.bucketsPerSecond, loudest };
}

export async function fetchPeaks(url) {
  const response = await fetch(url, { credentials: "same-origin" });
  if (!response.ok) throw new Error(interpolate(gettext("The waveform of this dialogue answered %(status)s."), { status: response.status }));
  return parsePeaks(await response.arrayBuffer());
}

/** The coarsest level that still has a bucket per pixel, else the finest. */
export function levelFor(peaks, pixelsPerSecond) {
  return peaks.levels.find((level) => level.bucketsPerSecond >= pixelsPerSecond) ?? peaks.levels.at(-1);
}

/** [min, max] of the sound between two times, each −1…1 of the loudest peak. */
export function extent(level, loudest, start, end) {
  const first = Math.max(0, Math.floor(start * level.bucketsPerSecond));
  const last = Math.min(level.data.length / 2 - 1, Math.max(first, Math.ceil(end * level.bucketsPerSecond) - 1));
  let low = 0;
  let high = 0;
  for (let bucket = first; bucket <= last; bucket += 1) {
    low = Math.min(low, level.data[2 * bucket]);
    high = Math.max(high, level.data[2 * bucket + 1]);
  }
  return [low / loudest, high / loudest];
}
