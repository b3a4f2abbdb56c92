// JSON to and from the server. An answer that never came has status 0.

const token = () => JSON.parse(document.body.getAttribute("hx-headers"))["X-CSRFToken"];

/** Every request outlives the page (keepalive), so what is sent while leaving still arrives. */
export async function send(method, url, body) {
  try {
    const response = await fetch(url, {
      method, credentials: "same-origin", keepalive: true,
      headers: { "Content-Type": "application/json", Accept: "application/json", "X-CSRFToken": token() },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
    const data = await response.json().catch(() => ({}));
    return { ok: response.ok, status: response.status, data };
  } catch {
    return { ok: false, status: 0, data: {} };
  }
}

/** Why something was not kept, as a sentence. */
export function problemOf({ status, data }) {
  if (status === 0) return "The server does not answer. Your answers stay here, and saving is tried again.";
  if (status === 403) return "You are signed out. Sign in in another tab; your answers stay here.";
  if (status >= 500) return "The server could not do that. Your answers stay here, and saving is tried again.";
  return data.detail ?? "The server refused this. Reload the page; saved answers are kept.";
}
