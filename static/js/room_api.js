// JSON to and from the server. An answer that never came has status 0.
import { gettext } from "./words.js";

const MOST_KEEPALIVE_CHARACTERS = 20000; // browsers refuse more than 64 KiB, and a character takes up to 3 bytes

// Signing in changes the token: the cookie has the present one, the page the one of when it was loaded.
function token() {
  const cookie = document.cookie.split("; ").find((each) => each.startsWith("csrftoken="));
  return cookie?.slice("csrftoken=".length) ?? JSON.parse(document.body.getAttribute("hx-headers"))["X-CSRFToken"];
}

/**
 * Requests outlive the page (keepalive), so what is sent while leaving still arrives.
 * Each outcome is told to the document as `earshot:answered` with its status.
 */
export async function send(method, url, body) {
  const answer = await ask(method, url, body === undefined ? undefined : JSON.stringify(body));
  document.dispatchEvent(new CustomEvent("earshot:answered", { detail: { status: answer.status } }));
  return answer;
}

async function ask(method, url, text) {
  try {
    const response = await fetch(url, {
      method, credentials: "same-origin", keepalive: (text?.length ?? 0) < MOST_KEEPALIVE_CHARACTERS, cache: "no-store",
      headers: { "Content-Type": "application/json", Accept: "application/json", "X-CSRFToken": token() },
      body: text,
    });
    const data = await response.json().catch(() => ({}));
    return { ok: response.ok, status: response.status, data };
  } catch {
    return { ok: false, status: 0, data: {} };
  }
}

/** Whether the same request may well succeed later: no connection, no server, or signed out (or in as another person). */
export const mayPass = ({ status }) => status === 0 || status >= 500 || status === 403 || status === 404 || status === 429;

/** Why something was not kept, as a sentence. */
export function problemOf({ status, data }) {
  if (status === 0) return gettext("The server does not answer. Your answers stay here, and saving is tried again.");
  if (status === 403) return gettext("You are signed out. Sign in in another tab; your answers stay here.");
  if (status >= 500) return gettext("The server could not do that. Your answers stay here, and saving is tried again.");
  return data.detail ?? gettext("The server refused this. Reload the page; saved answers are kept.");
}
