// What keeps the room going when something around it fails, and what makes the next pair ready.
import { reserveAhead } from "./room_ahead.js";
import { watchConnection } from "./room_connection.js";
import { SoundRetry } from "./room_sound_retry.js";

export function startSafeguards(room) {
  watchConnection();
  for (const side of Object.values(room.sides)) new SoundRetry(side.root, side.audio, () => room.play(side.name));
  reserveAhead(room.questions.draft.urls.ahead);
}
