// The sentences that the room's scripts say, in the reader's language; annotation/views/room_words.py keeps them.

const words = JSON.parse(document.getElementById("room-words")?.textContent ?? "{}");

/** The sentence of this key, with {name} replaced by values.name. */
export const say = (key, values = {}) =>
  (words[key] ?? key).replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);
