/** What the browser remembers: "localStorage" or "sessionStorage"; null where it is forbidden. */
export function storage(kind = "localStorage") {
  try {
    return globalThis[kind];
  } catch {
    return null;
  }
}
