// Where a moment stands on the picture. A unit is 0…1 from the left edge to the right.

/** One dialogue alone: time runs evenly. */
export function linearAxis(duration) {
  const total = Math.max(duration, 0.001);
  return {
    total,
    toUnit: (seconds) => Math.min(1, Math.max(0, seconds / total)),
    toTime: (unit) => Math.min(total, Math.max(0, unit * total)),
    pieces: [{ start: 0, end: total, at: 0 }],
  };
}

/** Columns of one dialogue: scenario turn → [start, end] until the next scenario turn begins. */
function columnsOf({ turns, duration }) {
  const starts = new Map();
  for (const turn of turns) if (!starts.has(turn.scenario_turn)) starts.set(turn.scenario_turn, turn.start);
  const ordered = [...starts].sort(([, a], [, b]) => a - b);
  return new Map(ordered.map(([number, start], index) => [
    number, { start: index === 0 ? 0 : start, end: ordered[index + 1]?.[1] ?? duration },
  ]));
}

/**
 * One axis per dialogue, such that scenario turn k begins at the same place in each.
 * All run at one scale; the side that is quicker in a turn waits for the other with an empty stretch.
 */
export function alignAxes(dialogues) {
  const columns = dialogues.map(columnsOf);
  const numbers = [...new Set(columns.flatMap((column) => [...column.keys()]))].sort((a, b) => a - b);
  const widths = numbers.map((number) =>
    Math.max(...columns.map((column) => (column.has(number) ? column.get(number).end - column.get(number).start : 0))));
  const total = Math.max(widths.reduce((sum, width) => sum + width, 0), 0.001);
  return columns.map((column) => {
    let at = 0;
    const pieces = [];
    numbers.forEach((number, index) => {
      if (column.has(number)) pieces.push({ ...column.get(number), at });
      at += widths[index];
    });
    return piecewiseAxis(pieces, total);
  });
}

function piecewiseAxis(pieces, total) {
  const pieceAtTime = (seconds) => pieces.findLast((piece) => piece.start <= seconds) ?? pieces[0];
  const pieceAtUnit = (position) => pieces.findLast((piece) => piece.at <= position) ?? pieces[0];
  return {
    total,
    pieces,
    toUnit(seconds) {
      const piece = pieceAtTime(seconds);
      return (piece.at + Math.min(piece.end, Math.max(piece.start, seconds)) - piece.start) / total;
    },
    toTime(unit) {
      const position = unit * total;
      const piece = pieceAtUnit(position);
      return Math.min(piece.end, piece.start + Math.max(0, position - piece.at));
    },
  };
}

const STEPS = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600];

/** Seconds between labelled ticks so that labels stand at least `gap` pixels apart. */
export const tickStep = (pixelsPerSecond, gap = 64) => STEPS.find((step) => step * pixelsPerSecond >= gap) ?? 3600;

export function clockText(seconds) {
  const whole = Math.floor(seconds + 1e-6);
  const hours = Math.floor(whole / 3600);
  const minutes = Math.floor((whole % 3600) / 60);
  const rest = String(whole % 60).padStart(2, "0");
  return hours ? `${hours}:${String(minutes).padStart(2, "0")}:${rest}` : `${minutes}:${rest}`;
}
