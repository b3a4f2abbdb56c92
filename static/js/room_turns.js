// Which turn of one side answers to which turn of the other.

const placesOf = (turns, number) => turns.flatMap((turn, index) => (turn.scenario_turn === number ? [index] : []));

/**
 * The same moment of the scenario on the other side: { index, match }.
 * match: "same" (of several turns in one scenario turn, the same place), "nearest" (the scenario turn before it),
 * or "beginning" (the other side has nothing that early).
 */
export function sameTurn(turns, index, others) {
  const here = Math.max(0, index);
  const number = turns[here].scenario_turn;
  const there = placesOf(others, number);
  if (there.length) {
    const place = placesOf(turns, number).indexOf(here);
    return { index: there[Math.min(place, there.length - 1)], match: "same" };
  }
  const before = others.map((turn) => turn.scenario_turn).filter((other) => other < number);
  if (!before.length) return { index: 0, match: "beginning" };
  return { index: placesOf(others, Math.max(...before))[0], match: "nearest" };
}
